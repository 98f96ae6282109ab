"""What the figures share: colours of the classes and parts, pictures of images with contours."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision.
CLASS_COLOURS = {"normal": "#009E73", "benign": "#0072B2", "malignant": "#D55E00"}
PART_COLOURS = {"train": "#999999", "validation": "#56B4E9", "test": "#E69F00"}
TRUE, PREDICTED = "#F0E442", "#CC79A7"


def grid(rows: int, columns: int, width: float = 2.0, height: float = 2.0) -> tuple[Figure, np.ndarray]:
    """A figure of ``rows`` × ``columns`` axes (always a 2-d array), sizes an axes in inches."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_image(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """Draw a gray image (height, width, 1) in [0, 1] without ticks."""
    axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(title, fontsize=8)


def draw_contour(axes: Axes, mask: np.ndarray, colour: str, threshold: float = 0.5) -> None:
    """Draw the border of a mask (height, width, 1) in [0, 1]; nothing where it has none."""
    above = mask[..., 0] >= threshold
    if above.any() and not above.all():
        axes.contour(mask[..., 0], levels=[threshold], colors=[colour], linewidths=1.2)


def tidy(axes: Axes) -> None:
    """Leave only the two spines that carry scales."""
    axes.spines[["top", "right"]].set_visible(False)
