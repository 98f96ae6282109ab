"""Figures of notebooks 07 and 08: related images side by side, scores and differences with their intervals."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, grid, show_image, tidy, with_images

_ACROSS = 6
_COLOURS = (CLASS_COLOURS["malignant"], CLASS_COLOURS["benign"])


@with_images
def image_pairs(data: ImageSet, pairs: pd.DataFrame) -> Figure | None:
    """Pairs of related images, one above the other, at most six; columns ``first``, ``second``, ``correlation``."""
    if pairs.empty:
        return None
    shown = pairs.head(_ACROSS)
    figure, axes = grid(2, len(shown), 1.8, 1.9)
    for column, pair in zip(axes.T, shown.itertuples(), strict=True):
        for cell, index in zip(column, (pair.first, pair.second), strict=True):
            show_image(cell, data.images[index], data.names[index])
        column[1].set_xlabel(f"correlation {pair.correlation:.2f}", fontsize=8)
    return figure


def scores_with_intervals(table: pd.DataFrame, names: tuple[str, ...] = ("accuracy", "macro F1")) -> Figure | None:
    """Scores of each row with their 95 % intervals; columns ``<name>``, ``<name> low``, ``<name> high``.

    None without rows.
    """
    if table.empty:
        return None
    figure, axes = grid(1, len(names), 4.2, 0.9 + 0.28 * len(table))
    rows = np.arange(len(table))[::-1]
    for cell, name in zip(axes[0], names, strict=True):
        low, high = table[name] - table[f"{name} low"], table[f"{name} high"] - table[name]
        cell.errorbar(table[name], rows, xerr=[low, high], fmt="o", color=CLASS_COLOURS["benign"], ms=5, capsize=2)
        cell.set_yticks(rows, table.index if cell is axes[0, 0] else [""] * len(rows), fontsize=8)
        cell.set_xlabel(f"{name}, out of fold")
        cell.grid(axis="x", alpha=0.3)
        tidy(cell)
    return figure


def both_protocols(table: pd.DataFrame, name: str = "accuracy") -> Figure | None:
    """One score of each model under random and under grouped folds, with 95 % intervals.

    Parameters
    ----------
    table : index ``folds`` and ``model``, as :func:`lib.experiments.grouped_data.protocol_table` makes it;
        without rows there is no figure.
    """
    if table.empty:
        return None
    models = list(dict.fromkeys(table.index.get_level_values("model")))[::-1]
    figure, axes = grid(1, 1, 6.6, 1.2 + 0.5 * len(models))
    cell = axes[0, 0]
    for number, (folds, part) in enumerate(table.groupby(level="folds", sort=False)):
        rows = [models.index(model) + 0.13 - 0.26 * number for model in part.index.get_level_values("model")]
        low, high = part[name] - part[f"{name} low"], part[f"{name} high"] - part[name]
        colour = _COLOURS[number % 2]
        cell.errorbar(
            part[name], rows, xerr=[low, high], fmt="os"[number % 2 :][:1], color=colour, capsize=2, label=folds
        )
    cell.set_yticks(range(len(models)), models, fontsize=8)
    cell.set(xlabel=f"{name}, out of fold", ylim=(-0.6, len(models) - 0.4))
    cell.legend(fontsize=8, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    cell.grid(axis="x", alpha=0.3)
    tidy(cell)
    return figure
