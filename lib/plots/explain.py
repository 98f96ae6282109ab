"""Figures of what the models look at."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lib.plots.style import PREDICTED, draw_contour, grid, show_image

_COLUMNS = 6


def cam_grid(images: np.ndarray, maps: np.ndarray, titles: Sequence[str], masks: np.ndarray | None = None) -> Figure:
    """Images with their activation maps laid over them, up to six in a row.

    Parameters
    ----------
    images : (n, height, width, 1) in [0, 1], n ≥ 1.
    maps : (n, height, width) in [0, 1]; the higher, the more they cover, and 0 leaves the image as it is.
    titles : one an image.
    masks : (n, height, width, 1) in [0, 1], whose borders are drawn; or None.

    Raises
    ------
    ValueError
        If there are no images, or not as many maps, titles and masks.
    """
    if len(images) == 0:
        raise ValueError("no images to show")
    columns = min(_COLUMNS, len(images))
    figure, axes = grid(-(-len(images) // columns), columns, 2.0, 2.2)
    for cell in axes.flat[len(images) :]:
        cell.axis("off")
    borders = [None] * len(images) if masks is None else masks
    shown = axes.flat[: len(images)]
    for cell, image, cam, title, mask in zip(shown, images, maps, titles, borders, strict=True):
        show_image(cell, image, title)
        cell.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * cam)
        if mask is not None:
            draw_contour(cell, mask, PREDICTED)
    return figure
