"""Figures of notebook 03: confusion matrices (Fig. 2), the example grid (Fig. 1), scores by input."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, grid, show_image, tidy
from lib.two_stage.model import Prediction


def confusion_matrices(matrices: dict[str, pd.DataFrame]) -> Figure:
    """Fig. 2: counts, coloured by the share of the true class, one matrix a title."""
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


def example_grid(data: ImageSet, prediction: Prediction, indices: np.ndarray) -> Figure:
    """Fig. 1: image, predicted mask with predicted label, true mask with true label; a column an image.

    ``prediction`` holds the images of ``data`` in the same order.  Wrong labels are red.
    """
    figure, axes = grid(3, len(indices), 1.6, 1.75)
    for column, index in zip(axes.T, indices, strict=True):
        true, said = data.classes[data.labels[index]], data.classes[prediction.labels[index]]
        show_image(column[0], data.images[index], data.names[index])
        show_image(column[1], prediction.masks[index])
        show_image(column[2], data.masks[index])
        column[1].set_title(said, fontsize=8, color="black" if said == true else "#C00000")
        column[2].set_title(true, fontsize=8)
    for cell, label in zip(axes[:, 0], ("(a) image", "(b) predicted", "(c) ground truth"), strict=True):
        cell.set_ylabel(label, fontsize=9)
    return figure


def accuracy_by_input(rounds: pd.DataFrame, reported: pd.Series | None = None) -> Figure:
    """Test accuracy of each head (a dot) by the input of stage 2, with the printed value (a bar).

    Parameters
    ----------
    rounds : columns ``inputs`` and ``accuracy``, one row a trained head.
    reported : printed accuracy by input, where there is one.
    """
    figure, axes = grid(1, 1, 6.4, 0.6 + 0.5 * rounds.inputs.nunique())
    cell = axes[0, 0]
    order = list(dict.fromkeys(rounds.inputs))
    sns.stripplot(rounds, y="inputs", x="accuracy", order=order, color=CLASS_COLOURS["benign"], alpha=0.7, ax=cell)
    means = rounds.groupby("inputs").accuracy.mean().loc[order]
    cell.plot(means, range(len(order)), "k|", ms=16, mew=2, label="mean")
    if reported is not None:
        known = [(reported[name], row) for row, name in enumerate(order) if name in reported]
        cell.plot(*zip(*known, strict=True), "x", color="#D55E00", ms=8, mew=2, label="printed")
    cell.set(xlabel="test accuracy", ylabel="")
    cell.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    tidy(cell)
    return figure
