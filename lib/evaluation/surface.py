"""How far apart the borders of two masks lie: 95 % Hausdorff distance and normalised surface distance.

Distances are in pixels of the masks as given: where images were resized without keeping their shape, they
are no lengths on the skin.  The border of a mask is its pixels with one of the four neighbours outside;
beyond the image is outside.
"""

import numpy as np
import pandas as pd
from scipy import ndimage


def border_distances(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each border pixel to the other mask's border, for two masks that are not empty.

    Parameters
    ----------
    truth, predicted : bool (height, width).

    Returns
    -------
    Two float64 arrays in pixels: from the true border's pixels, and from the predicted border's.
    """
    # Outside the box around both masks there is no border: leaving it out changes nothing and saves the time.
    box = ndimage.find_objects((truth | predicted).astype(np.uint8))[0]
    one, other = (mask[box] & ~ndimage.binary_erosion(mask[box]) for mask in (truth, predicted))
    return ndimage.distance_transform_edt(~other)[one], ndimage.distance_transform_edt(~one)[other]


def surface_scores(
    truth: np.ndarray, predicted: np.ndarray, threshold: float = 0.5, tolerance: float = 2.0
) -> pd.DataFrame:
    """Agreement of the borders of predicted masks with the true ones, one row per image.

    Parameters
    ----------
    truth, predicted : (n, height, width, 1), values in [0, 1].
    threshold : pixels at or above it are lesion, in both, as in :func:`lib.evaluation.metrics.mask_scores`.
    tolerance : pixels by which borders may differ, ≥ 0.

    Returns
    -------
    DataFrame with columns

    - ``hd95``: the larger of the two 95th percentiles of the border distances, in pixels (the definition
      in Metrics Reloaded, Maier-Hein et al. 2024).  Both masks empty: 0.  One empty: the diagonal of the
      image, more than any distance in it, so that means stay finite and a missed lesion is the worst case.
    - ``nsd``: share of both borders within the tolerance of the other (Nikolov et al. 2021), in [0, 1],
      each border pixel counted once.  Both masks empty: 1.  One empty: 0.

    As with Dice, means over images with and without a lesion must not be mixed.
    """
    masks = zip(truth[..., 0] >= threshold, predicted[..., 0] >= threshold, strict=True)
    return pd.DataFrame([_score(*pair, tolerance) for pair in masks], columns=["hd95", "nsd"], dtype=float)


def _score(truth: np.ndarray, predicted: np.ndarray, tolerance: float) -> tuple[float, float]:
    if not truth.any() and not predicted.any():
        return 0.0, 1.0
    if not (truth.any() and predicted.any()):
        return float(np.hypot(*truth.shape)), 0.0
    distances = border_distances(truth, predicted)
    hd95 = max(np.percentile(side, 95) for side in distances)
    return float(hd95), float((np.concatenate(distances) <= tolerance).mean())
