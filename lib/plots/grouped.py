"""Figures of notebooks 07 and 08: related images, scores with their intervals, probabilities, activation maps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from lib.data.record import ImageSet
from lib.evaluation import statistics
from lib.experiments.classifiers import AS_PRINTED, MC_DROPOUT
from lib.experiments.model_comparison import ENSEMBLE, GREEDY
from lib.plots.style import ACROSS, BLUE, GREEN, GREY, VERMILION, grid, show_image, single, with_data

# Families of models by how their names begin, in the order of the figure.
_FAMILIES = {
    "image alone": ("image, ",),
    "mask as printed": (AS_PRINTED,),
    "mask of the ImageNet encoder": ("image + mask, ",),
    "head on the image, varied": ("image and mirror image", "class-weighted head", MC_DROPOUT),
    "logistic regression on features": ("pooled features", "lesion crops", "stage-1 maps", "mask descriptors"),
    "fine-tuned": ("fine-tuned",),
    "ensemble": (ENSEMBLE, GREEDY),
}


@with_data
def image_pairs(data: ImageSet, pairs: pd.DataFrame) -> Figure | None:
    """Pairs of related images, one above the other, at most four; columns ``first``, ``second``, ``correlation``."""
    shown = pairs.head(ACROSS)
    figure, axes = grid(2, len(shown))
    for column, pair in zip(axes.T, shown.itertuples(), strict=True):
        for cell, index in zip(column, (pair.first, pair.second), strict=True):
            show_image(cell, data.images[index], data.names[index])
        column[1].set_xlabel(f"correlation {pair.correlation:.2f}", fontsize=8)
    return figure


@with_data
def scores_with_intervals(
    table: pd.DataFrame, references: pd.DataFrame, names: tuple[str, ...] = ("accuracy", "macro F1")
) -> Figure | None:
    """Scores of each model with their 95 % intervals, coloured by the kind of folds or, without it, by family.

    Parameters
    ----------
    table : of :func:`lib.experiments.model_comparison.score_table` or
        :func:`lib.experiments.grouped_data.protocol_table`; None without rows.
    references : of :func:`lib.experiments.model_comparison.references`, drawn as lines.
    """
    by_folds = "protocol" in table.index.names
    kinds = table.index.get_level_values("protocol") if by_folds else table.index.map(_family)
    parts = {kind: table[kinds == kind] for kind in (kinds.unique() if by_folds else _FAMILIES)}
    models = pd.concat(parts.values()).index.unique("model")
    figure, axes = grid(1, len(names), 1.9 + 0.24 * len(table))
    for cell, name in zip(axes[0], names, strict=True):
        for number, (kind, part) in enumerate((kind, part) for kind, part in parts.items() if len(part)):
            rows = models.get_indexer(part.index.get_level_values("model")) + 0.25 * number * by_folds
            ends = part[[f"{name} low", f"{name} high"]].sub(part[name], axis=0).abs().to_numpy().T
            cell.errorbar(part[name], rows, xerr=ends, fmt="o", ms=4, label=kind)
        for (label, value), style in zip(references[name].items(), ("--", "-.", ":"), strict=True):
            cell.axvline(value, color="black", lw=1, ls=style, label=label)
        cell.xaxis.set_major_locator(MultipleLocator(0.1))
        cell.set_xlim(left=table[f"{name} low"].min() - 0.12)  # a line further left only squeezes the rest
        cell.set_yticks(range(len(models)), models if cell is axes[0, 0] else [""] * len(models))
        cell.invert_yaxis()
        cell.set_xlabel(name)
        cell.grid(axis="x", alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _family(model: str) -> str:
    return next(family for family, starts in _FAMILIES.items() if model.startswith(starts))


@with_data
def activation_maps(data: ImageSet, explained: Mapping[str, Any]) -> Figure | None:
    """One row per image: the image with its true lesion, and the maps of both stages laid over it.

    Parameters
    ----------
    explained : result of :func:`lib.experiments.interpretability.explanation`; None where it is not done.
        The higher a map, the more it covers; 0 leaves the image as it is.
    """
    figure, axes = grid(len(explained["shown"]), 3)
    stages = {"stage_1": "stage 1: mask\n(yellow: strongest)", "stage_2": "stage 2: class"}
    for number, (row, index) in enumerate(zip(axes, explained["shown"], strict=True)):
        true, predicted = data.classes[data.labels[index]], data.classes[explained["predicted"][number]]
        show_image(row[0], data.images[index], f"{true},\npredicted {predicted}", data.masks[index])
        for cell, (stage, label) in zip(row[1:], stages.items(), strict=True):
            show_image(cell, data.images[index], "" if number else label)
            cam = explained[stage][number].astype(np.float32) / 255
            cell.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
    return figure


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
        ends = statistics.proportion_interval((filled.accuracy * filled.images).round(), filled.images)
        ece = np.average((filled.accuracy - filled.confidence).abs(), weights=filled.images)
        label = f"{name}: ECE {ece:.3f}"
        curve.vlines(filled.confidence, *ends, color=colour, lw=1.2)
        curve.plot(filled.confidence, filled.accuracy, "o-", ms=4, lw=1.2, color=colour, label=label)
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
