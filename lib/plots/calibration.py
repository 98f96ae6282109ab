"""Figures of probabilities: reliability, risk against coverage, decision curves."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.evaluation import statistics
from lib.plots.style import grid, tidy

BEFORE, AFTER = "#D55E00", "#0072B2"
# The rest of Okabe and Ito's palette follows, for figures with more lines.
LINES = (AFTER, BEFORE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def reliability_plot(bins: dict[str, pd.DataFrame]) -> Figure | None:
    """Accuracy against confidence, bin by bin, with Wilson's 95 % intervals; beside it the images of each bin.

    Parameters
    ----------
    bins : of at most two kinds of probabilities, by name, from :func:`lib.evaluation.calibration.reliability`.
        Points below the diagonal are too sure.  Without any there is no figure.
    """
    if not bins:
        return None
    figure, axes = grid(1, 2, 4.0, 3.6)
    curve, histogram = axes[0]
    curve.plot([0, 1], [0, 1], ls="--", lw=1, color="black")
    for (name, frame), colour, marker in zip(bins.items(), (BEFORE, AFTER), "os", strict=False):
        filled = frame[frame.images > 0]
        right = (filled.accuracy * filled.images).round().astype(int)
        bounds = np.array([statistics.proportion_interval(*pair) for pair in zip(right, filled.images, strict=True)])
        # Rounding can put a bound 1e-17 on the wrong side of 0 or 1.
        reach = np.maximum([filled.accuracy - bounds[:, 0], bounds[:, 1] - filled.accuracy], 0)
        ece = np.average((filled.accuracy - filled.confidence).abs(), weights=filled.images)
        style = {"fmt": f"{marker}-", "color": colour, "ms": 4, "lw": 1.2, "elinewidth": 0.8}
        curve.errorbar(filled.confidence, filled.accuracy, reach, **style, label=f"{name}: ECE {ece:.3f}")
        edges = [*frame.low, frame.high.iloc[-1]]
        histogram.stairs(frame.images, edges, color=colour, fill=True, alpha=0.25)
        histogram.stairs(frame.images, edges, color=colour, label=name)
    # The top probability of k classes is at least 1 / k: below the first filled bin there is nothing to see.
    low = min(frame.low[frame.images > 0].min() for frame in bins.values())
    curve.set(xlabel="confidence", ylabel="accuracy", xlim=(low, 1.01), ylim=(-0.02, 1.02))
    histogram.set(xlabel="confidence", ylabel="images", xlim=(low, 1.01))
    curve.legend(fontsize=8, frameon=False, ncols=1, loc="lower center", bbox_to_anchor=(0.5, 1))
    histogram.yaxis.set_major_locator(MaxNLocator(integer=True))
    for cell in (curve, histogram):
        tidy(cell)
    return figure


def risk_coverage_plot(curves: dict[str, pd.DataFrame]) -> Figure | None:
    """Error rate among the surest images against their share, by name of the uncertainty; None without curves.

    The curves are from :func:`lib.evaluation.calibration.risk_coverage`.
    """
    if not curves:
        return None
    figure, axes = grid(1, 1, 5.5, 3.4)
    cell = axes[0, 0]
    for index, (name, curve) in enumerate(curves.items()):
        label = f"{name}: area {curve.risk.mean():.3f}"
        cell.plot(curve.coverage, curve.risk, lw=1.5, color=LINES[index % len(LINES)], label=label)
    cell.set(xlabel="coverage: share of images, surest first", ylabel="error rate among them", xlim=(0, 1))
    cell.set_ylim(bottom=0)
    cell.legend(fontsize=8, frameon=False)
    tidy(cell)
    return figure


def decision_curve_plot(frame: pd.DataFrame) -> Figure | None:
    """Net benefit against the threshold probability, with treating all and none as references.

    Parameters
    ----------
    frame : from :func:`lib.evaluation.decision_curve.net_benefit`; each further column is the net benefit of
        another model.  Without rows there is no figure.
    """
    if frame.empty:
        return None
    figure, axes = grid(1, 1, 5.5, 3.4)
    cell = axes[0, 0]
    cell.plot(frame.threshold, frame["treat all"], color="#999999", lw=1.2, label="treat all")
    cell.plot(frame.threshold, frame["treat none"], color="black", lw=1, ls="--", label="treat none")
    models = [column for column in frame if column not in ("threshold", "treat all", "treat none")]
    for index, name in enumerate(models):
        cell.plot(frame.threshold, frame[name], lw=1.6, color=LINES[index % len(LINES)], label=name)
    # Treating all falls without bound: what matters lies above a little below zero.
    top = max(frame[[*models, "treat all"]].to_numpy().max(), 0.01)
    cell.set(xlabel="threshold probability", ylabel="net benefit", ylim=(-0.15 * top, 1.08 * top))
    cell.legend(fontsize=8, frameon=False)
    tidy(cell)
    return figure
