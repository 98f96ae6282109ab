"""What a radiologist reads off a lesion: its shape, its margin, its echo, what lies behind it.

Thirteen numbers per image, after the descriptors of BI-RADS ultrasound: a classifier that gets them needs
no backbone.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError


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
    rows = [_one(image[..., 0], mask[..., 0], threshold) for image, mask in zip(images, masks, strict=True)]
    return pd.DataFrame(rows)


def _one(image: np.ndarray, mask: np.ndarray, threshold: float) -> dict[str, float]:
    inside = mask >= threshold
    if not inside.any():
        whole = _one(image, np.ones_like(mask), threshold)
        return dict.fromkeys(whole, 0.0)
    pieces, _ = ndimage.label(inside)
    sizes = np.bincount(pieces.ravel())[1:]
    lesion = pieces == 1 + sizes.argmax()
    rim = ndimage.binary_dilation(inside, iterations=max(2, image.shape[0] // 21)) & ~inside
    border = ndimage.binary_dilation(lesion) & ~ndimage.binary_erosion(lesion)
    gradient = np.hypot(*np.gradient(ndimage.gaussian_filter(image, 1.0)))
    echo = image[inside].mean()
    return {
        "area": np.sqrt(inside.mean()),
        "pieces": (sizes >= inside.size / 1000).sum(),
        "certainty": mask[inside].mean(),
        **_shape(lesion),
        "echo": echo,
        "contrast": image[rim].mean() - echo if rim.any() else 0.0,
        "texture": image[inside].std(),
        "margin": gradient[border].mean(),
        "behind": _behind(image, lesion),
    }


def _shape(lesion: np.ndarray) -> dict[str, float]:
    rows, columns = np.nonzero(lesion)
    area, ratio = len(rows), (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    if area < 3:
        return {"height / width": ratio, "elongation": 0.0, "tilt": 0.0, "solidity": 1.0, "compactness": 1.0}
    values, vectors = np.linalg.eigh(np.cov(rows, columns) + np.eye(2) / 12)
    return {
        "height / width": ratio,
        "elongation": 1 - np.sqrt(values[0] / values[1]),
        "tilt": abs(vectors[0, 1]),
        "solidity": area / max(_hull_area(rows, columns), area),
        "compactness": min(4 * np.pi * area / _perimeter(lesion) ** 2, 1.5),
    }


def _perimeter(lesion: np.ndarray) -> float:
    # Crofton's formula with four directions: counting border pixels would make slanted edges too long.
    padded = np.pad(lesion, 1).astype(int)
    straight = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    diagonal = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum() + np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    return np.pi / 8 * (straight + diagonal / np.sqrt(2))


def _hull_area(rows: np.ndarray, columns: np.ndarray) -> float:
    corners = [(rows + down, columns + right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)]
    points = np.concatenate([np.column_stack(corner) for corner in corners])
    try:
        return ConvexHull(points).volume
    except QhullError:
        return len(rows)


def _behind(image: np.ndarray, lesion: np.ndarray) -> float:
    rows, columns = np.nonzero(lesion)
    bottom, left, right = rows.max() + 1, columns.min(), columns.max() + 1
    depth = bottom + np.ptp(rows) + 1
    below = image[bottom:depth, left:right]
    beside = np.concatenate([image[bottom:depth, :left].ravel(), image[bottom:depth, right:].ravel()])
    return below.mean() - beside.mean() if below.size and beside.size else 0.0
