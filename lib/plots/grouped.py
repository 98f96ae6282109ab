"""Figures of notebooks 07 and 08: related images side by side, scores with their intervals, activation maps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import ACROSS, BLUE, VERMILION, grid, show_image, with_data


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
def scores_with_intervals(table: pd.DataFrame, names: tuple[str, ...] = ("accuracy", "macro F1")) -> Figure | None:
    """Scores of each model with their 95 % intervals; coloured by the kind of folds, where the index has it.

    Parameters
    ----------
    table : of :func:`lib.experiments.model_comparison.score_table` or
        :func:`lib.experiments.grouped_data.protocol_table`; None without rows.
    """
    figure, axes = grid(1, len(names), 1.2 + 0.24 * len(table))
    models = table.index.unique("model")
    by_folds = table.groupby("protocol", sort=False) if "protocol" in table.index.names else [("", table)]
    for cell, name in zip(axes[0], names, strict=True):
        for number, (folds, part) in enumerate(by_folds):
            rows = models.get_indexer(part.index.get_level_values("model")) + 0.25 * number
            ends = part[[f"{name} low", f"{name} high"]].sub(part[name], axis=0).abs().to_numpy().T
            cell.errorbar(part[name], rows, xerr=ends, fmt="o", color=(BLUE, VERMILION)[number], label=folds)
        cell.set_yticks(range(len(models)), models if cell is axes[0, 0] else [""] * len(models))
        cell.invert_yaxis()
        cell.set_xlabel(name)
        cell.grid(axis="x", alpha=0.3)
    if "protocol" in table.index.names:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@with_data
def activation_maps(data: ImageSet, explained: Mapping[str, Any]) -> Figure | None:
    """One row per image: the image with its true lesion, and the maps of both stages laid over it.

    Parameters
    ----------
    explained : result of :func:`lib.experiments.interpretability.explanation`; None where it is not done.
        The higher a map, the more it covers; 0 leaves the image as it is.
    """
    figure, axes = grid(len(explained["shown"]), 3)
    stages = {"stage_1": "stage 1: mask", "stage_2": "stage 2: class"}
    for number, (row, index) in enumerate(zip(axes, explained["shown"], strict=True)):
        true, predicted = data.classes[data.labels[index]], data.classes[explained["predicted"][number]]
        show_image(row[0], data.images[index], f"{true},\npredicted {predicted}", data.masks[index])
        for cell, (stage, label) in zip(row[1:], stages.items(), strict=True):
            show_image(cell, data.images[index], "" if number else label)
            cam = explained[stage][number].astype(np.float32) / 255
            cell.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
    return figure
