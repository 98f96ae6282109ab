"""What a radiologist reads off a lesion: its shape, its margin, its echo, what lies behind it.

Thirteen numbers per image, after the descriptors of BI-RADS ultrasound: a classifier that gets them needs
no backbone.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

NAMES = (
    "area",
    "pieces",
    "certainty",
    "height / width",
    "elongation",
    "tilt",
    "solidity",
    "compactness",
    "echo",
    "contrast",
    "texture",
    "margin",
    "behind",
)


def describe(images: np.ndarray, masks: np.ndarray, threshold: float = 0.5) -> pd.DataFrame:
    """Descriptors of predicted lesions, one row per image; all 0 where none is predicted.

    Parameters
    ----------
    images, masks : float (n, height, width, 1) in [0, 1].
    threshold : pixels of the mask at or above it are lesion.

    Returns
    -------
    - ``area``: share of the image, square root; ``pieces``: connected components of at least 0.1 % of it.
    - ``certainty``: mean of the soft mask inside the lesion.
    - of the largest piece: ``height / width`` of its bounding box (taller than wide speaks for
      malignant), ``elongation`` (ratio of its axes, 0 round … 1 a line), ``tilt`` (sine of the long axis'
      angle to the skin), ``solidity`` (area over convex hull), ``compactness`` (4π area / perimeter²).
    - ``echo``: mean brightness inside; ``contrast``: outside a margin less inside; ``texture``: standard
      deviation inside; ``margin``: mean gradient along the border; ``behind``: brightness below the
      lesion less that beside it at the same depth (shadow negative, enhancement positive).
    """
    if images.shape != masks.shape:
        raise ValueError(f"masks of shape {masks.shape} do not fit images of shape {images.shape}")
    rows = [_one(image[..., 0], mask[..., 0], threshold) for image, mask in zip(images, masks, strict=True)]
    return pd.DataFrame(rows, columns=NAMES)


def _one(image: np.ndarray, mask: np.ndarray, threshold: float) -> list[float]:
    inside = mask >= threshold
    pieces, n_pieces = ndimage.label(inside)
    if n_pieces == 0:
        return [0.0] * len(NAMES)
    sizes = np.bincount(pieces.ravel())[1:]
    lesion = pieces == 1 + sizes.argmax()
    rim = ndimage.binary_dilation(inside, iterations=max(2, image.shape[0] // 21)) & ~inside
    border = ndimage.binary_dilation(lesion) & ~ndimage.binary_erosion(lesion)
    gradient = np.hypot(*np.gradient(ndimage.gaussian_filter(image, 1.0)))
    echo = image[inside].mean()
    return [
        float(np.sqrt(inside.mean())),
        float((sizes >= inside.size / 1000).sum()),
        float(mask[inside].mean()),
        *_shape(lesion),
        float(echo),
        float(image[rim].mean() - echo) if rim.any() else 0.0,
        float(image[inside].std()),
        float(gradient[border].mean()),
        _behind(image, lesion),
    ]


def _shape(lesion: np.ndarray) -> list[float]:
    rows, columns = np.nonzero(lesion)
    area = len(rows)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    if area < 3:
        return [height / width, 0.0, 0.0, 1.0, 1.0]
    values, vectors = np.linalg.eigh(np.cov(rows, columns) + np.eye(2) / 12)
    perimeter = _perimeter(lesion)
    return [
        height / width,
        float(1 - np.sqrt(values[0] / values[1])),
        float(abs(vectors[0, 1])),
        area / max(_hull_area(rows, columns), area),
        float(min(4 * np.pi * area / perimeter**2, 1.5)),
    ]


def _perimeter(lesion: np.ndarray) -> float:
    # Crofton's formula with four directions: counting border pixels would make slanted edges too long.
    padded = np.pad(lesion, 1).astype(int)
    straight = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    diagonal = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum() + np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    return float(np.pi / 8 * (straight + diagonal / np.sqrt(2)))


def _hull_area(rows: np.ndarray, columns: np.ndarray) -> float:
    corners = [(rows + down, columns + right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)]
    points = np.concatenate([np.column_stack(corner) for corner in corners])
    try:
        return float(ConvexHull(points).volume)
    except QhullError:
        return float(len(rows))


def _behind(image: np.ndarray, lesion: np.ndarray) -> float:
    rows, columns = np.nonzero(lesion)
    bottom, left, right = rows.max() + 1, columns.min(), columns.max() + 1
    depth = min(bottom + (rows.max() - rows.min() + 1), image.shape[0])
    below = image[bottom:depth, left:right]
    beside = np.concatenate([image[bottom:depth, :left].ravel(), image[bottom:depth, right:].ravel()])
    return float(below.mean() - beside.mean()) if below.size and beside.size else 0.0
