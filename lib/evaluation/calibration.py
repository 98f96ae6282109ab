"""Whether predicted probabilities mean what they say: calibration, temperature scaling, uncertainty.

Probabilities are float (n, k): a row an image, a column a class.  Labels are integers (n,) in 0 … k - 1.
Logarithms are natural, so entropies and likelihoods are in nats.
"""

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import minimize_scalar

# Keras keeps probabilities this far from 0 in its cross-entropy.
EPSILON = 1e-7
# A temperature scales the logarithms of the small probabilities, too: only an exact zero is lifted, to
# the smallest number that a network's float32 holds in full.
TINY = float(np.finfo(np.float32).tiny)
COLDEST, HOTTEST = 0.01, 1000.0


def check_probabilities(p: np.ndarray) -> np.ndarray:
    """The probabilities (..., k), k ≥ 2, as float64.

    Raises
    ------
    ValueError
        Naming the first row that is not in [0, 1] or whose sum is more than 1e-3 away from one, or if
        there are no rows or fewer than two columns.
    """
    p = np.asarray(p, np.float64)
    if p.ndim < 2 or p.size == 0 or p.shape[-1] < 2:
        raise ValueError(f"probabilities of shape {p.shape}: needs a row an image and a column a class, at least two")
    # Written so that NaN is wrong, too.
    inside = ((p >= 0) & (p <= 1)).all(axis=-1)
    whole = np.abs(p.sum(axis=-1) - 1) <= 1e-3
    if not (inside & whole).all():
        index = tuple(np.argwhere(~(inside & whole))[0].tolist())
        row = index[0] if len(index) == 1 else index
        why = "is not in [0, 1]" if not inside[index] else f"sums to {p[index].sum():.4g}, not 1"
        raise ValueError(f"row {row} of the probabilities {why}: {np.round(p[index], 4).tolist()}")
    return p


def reliability(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> pd.DataFrame:
    """Mean confidence and accuracy of the images in each of ``n_bins`` equal bins of the top probability.

    Returns
    -------
    DataFrame
        A row a bin (``low``, ``high``], with ``bin`` (from 0), ``low``, ``high``, ``confidence`` (mean
        probability of the predicted class), ``accuracy`` and ``images``.  Empty bins are NaN.

    Raises
    ------
    ValueError
        If labels and probabilities do not fit together, or there are no bins.
    """
    labels, p = _check(labels, probabilities)
    if n_bins < 1:
        raise ValueError(f"{n_bins} bins: needs at least one")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, n_bins + 1)
    member = np.searchsorted(edges[1:-1], confidence, side="left")
    images = np.bincount(member, minlength=n_bins)
    some = np.where(images, images, np.nan)
    return pd.DataFrame(
        {
            "bin": np.arange(n_bins),
            "low": edges[:-1],
            "high": edges[1:],
            "confidence": np.bincount(member, confidence, n_bins) / some,
            "accuracy": np.bincount(member, right, n_bins) / some,
            "images": images,
        }
    )


def ece_of(bins: pd.DataFrame) -> float:
    """Expected calibration error of the bins made by :func:`reliability`."""
    return float(((bins.accuracy - bins.confidence).abs() * bins.images).sum() / bins.images.sum())


def ece(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> float:
    """Expected calibration error in [0, 1] of the predicted class, equal-width bins (Guo et al. 2017, Eq. 3).

    It is biased upwards where images are few: with 15 bins, perfectly calibrated predictions of 78 images
    in three classes have an error of about 0.1 (simulated).  Compare values of the same images and bins only.
    """
    return ece_of(reliability(labels, probabilities, n_bins))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier's (1950) score: squared errors summed over classes, mean over images, in [0, 2]; 0 is perfect.

    With two classes it is twice the score that is usually given for them.
    """
    labels, p = _check(labels, probabilities)
    return float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean())


def nll(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; probabilities below 1e-7 count as 1e-7, as in Keras."""
    labels, p = _check(labels, probabilities)
    return float(-np.log(np.clip(p[np.arange(len(p)), labels], EPSILON, 1)).mean())


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray, logits: bool = False) -> float:
    """The temperature in [0.01, 1000] that minimises the NLL of *validation* images (Guo et al. 2017, 4.2).

    Above 1 the predictions were too sure.  The logarithms of probabilities are logits up to a constant a
    row, so a softmax's outputs serve as well as its inputs.  Where all labels have the largest probability
    the likelihood grows without end as the temperature falls: then the answer is 1, which changes nothing.

    Parameters
    ----------
    probabilities : (n, k); with ``logits=True`` the inputs of the softmax.

    Raises
    ------
    ValueError
        If labels and probabilities do not fit together.
    """
    labels, scores = _log_scores(labels, probabilities, logits)
    own = scores[np.arange(len(scores)), labels]
    if (own == scores.max(axis=1)).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        # Convex in 1 / temperature, so the minimum is the only one.
        sharpness = np.exp(-log_temperature)
        return (special.logsumexp(scores * sharpness, axis=1) - own * sharpness).mean()

    best = minimize_scalar(loss, bounds=np.log([COLDEST, HOTTEST]), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(best.x))


