"""Figures of notebook 01: the data as they are."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import CLASS_COLOURS, PART_COLOURS, TRUE, draw_contour, grid, show_image, tidy, with_images


@with_images
def examples(data: ImageSet, per_class: int = 6, seed: int = 0) -> Figure:
    """Random images of each class, one row each, with the border of the ground-truth mask."""
    generator = np.random.default_rng(seed)
    figure, axes = grid(len(data.classes), per_class, 1.7, 1.85)
    for label, row in enumerate(axes):
        members = generator.permutation(np.flatnonzero(data.labels == label))
        for cell, index in zip(row, members, strict=False):
            show_image(cell, data.images[index], data.names[index])
            draw_contour(cell, data.masks[index], TRUE)
        for cell in row[len(members) :]:
            cell.axis("off")
    return figure


@with_images
def several_masks(data: ImageSet, first: ImageSet, most: int = 6) -> Figure:
    """Images with several masks: the union above, below it what only the first mask file holds."""
    indices = np.flatnonzero(data.n_masks > 1)[:most]
    figure, axes = grid(2, max(len(indices), 1), 1.9, 2.0)
    for column, index in zip(axes.T, indices, strict=False):
        for cell, source in zip(column, (data, first), strict=True):
            show_image(cell, source.images[index])
            draw_contour(cell, source.masks[index], TRUE)
        column[0].set_title(data.names[index], fontsize=8)
    axes[0, 0].set_ylabel("union")
    axes[1, 0].set_ylabel("first only")
    if len(indices) == 0:
        figure.suptitle("no image has several masks")
    return figure


def sizes(data: ImageSet, side: int) -> Figure:
    """Original width against height in pixels, coloured by class, and the square of ``side`` pixels all become."""
    figure, axes = grid(1, 1, 5.5, 4)
    cell = axes[0, 0]
    frame = pd.DataFrame({"width": data.sizes[:, 1], "height": data.sizes[:, 0]})
    frame["class"] = np.array(data.classes)[data.labels]
    sns.scatterplot(frame, x="width", y="height", hue="class", palette=CLASS_COLOURS, s=14, alpha=0.6, ax=cell)
    cell.plot([0, side, side, 0, 0], [0, 0, side, side, 0], color="black", lw=1, label=f"{side} × {side}")
    limit = max(data.sizes.max() * 1.05, side * 1.2)
    cell.set(xlabel="width / pixels", ylabel="height / pixels", xlim=(0, limit), ylim=(0, limit), aspect="equal")
    cell.legend(fontsize=8)
    tidy(cell)
    return figure


def mask_areas(areas: pd.DataFrame) -> Figure | None:
    """Share of the image that a lesion covers: columns ``area`` in [0, 1] and ``class``; None without areas."""
    if areas.empty:
        return None
    figure, axes = grid(1, 1, 5.5, 3)
    cell = axes[0, 0]
    frame = areas[areas.area > 0].assign(area=100 * areas.area)
    order = [name for name in CLASS_COLOURS if (frame["class"] == name).any()]
    sns.histplot(
        frame,
        x="area",
        hue="class",
        hue_order=order,
        palette=CLASS_COLOURS,
        bins=24,
        stat="density",
        common_norm=False,
        element="step",
        alpha=0.25,
        ax=cell,
    )
    cell.set(xlabel="lesion / % of the image", ylabel="density")
    tidy(cell)
    return figure


def split_counts(counts: pd.DataFrame) -> Figure:
    """Images of each class (index) in each part (columns) of a split, as stacked shares with counts."""
    figure, axes = grid(1, 1, 6, 2.4)
    cell = axes[0, 0]
    shares = counts.div(counts.sum(axis=1), axis=0) * 100
    left = np.zeros(len(counts))
    for part in counts.columns:
        bars = cell.barh(counts.index, shares[part], left=left, color=PART_COLOURS[part], label=part)
        cell.bar_label(bars, counts[part].astype(str), label_type="center", fontsize=9)
        left += shares[part].to_numpy()
    cell.set(xlabel="share of the class / %", xlim=(0, 100))
    cell.invert_yaxis()
    cell.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize=9)
    tidy(cell)
    return figure


@with_images
def resizing(data: ImageSet, other: ImageSet, index: int, names: tuple[str, str]) -> Figure:
    """One image resized in two ways, with its mask and a histogram of the mask's soft values."""
    figure, axes = grid(3, 2, 2.4, 2.2)
    for column, name, version in zip(axes.T, names, (data, other), strict=True):
        image, mask = version.images[index], version.masks[index]
        show_image(column[0], image, name)
        show_image(column[1], mask)
        column[2].hist(mask[(mask > 0) & (mask < 1)], bins=np.linspace(0, 1, 21), color="#999999")
        column[2].set(xlabel="soft mask values", xlim=(0, 1))
        tidy(column[2])
    for cell, label in zip(axes[:, 0], ("image", "mask", "pixels"), strict=True):
        cell.set_ylabel(label)
    return figure
