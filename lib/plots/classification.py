"""Figures of notebooks 03 and 04: heads' learning curves, confusion matrices (Fig. 2), the example grid (Fig. 1)."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.core.jobs import Result
from lib.data.record import ImageSet
from lib.plots.style import PART_COLOURS, grid, show_image, with_images


def head_curves(heads: Result, kind: int = 0) -> Figure | None:
    """Validation accuracy and loss of each head on one kind of features, kept epochs as dots; None if not trained."""
    if not heads:
        return None
    figure, axes = grid(1, 2, 4.6, 3)
    columns = {"val_accuracy": "validation accuracy", "val_loss": "validation cross-entropy / nats"}
    for cell, (name, label) in zip(axes[0], columns.items(), strict=True):
        values, kept = heads[name][:, kind], heads["kept"][kind]
        epochs = np.arange(1, len(values) + 1)
        cell.plot(epochs, values, color=PART_COLOURS["validation"], lw=1)
        cell.plot(kept + 1, values[kept, np.arange(len(kept))], "o", color="black", ms=5)
        cell.set(xlabel="epoch (dot: kept)", ylabel=label)
        cell.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def confusion_matrices(matrices: dict[str, pd.DataFrame]) -> Figure | None:
    """Fig. 2: counts, coloured by the share of the true class, one matrix per title; None without any."""
    if not matrices:
        return None
    figure, axes = grid(1, len(matrices), 3.6, 3.4)
    for cell, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        share = matrix.div(matrix.sum(axis=1), axis=0).fillna(0)
        sns.heatmap(
            share, annot=matrix, fmt="d", cmap="Blues", vmin=0, vmax=1, square=True, cbar=False, linewidths=1, ax=cell
        )
        right = np.trace(matrix) / matrix.to_numpy().sum()
        cell.set_title(f"{title}: {right:.1%} of {matrix.to_numpy().sum()}", fontsize=10)
        cell.tick_params(length=0)
    return figure


@with_images
def example_grid(data: ImageSet, masks: np.ndarray, predicted: pd.Series) -> Figure | None:
    """Fig. 1: image, predicted mask with predicted label, true mask with true label; one column per image.

    Parameters
    ----------
    masks : of all images of ``data``.
    predicted : label by index of the image; wrong ones are red.  None is returned if there are none.
    """
    if predicted.empty:
        return None
    figure, axes = grid(3, len(predicted), 1.6, 1.75)
    for column, (index, label) in zip(axes.T, predicted.items(), strict=True):
        right = data.labels[index] == label
        show_image(column[0], data.images[index], data.names[index])
        show_image(column[1], masks[index])
        show_image(column[2], data.masks[index])
        column[1].set_title(data.classes[label], fontsize=8, color="black" if right else "#C00000")
        column[2].set_title(data.classes[data.labels[index]], fontsize=8)
    for cell, label in zip(axes[:, 0], ("(a) image", "(b) predicted", "(c) ground truth"), strict=True):
        cell.set_ylabel(label, fontsize=9)
    return figure


def accuracy_by_input(scored: pd.DataFrame, printed: pd.Series) -> Figure | None:
    """Test accuracy of each round (dots) by input and backbone, their mean (bars) and the printed value (crosses).

    Parameters
    ----------
    scored : columns ``inputs``, ``backbone`` and ``accuracy``, one row per round; None without rows.
    printed : accuracy by input.
    """
    if scored.empty:
        return None
    order, names = scored["inputs"].unique(), scored["backbone"].unique()
    figure, axes = grid(1, 1, 7.5, 0.8 + 0.7 * len(order))
    cell = axes[0, 0]
    shared = {"y": "inputs", "x": "accuracy", "hue": "backbone", "order": order, "hue_order": names, "ax": cell}
    dodge = 0.8 - 0.8 / len(names)
    sns.stripplot(scored, **shared, dodge=len(names) > 1, palette="colorblind", size=4, alpha=0.7)
    bars = {"marker": "|", "ms": 11, "mew": 2, "linestyle": "none", "errorbar": None, "legend": False}
    sns.pointplot(scored, **shared, dodge=dodge, palette=["black"] * len(names), **bars)
    cell.plot(printed.reindex(order), np.arange(len(order)), "x", color="black", ms=8, mew=2, label="printed")
    cell.set(xlabel="test accuracy (bar: mean over rounds)", ylabel="")
    cell.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
