"""The style of all figures: colours, sizes of letters, images with contours, labels that hide nothing."""

from collections.abc import Callable, Sequence, Sized
from functools import wraps
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from lib.core.jobs import Result
from lib.data.record import ImageSet

# Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW, GREY = "#56B4E9", "#D55E00", "#F0E442", "#999999"
CLASS_COLOURS = {"normal": GREEN, "benign": BLUE, "malignant": VERMILION}
PART_COLOURS = {"train": GREY, "validation": SKY, "test": ORANGE}
TRUE, PREDICTED = YELLOW, PURPLE
matplotlib.rc("axes", prop_cycle=cycler(color=[BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY]), titlesize=10)
matplotlib.rc("axes.spines", top=False, right=False)
matplotlib.rc("font", size=9)
matplotlib.rc("legend", fontsize=8, frameon=False)
matplotlib.rc("xtick", labelsize=8)
matplotlib.rc("ytick", labelsize=8)
WIDTH = 5.0  # inches of every figure: in a column of 8 cm letters of 8 points still have 5
ACROSS = 4  # images in a row
# Offsets of a label from its point, in points, the nearest first.
_PLACES = [
    (right, sign * (away + (4 if right else 9))) for away in (0, 8, 16, 24) for right in (6, -6, 0) for sign in (1, -1)
]
_FAR = 16  # from here on a line leads from the label to its point


def with_data(plot: Callable[..., Figure | None]) -> Callable[..., Figure | None]:
    """Let ``plot`` return None where an argument has nothing to show: no images, rows, entries or result."""

    @wraps(plot)
    def plotted(*shown, **options):
        return None if any(map(_is_empty, shown)) else plot(*shown, **options)

    return plotted


def _is_empty(shown: Any) -> bool:
    shown = shown.images if isinstance(shown, ImageSet) else shown
    return shown is None or (isinstance(shown, Result) and not shown) or (isinstance(shown, Sized) and not len(shown))


def grid(rows: int, columns: int, height: float = 0) -> tuple[Figure, np.ndarray]:
    """A figure of the common width with ``rows`` × ``columns`` axes (always a 2-d array).

    ``height`` of a row in inches; without it a row suits square images with a title of two lines.
    """
    figure = Figure(figsize=(WIDTH, rows * (height or WIDTH / columns + 0.25)), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def single(height: float) -> tuple[Figure, Axes]:
    """A figure of the common width with one axes, ``height`` in inches."""
    figure, axes = grid(1, 1, height)
    return figure, axes[0, 0]


def show_image(axes: Axes, image: np.ndarray, title: str = "", *masks: np.ndarray) -> None:
    """Draw a gray image (height, width, 1) in [0, 1] without ticks, with the borders of its true and predicted mask."""
    axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=8)
    for mask, colour in zip(masks, (TRUE, PREDICTED), strict=False):
        draw_contour(axes, mask, colour)


def draw_contour(axes: Axes, mask: np.ndarray, colour: str, threshold: float = 0.5) -> None:
    """Draw the border of a mask (height, width, 1) in [0, 1]; nothing where it has none."""
    above = mask[..., 0] >= threshold
    if above.any() and not above.all():
        axes.contour(mask[..., 0], levels=[threshold], colors=[colour], linewidths=1.2)


def label_points(
    axes: Axes, points: Sequence[tuple[str, float, float]], bars: Sequence[tuple[float, float, float]] = ()
) -> None:
    """Write a text beside each point (text, x, y), where it hides no other text, point or bar (x, low, high).

    Call it last: places are found on the finished axes.  Where none is free the text stays at the upper right.
    """
    figure = axes.figure.get_figure(root=True)
    figure.draw_without_rendering()
    margin = 3 * figure.dpi / 72  # three points
    shapes = [[(x, y), (x, y)] for _, x, y in points] + [[(x, low), (x, high)] for x, low, high in bars]
    taken = [Bbox(axes.transData.transform(shape)).padded(margin) for shape in shapes]
    for index, (text, x, y) in enumerate(points):
        label = axes.annotate(text, (x, y), (0, 0), textcoords="offset points", fontsize=7, color="0.3", va="center")
        others = taken[:index] + taken[index + 1 :]
        for place in (*_PLACES, _PLACES[0]):
            label.xyann = place
            label.set(ha={-6: "right", 0: "center", 6: "left"}[place[0]])
            box = label.get_window_extent()
            if axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and not box.count_overlaps(others):
                break
        taken.append(box)
        if abs(label.xyann[1]) > _FAR:
            line = {"arrowstyle": "-", "lw": 0.5, "color": "0.6"}
            axes.annotate("", (x, y), label.xyann, textcoords="offset points", arrowprops=line)
