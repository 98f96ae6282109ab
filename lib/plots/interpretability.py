"""What both stages look at: activation maps over single images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lib.data.record import ImageSet
from lib.plots.style import TRUE, draw_contour, grid, show_image, with_images


@with_images
def activation_maps(data: ImageSet, explained: Mapping[str, Any]) -> Figure | None:
    """One column per image: the image with its true lesion, and the maps of both stages laid over it.

    Parameters
    ----------
    explained : result of :func:`lib.experiments.interpretability.explanation`; None where it is not done.
        The higher a map, the more it covers; 0 leaves the image as it is.
    """
    if not explained:
        return None
    shown = explained["shown"]
    figure, axes = grid(3, len(shown), 1.9, 2.0)
    for number, (column, index) in enumerate(zip(axes.T, shown, strict=True)):
        true, predicted = data.classes[data.labels[index]], data.classes[explained["predicted"][number]]
        show_image(column[0], data.images[index], f"{true},\npredicted {predicted}")
        draw_contour(column[0], data.masks[index], TRUE)
        for cell, stage in zip(column[1:], ("stage_1", "stage_2"), strict=True):
            show_image(cell, data.images[index])
            cam = explained[stage][number].astype(np.float32) / 255
            cell.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
    for cell, label in zip(axes[:, 0], ("image", "stage 1: mask", "stage 2: class"), strict=True):
        cell.set_ylabel(label, fontsize=9)
    return figure
