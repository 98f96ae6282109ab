"""What the figures share: colours of the classes and parts, pictures of images with contours."""

from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

# Okabe and Ito's palette: told apart with every kind of colour vision.
CLASS_COLOURS = {"normal": "#009E73", "benign": "#0072B2", "malignant": "#D55E00"}
PART_COLOURS = {"train": "#999999", "validation": "#56B4E9", "test": "#E69F00"}
# Offsets of a label from its point, in points, the nearest first.
_PLACES = tuple(
    place
    for d in (0, 8, 16, 24)
    for place in ((6, d + 4), (6, -d - 4), (-6, d + 4), (-6, -d - 4), (0, d + 9), (0, -d - 9))
)
_FAR = 16  # from here on a line leads from the label to its point
TRUE, PREDICTED = "#F0E442", "#CC79A7"


def with_images(plot: Callable[..., Figure]) -> Callable[..., Figure | None]:
    """Let ``plot`` return None where its first argument, an :class:`lib.data.record.ImageSet`, has no images."""

    @wraps(plot)
    def plotted(data, *arguments, **options):
        return None if data.images is None else plot(data, *arguments, **options)

    return plotted


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


def label_points(
    axes: Axes,
    points: Sequence[tuple[str, float, float]],
    bars: Sequence[tuple[float, float, float]] = (),
    size: float = 7,
) -> None:
    """Write a text beside each point (text, x, y), where it hides no other text, point or bar (x, low, high).

    Call it last: places are found on the finished axes.  Where none is free the text stays at the upper right.
    """
    figure = axes.figure
    figure.draw_without_rendering()
    pixel = figure.dpi / 72
    at = axes.transData.transform([(x, y) for _, x, y in points])
    taken = [Bbox.from_bounds(x - 3 * pixel, y - 3 * pixel, 6 * pixel, 6 * pixel) for x, y in at]
    for x, low, high in bars:
        ends = axes.transData.transform([(x, low), (x, high)])
        taken.append(Bbox(ends + 3 * pixel * np.array([[-1, -1], [1, 1]])))
    for index, (text, x, y) in enumerate(points):
        drawn = []
        for dx, dy in _PLACES:
            drawn.append(
                axes.annotate(
                    text,
                    (x, y),
                    (dx, dy),
                    textcoords="offset points",
                    fontsize=size,
                    color="0.3",
                    ha="left" if dx > 0 else "right" if dx < 0 else "center",
                    va="center",
                )
            )
            box = drawn[-1].get_window_extent()
            others = taken[:index] + taken[index + 1 :]
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in others):
                break
        else:
            drawn.append(drawn.pop(0))
        for other in drawn[:-1]:
            other.remove()
        taken.append(drawn[-1].get_window_extent())
        if abs(drawn[-1].xyann[1]) > _FAR:
            line = {"arrowstyle": "-", "lw": 0.5, "color": "0.6"}
            axes.annotate("", (x, y), drawn[-1].xyann, textcoords="offset points", arrowprops=line)


def tidy(axes: Axes) -> None:
    """Leave only the two spines that carry scales."""
    axes.spines[["top", "right"]].set_visible(False)
