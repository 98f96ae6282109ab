"""Whether two ultrasound images show the same tissue: a perceptual code proposes, a registration confirms.

What relates the published pairs of BUSI, seen in the pictures: the same frame saved
with other borders and then stretched to a square, another frame of the same lesion, marks or text burned
in, other gain.  So both steps look at the detail of the picture alone, its brightness and contrast
taken out, and allow for a cut, a stretch along each axis, a shift and a mirror.

- *Propose*: the low frequencies of the cosine transform of the detail, as in a perceptual hash
  (pHash), but not cut down to bits, and also of parts of each image and of their mirror images.
  Every image is compared with all parts of all others by matrix products.
- *Confirm*: the shift and stretch of a proposed pair are refined until the normalised
  cross-correlation of the overlap no longer grows.
"""

import numpy as np
from scipy import fft, ndimage

GRID = 64  # pixels a side at which details are compared
CODE = 12  # frequencies a side of the perceptual code

_FINE, _COARSE = 1.0, 4.0  # pixels of the grid: detail lies between these two Gaussian blurs
_PARTS = tuple(
    (top, top + height, left, left + width)
    for width in (1.0, 0.9, 0.8, 0.7)
    for left in np.arange(0, 1.001 - width, 0.1)
    for height in (1.0, 0.9, 0.8)
    for top in np.arange(0, 1.001 - height, 0.1)
)
_STEPS = (0.04, 0.02, 0.01, 0.005)  # shares of the side by which a registration is varied


def detail(images: np.ndarray) -> np.ndarray:
    """Local structure without brightness and contrast, float32 (n, GRID, GRID) in [-3, 3].

    The images, (n, height, width) in [0, 1], are averaged onto the grid; the local mean is taken away,
    the rest divided by the local standard deviation and cut at three of them, beyond which marks are burned in.
    """
    rows, columns = (_average(0, 1, side, GRID) for side in images.shape[1:])
    fine = _blur(rows @ images.astype(np.float32) @ columns.T, _FINE)
    band = fine - _blur(fine, _COARSE)
    # 0.02 of the gray scale: flat regions are not blown up to look like structure.
    return np.clip(band / (np.sqrt(_blur(band**2, _COARSE)) + 0.02), -3, 3)


