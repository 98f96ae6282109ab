"""From a score to a decision about one class against the rest: operating points and decision curves.

Labels are bool or 0/1 (n,), such as ``labels == 2`` for malignant; an image is called positive where its
score is at or above the threshold.
"""

import numpy as np
import pandas as pd

from lib.evaluation import statistics as significance


def operating_point(labels: np.ndarray, scores: np.ndarray, sensitivity: float = 0.95) -> float:
    """The highest threshold at which at least that share of the positive *validation* images is found.

    No other threshold of that sensitivity has a higher specificity on these images.  The threshold is
    the score of a validation image, so on new images expect a sensitivity around the one asked for,
    not above it: with 21 positives, 0.95 means that one may be missed.

    Raises
    ------
    ValueError
        If lengths differ, labels are not binary, scores not finite, no image is positive, or
        ``sensitivity`` is not in (0, 1].
    """
    labels, scores = _check(labels, scores)
    if not 0 < sensitivity <= 1:
        raise ValueError(f"a sensitivity is in (0, 1], not {sensitivity}")
    positive = np.sort(scores[labels])[::-1]
    if len(positive) == 0:
        raise ValueError("no positive image: a threshold for a sensitivity needs some")
    # Rounded first: 0.95 * 20 is a little above or below 19 in floating point.
    needed = int(np.ceil(round(sensitivity * len(positive), 9)))
    return float(positive[needed - 1])


def at_threshold(labels: np.ndarray, scores: np.ndarray, threshold: float, level: float = 0.95) -> pd.Series:
    """Sensitivity, specificity and predictive values at a threshold, with Wilson's intervals.

    Returns
    -------
    Series
        ``threshold``, then ``sensitivity``, ``sensitivity low``, ``sensitivity high`` and the same for
        ``specificity``, ``ppv`` and ``npv``, in [0, 1]; NaN where no image counts (no positive called, a
        class without images).  Predictive values hold at the prevalence of these images only.

    Raises
    ------
    ValueError
        If lengths differ, labels are not binary or scores not finite.
    """
    labels, scores = _check(labels, scores)
    called = scores >= threshold
    row = {"threshold": float(threshold)}
    for name, right, among in (
        ("sensitivity", called, labels),
        ("specificity", ~called, ~labels),
        ("ppv", labels, called),
        ("npv", ~labels, ~called),
    ):
        n, hits = int(among.sum()), int((right & among).sum())
        low, high = significance.proportion_interval(hits, n, level) if n else (np.nan, np.nan)
        row |= {name: hits / n if n else np.nan, f"{name} low": low, f"{name} high": high}
    return pd.Series(row)


def net_benefit(labels: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> pd.DataFrame:
    """Decision curve (Vickers & Elkin 2006): true positives an image, less the false ones at their price.

    At a threshold probability t a false positive costs t / (1 - t) of what a true positive is worth, so
    net benefit = TP / n - FP / n · t / (1 - t).  Read it over the range of t that is plausible in the
    clinic, and at the prevalence of these images only.

    Parameters
    ----------
    scores : probabilities of the positive class in [0, 1]; calibrated ones, or t does not mean what it says.
    thresholds : float (m,) in [0, 1).

    Returns
    -------
    DataFrame
        ``threshold``, ``model``, ``treat all``, ``treat none`` (0): net benefit an image, at most the prevalence.

    Raises
    ------
    ValueError
        If lengths differ, labels are not binary, or a score or threshold is out of its range.
    """
    labels, scores = _check(labels, scores)
    thresholds = np.asarray(thresholds, float)
    if (scores < 0).any() or (scores > 1).any():
        raise ValueError("a decision curve needs probabilities in [0, 1] as scores")
    if thresholds.ndim != 1 or not ((thresholds >= 0) & (thresholds < 1)).all():
        raise ValueError("threshold probabilities must be in [0, 1)")
    called = scores[None] >= thresholds[:, None]
    price, prevalence = thresholds / (1 - thresholds), labels.mean()
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "model": (called & labels).mean(axis=1) - (called & ~labels).mean(axis=1) * price,
            "treat all": prevalence - (1 - prevalence) * price,
            "treat none": 0.0,
        }
    )


def _check(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    if labels.ndim != 1 or labels.shape != scores.shape or len(labels) == 0:
        raise ValueError(f"scores of shape {scores.shape} for labels of shape {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1: name the positive class, as in labels == 2")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    return labels.astype(bool), scores
