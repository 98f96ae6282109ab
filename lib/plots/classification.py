"""Figures of notebook 03: heads' learning curves, confusion matrices (Fig. 2), examples (Fig. 1), one image closely."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.core.jobs import Result
from lib.core.store import unpack_masks
from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, PART_COLOURS, draw_contour, grid, show_image, with_data


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


@with_data
def confusion_matrices(matrices: dict[str, pd.DataFrame]) -> Figure | None:
    """Fig. 2: counts, coloured by the share of the true class, one matrix per title; None without any."""
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


@with_data
def example_grid(data: ImageSet, unet: Result, predicted: pd.Series) -> Figure | None:
    """Fig. 1: image, predicted mask with predicted label, true mask with true label; one column per image.

    Parameters
    ----------
    unet : a result of :func:`lib.two_stage.segmentation.segmenter`, with masks of all images of ``data``.
    predicted : label by index of the image; wrong ones are red.  None is returned if there are none.
    """
    if predicted.empty or not unet:
        return None
    masks = unpack_masks(unet["masks"])
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


def one_image(
    image: np.ndarray, mask: np.ndarray, colour: str, threshold: float, cam: np.ndarray, probabilities: pd.Series
) -> Figure:
    """An image with the contour of its mask at ``threshold``, its activation map, and the class probabilities.

    Parameters
    ----------
    image, mask : (height, width, 1) in [0, 1]; ``colour`` is that of the contour.
    cam : (height, width) in [0, 1]; the higher, the more it covers.
    probabilities : by class; the name of the series is the title.
    """
    figure, (cells,) = grid(1, 3, 2.6, 2.5)
    show_image(cells[0], image, f"{probabilities.name}\n{(mask >= threshold).mean():.1%} inside the contour")
    draw_contour(cells[0], mask, colour, threshold)
    show_image(cells[1], image, f"what speaks for\n{probabilities.idxmax()}")
    cells[1].imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
    bars = cells[2].barh(
        probabilities.index, probabilities, color=[CLASS_COLOURS[name] for name in probabilities.index]
    )
    cells[2].bar_label(bars, fmt="{:.1%}", padding=3)
    cells[2].set(xlabel="probability", xlim=(0, 1.25), xticks=(0, 0.5, 1))
    cells[2].invert_yaxis()
    return figure