def apply_temperature(probabilities: np.ndarray, temperature: float, logits: bool = False) -> np.ndarray:
    """Probabilities (n, k) at a temperature > 0: above 1 less sure, below 1 surer; the order of classes stays.

    ``logits=True`` says that the inputs of the softmax are given instead of probabilities.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature must be positive, not {temperature}")
    _, scores = _log_scores(None, probabilities, logits)
    return special.softmax(scores / temperature, axis=1)


def risk_coverage(labels: np.ndarray, probabilities: np.ndarray, uncertainty: np.ndarray | None = None) -> pd.DataFrame:
    """Error rate among the surest images, for each number of them (Geifman & El-Yaniv 2017).

    Parameters
    ----------
    uncertainty : float (n,), higher is less sure, such as an entropy; by default 1 - largest probability.

    Returns
    -------
    DataFrame
        n rows, surest image first: ``uncertainty``, ``coverage`` (1/n … 1) and ``risk`` in [0, 1].
        Among images that are equally sure the risk is the expected one of a random order.
    """
    labels, p = _check(labels, probabilities)
    uncertainty = 1 - p.max(axis=1) if uncertainty is None else np.asarray(uncertainty, float)
    if uncertainty.shape != labels.shape or not np.isfinite(uncertainty).all():
        raise ValueError(f"uncertainty of shape {uncertainty.shape}: needs a finite number for each of {len(p)} images")
    images = pd.DataFrame({"uncertainty": uncertainty, "wrong": (p.argmax(axis=1) != labels).astype(float)})
    images["wrong"] = images.groupby("uncertainty").wrong.transform("mean")
    images = images.sort_values("uncertainty", kind="stable", ignore_index=True)
    n = np.arange(1, len(images) + 1)
    return pd.DataFrame(
        {"uncertainty": images.uncertainty, "coverage": n / len(images), "risk": images.wrong.cumsum() / n}
    )


def aurc(curve: pd.DataFrame) -> float:
    """Area under a curve of :func:`risk_coverage`: its mean risk over the coverages; lower is better."""
    return float(curve.risk.mean())


def predictive_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each image's probabilities (n, k) in nats: float64 (n,), from 0 (sure) to log k."""
    return special.entr(check_probabilities(probabilities)).sum(axis=-1)


def mutual_information(member_probabilities: np.ndarray) -> np.ndarray:
    """How much the members of an ensemble, or passes with dropout, disagree about each image.

    Entropy of the mean less mean entropy (Houlsby et al. 2011; Gal et al. 2017): the uncertainty that
    is the model's, not the image's.

    Parameters
    ----------
    member_probabilities : (m, n, k), m members.

    Returns
    -------
    float64 (n,) in nats: 0 where all agree, at most log(min(m, k)).
    """
    p = check_probabilities(member_probabilities)
    if p.ndim != 3:
        raise ValueError(f"probabilities of shape {p.shape}: needs members, images, classes")
    # Rounding can leave -1e-17 where all members agree.
    return np.maximum(special.entr(p.mean(axis=0)).sum(axis=-1) - special.entr(p).sum(axis=-1).mean(axis=0), 0)


def _check(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = check_probabilities(probabilities)
    return _check_labels(labels, p), p


def _check_labels(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"probabilities of shape {scores.shape} for labels of shape {labels.shape}")
    if not np.isin(labels, np.arange(scores.shape[1])).all():
        raise ValueError(f"labels must be integers from 0 to {scores.shape[1] - 1}, the columns of the probabilities")
    return labels.astype(np.int64)


def _log_scores(labels: np.ndarray | None, values: np.ndarray, logits: bool) -> tuple[np.ndarray | None, np.ndarray]:
    if logits:
        scores = np.asarray(values, np.float64)
        if scores.ndim != 2 or not np.isfinite(scores).all():
            raise ValueError("logits must be finite, a row an image")
    else:
        scores = np.log(np.maximum(check_probabilities(values), TINY))
    return None if labels is None else _check_labels(labels, scores), scores
