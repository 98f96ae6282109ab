"""Figures of notebook 01: the data as they are."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.data.record import ImageSet
from lib.plots.style import ACROSS, CLASS_COLOURS, GREY, PART_COLOURS, grid, show_image, single, with_data


@with_data
def examples(data: ImageSet, seed: int = 0) -> Figure:
    """Random images of each class, one row per class, with the border of the ground-truth mask."""
    generator = np.random.default_rng(seed)
    figure, axes = grid(len(data.classes), ACROSS)
    for label, row in enumerate(axes):
        members = generator.permutation(np.flatnonzero(data.labels == label))
        for cell, index in zip(row, members, strict=False):
            show_image(cell, data.images[index], data.names[index], data.masks[index])
    return figure


@with_data
def several_masks(data: ImageSet, first: ImageSet) -> Figure | None:
    """Images with several masks: the union above, below it what only the first mask file holds; None without any."""
    indices = np.flatnonzero(data.n_masks > 1)[:ACROSS]
    if len(indices) == 0:
        return None
    figure, axes = grid(2, len(indices))
    for row, source, label in zip(axes, (data, first), ("union", "first only"), strict=True):
        row[0].set_ylabel(label)
        for cell, index in zip(row, indices, strict=True):
            show_image(cell, source.images[index], data.names[index], source.masks[index])
    return figure


def sizes(data: ImageSet, side: int) -> Figure:
    """Original width against height in pixels, coloured by class, and the square of ``side`` pixels all become."""
    figure, cell = single(3.6)
    order = np.random.default_rng(0).permutation(len(data))  # so that no class lies on top of the others
    height, width = data.sizes[order].T
    classes = np.array(data.classes)[data.labels[order]]
    sns.scatterplot(x=width, y=height, hue=classes, palette=CLASS_COLOURS, s=14, alpha=0.6, ax=cell)
    cell.plot([0, side, side, 0, 0], [0, 0, side, side, 0], color="black", lw=1, label=f"{side} × {side}")
    limit = max(data.sizes.max() * 1.05, side * 1.2)
    cell.set(xlabel="width / pixels", ylabel="height / pixels", xlim=(0, limit), ylim=(0, limit), aspect="equal")
    cell.legend()
    return figure


@with_data
def mask_areas(areas: pd.DataFrame) -> Figure | None:
    """Share of the image that a lesion covers: columns ``area`` in [0, 1] and ``class``; None without areas."""
    figure, cell = single(2.8)
    style = {"palette": CLASS_COLOURS, "hue_order": ["benign", "malignant"], "element": "step", "alpha": 0.25}
    lesions = areas[areas.area > 0]
    sns.histplot(lesions, x="area", hue="class", bins=24, stat="density", common_norm=False, ax=cell, **style)
    cell.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    cell.set(xlabel="share of the image that is lesion", ylabel="density")
    return figure


def split_counts(counts: pd.DataFrame) -> Figure:
    """Images of each class (index) in each part (columns) of a split, as stacked shares with counts."""
    figure, cell = single(2.2)
    shares = counts.div(counts.sum(axis=1), axis=0)
    shares.plot.barh(stacked=True, width=0.8, color=PART_COLOURS, ax=cell)
    for bars, part in zip(cell.containers, counts, strict=True):
        cell.bar_label(bars, counts[part].astype(str), label_type="center")  # type: ignore[arg-type]
    cell.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    cell.set(xlabel="share of the class", ylabel="", xlim=(0, 1))
    cell.invert_yaxis()
    cell.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


@with_data
def resizing(data: ImageSet, other: ImageSet, index: int, names: tuple[str, str]) -> Figure:
    """One image resized in two ways, with its mask, and a histogram of the soft values of all masks."""
    figure, axes = grid(3, 2, 2.2)
    axes[2, 1].sharey(axes[2, 0])
    for column, name, version in zip(axes.T, names, (data, other), strict=True):
        show_image(column[0], version.images[index], name)
        show_image(column[1], version.masks[index])
        soft = version.masks[(version.masks > 0) & (version.masks < 1)]
        column[2].hist(soft, bins=np.linspace(0, 1, 21), color=GREY)
        column[2].set(xlabel="soft mask values", xlim=(0, 1))
    for cell, label in zip(axes[:, 0], ("image", "mask", "pixels of all images"), strict=True):
        cell.set_ylabel(label)
    return figure
