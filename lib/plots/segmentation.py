"""Figures of notebook 02: the training of stage 1 and the masks that it predicts."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.core.jobs import Result
from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, PART_COLOURS, draw_borders, single, with_data


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
    cell.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
    return figure


@with_data
def masks(data: ImageSet, unet: Result, dice: pd.Series) -> Figure | None:
    """Images with the true border (yellow) and the predicted one (pink), four in a row; None without any.

    Parameters
    ----------
    unet : a result of :func:`lib.two_stage.segmentation.segmenter`, with masks of all images of ``data``.
    dice : by index of the image.
    """
    titles = {index: f"{data.names[index]}\nDice {value:.2f}" for index, value in dice.items()}
    return draw_borders(data, unet, titles)
