"""Scores of one prediction: masks and their borders image by image, classes image by image (paper A, II-D and IV-B).

Distances are in pixels of the masks as given: where images were resized without keeping their shape, they
are no lengths on the skin.  The border of a mask is its pixels with one of the four neighbours outside;
beyond the image is outside.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn import metrics

LESION, NORMAL = "lesion", "no lesion"


def mask_scores(truth: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Agreement of predicted masks with the true ones, one row per image.

    Parameters
    ----------
    truth, predicted : (n, height, width, 1), values in [0, 1].  Pixels at or above 0.5 are lesion, in both, so
        that the rounding of soft borders favours neither side.

    Returns
    -------
    DataFrame with columns

    - ``bce``: binary cross-entropy in nats, averaged over pixels, of the soft masks (the paper's
      loss; probabilities are kept 1e-7 away from 0 and 1, as Keras does).
    - ``dice``, ``iou``: of the thresholded masks, in [0, 1].  Both masks empty: 1.  One empty: 0.
    - ``true_area``, ``predicted_area``: shares of the image in [0, 1].
    - ``kind``: ``"lesion"`` or ``"no lesion"``, by the true mask.  Means over the two kinds must not
      be mixed: without a lesion Dice is 0 or 1, and tells only whether anything was marked.
    """
    axes = (1, 2, 3)
    probability = np.clip(predicted.astype(np.float64), 1e-7, 1 - 1e-7)
    bce = -(truth * np.log(probability) + (1 - truth) * np.log1p(-probability)).mean(axis=axes)
    true, marked = truth >= 0.5, predicted >= 0.5
    both, either = (true & marked).sum(axes), (true | marked).sum(axes)
    empty = either == 0
    return pd.DataFrame(
        {
            "bce": bce,
            "dice": np.where(empty, 1.0, 2 * both / np.maximum(both + either, 1)),
            "iou": np.where(empty, 1.0, both / np.maximum(either, 1)),
            "true_area": true.mean(axes),
            "predicted_area": marked.mean(axes),
            "kind": np.where(true.any(axes), LESION, NORMAL),
        }
    )


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


def surface_scores(truth: np.ndarray, predicted: np.ndarray, tolerance: float = 2.0) -> pd.DataFrame:
    """Agreement of the borders of predicted masks with the true ones, one row per image.

    Parameters
    ----------
    truth, predicted : (n, height, width, 1), values in [0, 1]; cut as in :func:`mask_scores`.
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
    masks = zip(truth[..., 0] >= 0.5, predicted[..., 0] >= 0.5, strict=True)
    return pd.DataFrame([_surface_score(*pair, tolerance) for pair in masks], columns=["hd95", "nsd"], dtype=float)


def _surface_score(truth: np.ndarray, predicted: np.ndarray, tolerance: float) -> tuple[float, float]:
    if truth.any() != predicted.any():
        return np.hypot(*truth.shape), 0.0
    if not truth.any():
        return 0.0, 1.0
    distances = border_distances(truth, predicted)
    return max(np.percentile(side, 95) for side in distances), (np.concatenate(distances) <= tolerance).mean()


def score_row(labels: np.ndarray, predicted: np.ndarray, n_classes: int = 3) -> np.ndarray:
    """Accuracy, then precision, recall and F1 of each class: float (1 + 3 n_classes,), in [0, 1].

    Labels and predictions are integers (n,), n ≥ 1, below ``n_classes``.  Precision of a class that is never
    predicted and recall of one that has no image are undefined: NaN.
    """
    counts = np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    right, called, true = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.concatenate([[right.sum() / len(labels)], right / called, right / true, 2 * right / (called + true)])


def table_row(labels: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> pd.Series:
    """One row of Tables I and II, as :func:`score_row`: ``accuracy``, then ``precision normal`` … ``f1 malignant``."""
    names = [f"{measure} {name}" for measure in ("precision", "recall", "f1") for name in classes]
    return pd.Series(score_row(labels, predicted, len(classes)), ["accuracy", *names])


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """Number of images of each true class (rows) that are predicted as each class (columns)."""
    matrix = metrics.confusion_matrix(labels, predicted, labels=np.arange(len(classes)))
    return pd.DataFrame(matrix, index=pd.Index(classes, name="true"), columns=pd.Index(classes, name="predicted"))
