"""Figures of notebooks 07 and 08: related images side by side, scores with their intervals."""

import pandas as pd
import seaborn.objects as so
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import BLUE, VERMILION, grid, show_image, with_images

_ACROSS = 6


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
    """Scores of each model with their 95 % intervals; coloured by the kind of folds, where the index has it.

    Parameters
    ----------
    table : of :func:`lib.experiments.model_comparison.score_table` or
        :func:`lib.experiments.grouped_data.protocol_table`; None without rows.
    """
    if table.empty:
        return None
    figure, axes = grid(1, len(names), 4.4, 1.2 + 0.28 * len(table))
    long = table.reset_index()
    colour = {"color": "folds"} if "folds" in long else {}
    for cell, name in zip(axes[0], names, strict=True):
        plot = so.Plot(long, y="model", x=name, xmin=f"{name} low", xmax=f"{name} high", **colour)
        plot = plot.add(so.Dot(pointsize=5), so.Dodge()).add(so.Range(), so.Dodge()).scale(color=[VERMILION, BLUE])
        plot.label(x=f"{name}, out of fold", y="").on(cell).plot()
        cell.grid(axis="x", alpha=0.3)
    for cell in axes[0, 1:]:
        cell.tick_params(labelleft=False)
    return figure
