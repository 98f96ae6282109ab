import io

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import calibration, decision_curve, statistics
from lib.plots import grouped as plots


@pytest.fixture
def prediction():
    generator = np.random.default_rng(0)
    labels, p = generator.integers(0, 3, 120), generator.dirichlet(np.ones(3) / 3, 120)
    return labels, p


def _drawn(figure):
    """The figure drawn to the end, and its axes."""
    figure.savefig(io.BytesIO(), format="png")
    return figure.axes


def _labels(cell):
    legend = cell.get_legend() or cell.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


def test_reliability_shows_bins_intervals_and_errors(prediction):
    before = calibration.reliability(*prediction)
    after = calibration.reliability(prediction[0], calibration.apply_temperature(prediction[1], 3))
    curve, histogram = _drawn(plots.reliability_plot({"before": before, "after": after}))
    assert _labels(curve)[0] == f"before: ECE {calibration.ece(*prediction):.3f}"
    assert len(_labels(curve)) == 2
    filled = before[before.images > 0]
    _, points, _ = curve.lines
    np.testing.assert_allclose(points.get_xydata(), filled[["confidence", "accuracy"]])
    first = filled.iloc[0]
    low, high = statistics.proportion_interval(round(first.accuracy * first.images), int(first.images))
    assert curve.collections[0].get_segments()[0][:, 1] == pytest.approx([low, high])
    assert histogram.get_xlim()[0] == curve.get_xlim()[0] == min(f.low[f.images > 0].min() for f in (before, after))
    np.testing.assert_array_equal(histogram.patches[0].get_data().values, before.images)


def test_nothing_to_show_is_no_figure():
    assert (
        plots.reliability_plot({}) is plots.risk_coverage_plot({}) is plots.decision_curve_plot(pd.DataFrame()) is None
    )


def test_risk_coverage_names_each_area(prediction):
    labels, p = prediction
    curves = {
        "one": calibration.risk_coverage(labels, p, p[:, 0]),
        "two": calibration.risk_coverage(labels, p, p[:, 1]),
    }
    (cell,) = _drawn(plots.risk_coverage_plot(curves))
    assert _labels(cell) == [f"{name}: area {curve.risk.mean():.3f}" for name, curve in curves.items()]
    np.testing.assert_allclose(cell.lines[1].get_xydata(), curves["two"][["coverage", "risk"]])
    assert cell.get_ylim()[0] == 0


def test_decision_curve_keeps_what_matters_in_sight(prediction):
    labels, p = prediction
    curves = [
        decision_curve.net_benefit(labels == 2, scores, np.linspace(0.01, 0.9, 30), np.arange(120)).assign(model=name)
        for name, scores in (("treat all", np.ones(120)), ("model", p[:, 2]))
    ]
    (cell,) = _drawn(plots.decision_curve_plot(pd.concat(curves)))
    assert _labels(cell) == ["treat none", "treat all", "model"]
    lines = {line.get_label(): line.get_ydata() for line in cell.lines}
    np.testing.assert_allclose(lines["model"], curves[1]["net benefit"])
    low, high = cell.get_ylim()
    assert curves[0]["net benefit"].min() < low < 0 < pd.concat(curves)["95 % high"].max() < high
