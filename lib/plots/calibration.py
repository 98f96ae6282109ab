"""Figures of probabilities: reliability, risk against coverage, decision curves."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.evaluation import statistics
from lib.plots.style import BLUE, GREEN, GREY, VERMILION, grid, single, with_data


@with_data
def reliability_plot(bins: dict[str, pd.DataFrame]) -> Figure | None:
    """Accuracy against confidence, bin by bin, with Wilson's 95 % intervals; beside it the images of each bin.

    Parameters
    ----------
    bins : of at most two kinds of probabilities, by name, from :func:`lib.evaluation.calibration.reliability`.
        Points below the diagonal are too sure.  Without any there is no figure.
    """
    figure, ((curve, histogram),) = grid(1, 2, 2.7)
    curve.plot([0, 1], [0, 1], ls="--", lw=1, color="black")
    for (name, frame), colour in zip(bins.items(), (VERMILION, BLUE), strict=False):
        filled = frame[frame.images > 0]
        right = (filled.accuracy * filled.images).round().astype(int)
        bounds = np.array([statistics.proportion_interval(*pair) for pair in zip(right, filled.images, strict=True)])
        # Rounding can put a bound 1e-17 on the wrong side of 0 or 1.
        reach = np.maximum([filled.accuracy - bounds[:, 0], bounds[:, 1] - filled.accuracy], 0)
        ece = np.average((filled.accuracy - filled.confidence).abs(), weights=filled.images)
        label = f"{name}: ECE {ece:.3f}"
        curve.errorbar(filled.confidence, filled.accuracy, reach, fmt="o-", ms=4, lw=1.2, color=colour, label=label)
        histogram.stairs(frame.images, [*frame.low, 1], color=colour, fill=True, alpha=0.25)
    # The top probability of k classes is at least 1 / k: below the first filled bin there is nothing to see.
    low = min(frame.low[frame.images > 0].min() for frame in bins.values())
    curve.set(xlabel="confidence", ylabel="accuracy", xlim=(low, 1.01), ylim=(-0.02, 1.02))
    histogram.set(xlabel="confidence", ylabel="images", xlim=(low, 1.01))
    histogram.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@with_data
def risk_coverage_plot(curves: dict[str, pd.DataFrame]) -> Figure | None:
    """Error rate among the surest images against their share, by name of the uncertainty; None without curves.

    The curves are from :func:`lib.evaluation.calibration.risk_coverage`.
    """
    figure, cell = single(3.1)
    for name, curve in curves.items():
        cell.plot(curve.coverage, curve.risk, label=f"{name}: area {curve.risk.mean():.3f}")
    cell.set(xlabel="coverage: share of images, surest first", ylabel="error rate among them", xlim=(0, 1))
    cell.set_ylim(bottom=0)
    cell.legend()
    return figure


@with_data
def decision_curve_plot(frame: pd.DataFrame) -> Figure | None:
    """Net benefit of each ``model`` against the threshold probability, with 95 % intervals; zero is treating none.

    Parameters
    ----------
    frame : from :func:`lib.experiments.clinical_use.decision_curves`; without rows there is no figure.
    """
    figure, cell = single(3.1)
    cell.axhline(0, color="black", lw=1, ls="--", label="treat none")
    for (name, curve), colour in zip(frame.groupby("model", sort=False), (GREY, BLUE, VERMILION, GREEN), strict=False):
        cell.plot(curve.threshold, curve["net benefit"], color=colour, label=name)
        cell.fill_between(curve.threshold, curve["95 % low"], curve["95 % high"], color=colour, alpha=0.12, lw=0)
    # Treating all falls without bound: what matters lies above a little below zero.
    top = max(frame["95 % high"].max(), 0.01)
    cell.set(xlabel="threshold probability", ylabel="net benefit", ylim=(-0.15 * top, 1.08 * top))
    figure.legend(loc="outside lower center", ncols=2)
    return figure
