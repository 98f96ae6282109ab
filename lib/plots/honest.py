"""Figures of notebook 07: related images side by side, scores with their intervals."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, grid, show_image, tidy

_ACROSS = 6


def image_pairs(data: ImageSet, pairs: np.ndarray) -> Figure:
    """Pairs of images, indices (m, 2), one above the other, at most :data:`_ACROSS` pairs side by side."""
    across = min(len(pairs), _ACROSS)
    figure, axes = grid(2 * -(-len(pairs) // across), across, 1.7, 1.8)
    for cell in axes.flat:
        cell.set_axis_off()
    for number, pair in enumerate(pairs):
        row, column = divmod(number, across)
        for cell, index in zip(axes[2 * row : 2 * row + 2, column], pair, strict=True):
            cell.set_axis_on()
            show_image(cell, data.images[index], data.names[index])
    return figure


def scores_with_intervals(table: pd.DataFrame, names: tuple[str, ...] = ("accuracy", "macro F1")) -> Figure:
    """Scores of each row with their 95 % intervals; columns ``<name>``, ``<name> low``, ``<name> high``."""
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