def propose(details: np.ndarray, threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs whose codes agree, not mirrored and mirrored.

    Parameters
    ----------
    details : float32 (n, GRID, GRID), of :func:`detail`.
    threshold : cosine similarity of the codes from which a pair is proposed.

    Returns
    -------
    Twice, as they are and with the second image mirrored: pairs (m, 2) of indices, first < second, and
    where their registration starts (m, 2, 2), see :func:`register`.
    """
    n = len(details)
    half = _average(0, 1, GRID, GRID // 2)
    whole = _code(half @ details @ half.T)
    # A mirrored picture has the same cosine transform but for the sign of odd frequencies across.
    signs = np.tile((-1.0) ** np.arange(CODE), CODE).astype(np.float32)
    similarity = np.full((2, n, n), -1, np.float32)  # part of the row's image to the whole of the column's
    part = np.zeros((2, n, n), np.uint8)
    for k, (top, bottom, left, right) in enumerate(_PARTS):
        rows, columns = _average(top, bottom, GRID, GRID // 2), _average(left, right, GRID, GRID // 2)
        code = _code(rows @ details @ columns.T)
        new = np.stack([code, code * signs]) @ whole.T
        better = new > similarity
        similarity[better], part[better] = new[better], k
    return [_pairs(*each, threshold) for each in zip(similarity, part, (False, True), strict=True)]


def register(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay each second detail on its first one, by stretch and shift along each axis: a coordinate search.

    What is raised is correlation · √overlap: chance correlations of two images vary as one over the root
    of the area compared, so what agrees on a small part must agree better.

    Parameters
    ----------
    first, second : float32 (m, GRID, GRID), of :func:`detail`; the second mirrored where that is asked.
    start : float (m, 2, 2), for rows and columns (scale, offset): what lies at u in the first image
        lies at scale · u + offset in the second, in shares of the side from the top left corner.

    Returns
    -------
    Refined registrations (m, 2, 2); normalised cross-correlation (m,) of the overlap, in [-1, 1];
    overlap (m,) in [0, 1]: the share of the one image that lies on the other, the smaller of both.
    """
    places = start.astype(np.float64)
    correlation, overlap = _correlate(first, second, places)
    score = correlation * np.sqrt(overlap)
    for step in _STEPS:
        active = np.arange(len(first))
        for _ in range(6):
            before = score[active].copy()
            for axis, change in ((0, (0, 1)), (1, (0, 1)), (0, (2, -1)), (1, (2, -1))):
                # (2, -1) stretches about the centre, (0, 1) shifts.
                for sign in (1, -1):
                    tried = places[active]
                    tried[:, axis] += sign * step * np.array(change)
                    new, shared = _correlate(first[active], second[active], tried)
                    keep = new * np.sqrt(shared) > score[active]
                    better = active[keep]
                    places[better], correlation[better], overlap[better] = tried[keep], new[keep], shared[keep]
                    score[better] = new[keep] * np.sqrt(shared[keep])
            active = active[score[active] > before + 1e-3]
    return places, correlation, overlap


def _pairs(similarity: np.ndarray, part: np.ndarray, mirrored: bool, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.argwhere(np.triu(np.maximum(similarity, similarity.T) >= threshold, 1))
    i, j = pairs.T
    of_first = similarity[i, j] >= similarity[j, i]
    box = np.array(_PARTS)[np.where(of_first, part[i, j], part[j, i])].reshape(len(pairs), 2, 2)
    size, begin = box[..., 1] - box[..., 0], box[..., 0].copy()
    if mirrored:
        # A part of the second image lies elsewhere in its mirror image.
        begin[~of_first, 1] = 1 - box[~of_first, 1, 1]
    inverse = np.stack([1 / size, -begin / size], axis=-1)
    return pairs, np.where(of_first[:, None, None], inverse, np.stack([size, begin], axis=-1))


def _correlate(first: np.ndarray, second: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised cross-correlation over the overlap, and the overlap as a share of the image that has less of it."""
    at = (places[:, :, :1] * (np.arange(GRID) + 0.5) / GRID + places[:, :, 1:]) * GRID - 0.5
    inside = ((at >= -0.5) & (at <= GRID - 0.5)).astype(np.float32)
    # Linear interpolation as a matrix: (pairs, axis, pixel of the first, pixel of the second).
    weights = np.clip(1 - np.abs(at[..., None] - np.arange(GRID)), 0, None).astype(np.float32) * inside[..., None]
    moved = weights[:, 0] @ second @ weights[:, 1].transpose(0, 2, 1)
    still = first * inside[:, 0, :, None] * inside[:, 1, None, :]
    count = np.maximum(inside.sum(axis=2).prod(axis=1), 1)
    means = still.sum(axis=(1, 2)) / count, moved.sum(axis=(1, 2)) / count
    products = [np.einsum("nij,nij->n", a, b) / count for a, b in ((still, moved), (still, still), (moved, moved))]
    covariance = products[0] - means[0] * means[1]
    variances = (products[1] - means[0] ** 2) * (products[2] - means[1] ** 2)
    # The same overlap takes scale times as much of the second image along each axis.
    overlap = count / GRID**2 * np.minimum(places[:, :, 0].prod(axis=1), 1)
    return covariance / np.sqrt(np.maximum(variances, 1e-8)), overlap


def _code(halves: np.ndarray) -> np.ndarray:
    """Unit vectors, float32 (n, CODE²), of the lowest frequencies of details at half the grid; zero if flat."""
    lowest = fft.dctn(halves, axes=(1, 2), norm="ortho")[:, :CODE, :CODE].reshape(len(halves), CODE**2)
    lowest[:, 0] = 0
    return lowest / np.maximum(np.linalg.norm(lowest, axis=1, keepdims=True), 1e-6)


def _blur(images: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(images, (0, sigma, sigma), mode="nearest")


def _average(start: float, stop: float, n: int, m: int) -> np.ndarray:
    """Matrix (m, n) that averages n pixels onto m over the part from ``start`` to ``stop`` in [0, 1]."""
    edges = np.linspace(start, stop, m + 1)[:, None] * n
    shared = np.minimum(edges[1:], np.arange(n) + 1) - np.maximum(edges[:-1], np.arange(n))
    weights = np.clip(shared, 0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
