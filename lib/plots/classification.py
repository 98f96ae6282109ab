"""Figures of notebook 03: heads' learning curves, confusion matrices (Fig. 2), examples (Fig. 1), one image closely."""

from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.core import words
from lib.core.jobs import Result
from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, PART_COLOURS, draw_borders, draw_contour, grid, show_image, with_data


@with_data
def head_curves(heads: Result, kind: int = 0) -> Figure | None:
    """Validation accuracy and loss of each head on one kind of features, kept epochs as dots; None if not trained."""
    figure, axes = grid(1, 2, 2.4)
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
    figure, axes = grid(1, len(matrices), 2.6)
    for cell, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        share = matrix.div(matrix.sum(axis=1), axis=0).fillna(0)
        look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "square": True, "cbar": False, "linewidths": 1}
        sns.heatmap(share, annot=matrix, fmt="d", ax=cell, **look)
        n = matrix.to_numpy().sum()
        cell.set_title(f"{title}: {words.number(np.trace(matrix) / n, '.1%')} of {n}")
        cell.tick_params(length=0)
    return figure


@with_data
def predicted_classes(data: ImageSet, unet: Result, predicted: pd.Series) -> Figure | None:
    """Fig. 1: images with their true and predicted border and class, four in a row.

    Parameters
    ----------
    unet : a result of :func:`lib.two_stage.segmentation.segmenter`, with masks of all images of ``data``.
    predicted : label by index of the image; wrong ones are red.  None is returned if there are none.
    """
    titles = {index: f"{data.names[index]}\npredicted {data.classes[label]}" for index, label in predicted.items()}
    wrong = predicted.index[predicted != data.labels[predicted.index]]
    return draw_borders(data, unet, titles, wrong)


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
    figure, (cells,) = grid(1, 3, 2.1)
    show_image(cells[0], image, f"{probabilities.name}\ncontour: {words.number((mask >= threshold).mean(), '.1%')}")
    draw_contour(cells[0], mask, colour, threshold)
    show_image(cells[1], image, f"what speaks for\n{probabilities.idxmax()}")
    cells[1].imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
    names = probabilities.index
    bars = cells[2].barh(names, probabilities, color=names.map(CLASS_COLOURS))
    cells[2].bar_label(bars, fmt=partial(words.number, form=".1%"), padding=3)
    cells[2].set(xlabel="probability", xlim=(0, 1.25), xticks=(0, 0.5, 1))
    cells[2].invert_yaxis()
    return figure
