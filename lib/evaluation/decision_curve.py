"""What a probability is good for: operating points chosen on validation data, decision curves.

Labels are bool (n,), such as ``labels == 2`` for malignant; an image is called positive where its
score is at or above the threshold.
"""

import numpy as np
import pandas as pd

from lib.evaluation import statistics


def operating_point(labels: np.ndarray, scores: np.ndarray, sensitivity: float) -> float:
    """The highest threshold at which at least that share of the positive *validation* images is found.

    No other threshold of that sensitivity has a higher specificity on these images.  The threshold is
    the score of a validation image, so on new images expect a sensitivity around the one asked for,
    not above it: with 21 positives, 0.95 means that one may be missed.
    """
    positive = np.sort(scores[labels])[::-1]
    # Rounded first: 0.95 * 20 is a little above or below 19 in floating point.
    needed = int(np.ceil(round(sensitivity * len(positive), 9)))
    return float(positive[needed - 1])


def called_scores(labels: np.ndarray, called: np.ndarray, groups: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values of calls, bool (n,), with 95 % intervals over groups.

    Predictive values hold at the prevalence of these images only.

    Returns
    -------
    Rows ``sensitivity``, ``specificity``, ``PPV``, ``NPV``; columns ``value``, ``95 % low``, ``95 % high``,
    ``images``.  NaN where no image counts (no positive called, a class without images).
    """
    among = np.column_stack([labels, ~labels, called, ~called])
    right = (labels == called)[:, None]
    bootstrap = statistics.mean_bootstrap(np.where(among, right, np.nan), groups, seed=seed)
    table = pd.DataFrame(bootstrap.row(), ["sensitivity", "specificity", "PPV", "NPV"])
    return table.assign(images=among.sum(axis=0))


def net_benefit(
    labels: np.ndarray, scores: np.ndarray, thresholds: np.ndarray, groups: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Decision curve (Vickers & Elkin 2006): true positives per image, less the false ones at their price.

    At a threshold probability t a false positive costs t / (1 - t) of what a true positive is worth, so
    net benefit = TP / n - FP / n · t / (1 - t).  Read it over the range of t that is plausible in the
    clinic, and at the prevalence of these images only.  Scores of 1 for all images are "treat all".

    Parameters
    ----------
    scores : probabilities of the positive class in [0, 1]; calibrated ones, or t has no such meaning.
    thresholds : float (m,) in [0, 1).

    Returns
    -------
    ``threshold``, ``net benefit`` per image, at most the prevalence, and its 95 % interval over groups.
    """
    called = scores[:, None] >= thresholds
    benefit = np.where(labels[:, None], 1.0, -thresholds / (1 - thresholds)) * called
    bootstrap = statistics.mean_bootstrap(benefit, groups, seed=seed)
    return pd.DataFrame({"threshold": thresholds, **bootstrap.row("net benefit")})
