"""Figures of notebooks 02 and 03: learning curves, masks (Fig. 1), confusion matrices (Fig. 2), one image closely."""

from collections.abc import Collection
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from lib.core import words
from lib.core.jobs import Result
from lib.core.store import unpack_masks
from lib.data.record import ImageSet
from lib.plots.style import ACROSS, CLASS_COLOURS, PART_COLOURS, draw_contour, grid, show_image, single, with_data


@with_data
def learning_curves(histories: pd.DataFrame, printed: float) -> Figure | None:
    """Training (gray) and validation cross-entropy of each round, kept epochs as dots, and the printed mean.

    Losses above 1, of early epochs, are cut off.

    ``histories``: columns ``round``, ``epoch``, ``bce``, ``val_bce``, ``kept``; None without rows.
    """
    figure, cell = single(3.1)
    for _, history in histories.groupby("round"):
        kept = history[history["kept"].astype(bool)]
        cell.plot(history["epoch"], history["bce"], color=PART_COLOURS["train"], lw=0.8)
        cell.plot(history["epoch"], history["val_bce"], color=PART_COLOURS["validation"], lw=0.8)
        cell.plot(kept["epoch"], kept["val_bce"], "o", color="black", ms=4)
    cell.axhline(printed, ls="--", lw=1, color="black")
    cell.set(xlabel="epoch", ylabel="cross-entropy / nats per pixel", yscale="log")
    cell.set_ylim(top=1)
    cell.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter=NullFormatter())
    cell.legend([*cell.lines[:3], cell.lines[-1]], ["training", "validation", "kept epoch", "printed mean"])
    return figure


@with_data
def dice_distribution(scores: pd.DataFrame) -> Figure | None:
    """Dice of each lesion image: columns ``dice``, ``class`` and ``part`` of the scores; None without scores."""
    figure, cell = single(3.1)
    order = [name for name in CLASS_COLOURS if (scores["class"] == name).any()]
    shared = {"x": "part", "y": "dice", "hue": "class", "hue_order": order, "palette": CLASS_COLOURS, "ax": cell}
    sns.boxplot(scores, **shared, fliersize=0, linewidth=1, fill=False, legend=False, gap=0.15)
    sns.stripplot(scores, **shared, dodge=True, size=2.5, alpha=0.6)
    cell.set(ylim=(-0.03, 1.03), xlabel="", ylabel="Dice of an image")
    cell.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3, markerscale=3)
    return figure


@with_data
def masks(data: ImageSet, unet: Result, texts: pd.Series, wrong: Collection[int] = ()) -> Figure | None:
    """Images with the true border (yellow) and the predicted one (pink), four in a row; None without any.

    Parameters
    ----------
    unet : a result of :func:`lib.two_stage.segmentation.segmenter`, with masks of all images of ``data``.
    texts : below the name, by index of the image; those that are ``wrong`` are red.
    """
    predicted = unpack_masks(unet["masks"])
    figure, axes = grid(-(-len(texts) // ACROSS), ACROSS)
    for cell in axes.flat[len(texts) :]:
        cell.axis("off")
    for cell, (index, text) in zip(axes.flat, texts.items(), strict=False):
        show_image(cell, data.images[index], f"{data.names[index]}\n{text}", data.masks[index], predicted[index])
        cell.title.set_color("#C00000" if index in wrong else "black")
    return figure


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
