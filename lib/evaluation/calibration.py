"""Whether predicted probabilities can be taken at face value: calibration, temperature scaling, uncertainty.

Probabilities are float (n, k), one row per image and one column per class.  Labels are integers (n,) in 0 … k - 1.
Logarithms are natural, so entropies and likelihoods are in nats.
"""

import numpy as np
import pandas as pd
from scipy import optimize, special
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from lib.evaluation import statistics

# A temperature scales the logarithms of the small probabilities, too: only an exact zero is lifted, to
# the smallest number that a network's float32 holds in full.
TINY = float(np.finfo(np.float32).tiny)
N_BINS = 15


def reliability(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = N_BINS) -> pd.DataFrame:
    """Mean confidence and accuracy of the images in each of ``n_bins`` equal bins of the top probability.

    Returns
    -------
    One row per bin (``low``, ``high``]: ``confidence`` (mean probability of the predicted class),
    ``accuracy`` and ``images``.  Empty bins are NaN.
    """
    images = _images(labels, probabilities, n_bins)
    bins = images.groupby("bin").agg(confidence=("confidence", "mean"), accuracy=("right", "mean"))
    bins = bins.reindex(range(n_bins)).assign(images=np.bincount(images["bin"], minlength=n_bins))
    edges = np.linspace(0, 1, n_bins + 1)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:]}).join(bins)


def ece(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = N_BINS) -> float:
    """Expected calibration error in [0, 1] of the predicted class, equal-width bins (Guo et al. 2017, Eq. 3).

    It is biased upwards where images are few: with 15 bins, perfectly calibrated predictions of 78 images
    in three classes have an error of about 0.1 (simulated).
    """
    return float(np.abs(_gaps(labels, probabilities, n_bins).mean(axis=0)).sum())


def ece_interval(
    labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, seed: int = 0
) -> tuple[float, float, float]:
    """:func:`ece` and its 95 % interval over groups; resampling adds to the bias, so read it as an upper range."""
    bootstrap = statistics.mean_bootstrap(_gaps(labels, probabilities, N_BINS), groups, seed=seed)
    replicates = np.abs(bootstrap.replicates).sum(axis=1)
    return ece(labels, probabilities), *statistics.limits(replicates)


def slope_and_intercept(positive: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Calibration slope and calibration in the large of a binary outcome (Van Calster et al. 2019).

    Parameters
    ----------
    positive : bool (n,).
    probabilities : float (n,), of the positive class.

    Returns
    -------
    Slope of the outcome on the logit of the probability, 1 if well spread, below 1 if too extreme; intercept with
    the slope held at 1, 0 if right on average, below 0 if too high.
    """
    logits = special.logit(np.clip(probabilities, 1e-6, 1 - 1e-6))
    outcome = np.asarray(positive, float)
    slope = GLM(outcome, np.column_stack([np.ones_like(logits), logits]), Binomial()).fit().params[1]
    intercept = GLM(outcome, np.ones((len(logits), 1)), Binomial(), offset=logits).fit().params[0]
    return float(slope), float(intercept)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature in [0.01, 1000] with the least cross-entropy of *validation* images (Guo et al. 2017, 4.2).

    Above 1 the predictions were too sure.  Where all labels have the largest probability the likelihood
    grows without end as the temperature falls: then the answer is 1, which changes nothing.
    """
    scores = _logs(probabilities)
    own = scores[np.arange(len(scores)), labels]
    if (own == scores.max(axis=1)).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        # Convex in 1 / temperature, so the minimum is the only one.
        sharpness = np.exp(-log_temperature)
        return (special.logsumexp(scores * sharpness, axis=1) - own * sharpness).mean()

    best = optimize.minimize_scalar(loss, bounds=np.log([0.01, 1000]), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(best.x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, k) at a temperature > 0: above 1 less sure, below 1 surer; the order of classes stays."""
    return special.softmax(_logs(probabilities) / temperature, axis=1)


def risk_coverage(labels: np.ndarray, probabilities: np.ndarray, uncertainty: np.ndarray) -> pd.DataFrame:
    """Error rate among the surest images, for each number of them (Geifman & El-Yaniv 2017).

    Parameters
    ----------
    uncertainty : float (n,), higher is less sure, such as an entropy.

    Returns
    -------
    n rows, surest image first: ``uncertainty``, ``coverage`` (1/n … 1) and ``risk`` in [0, 1].
    Among images that are equally sure the risk is the expected one of a random order.
    """
    images = pd.DataFrame({"uncertainty": uncertainty, "wrong": probabilities.argmax(axis=1) != labels})
    images["wrong"] = images.groupby("uncertainty")["wrong"].transform("mean")
    images = images.sort_values("uncertainty", kind="stable", ignore_index=True)
    images["coverage"] = np.arange(1, len(images) + 1) / len(images)
    images["risk"] = images.pop("wrong").expanding().mean()
    return images


def predictive_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each image's probabilities (n, k) in nats: float64 (n,), from 0 (sure) to log k."""
    return special.entr(np.asarray(probabilities, float)).sum(axis=-1)


def mutual_information(member_probabilities: np.ndarray) -> np.ndarray:
    """How much the members of an ensemble, (m, n, k), or passes with dropout, disagree about each image.

    Entropy of the mean less mean entropy (Houlsby et al. 2011; Gal et al. 2017), float64 (n,) in nats: 0 where
    all agree, at most log(min(m, k)).
    """
    members = np.asarray(member_probabilities, float)
    # Rounding can leave -1e-17 where all members agree.
    return np.maximum(predictive_entropy(members.mean(axis=0)) - predictive_entropy(members).mean(axis=0), 0)


def _images(labels: np.ndarray, probabilities: np.ndarray, n_bins: int) -> pd.DataFrame:
    """``confidence`` of each image, whether it is ``right``, and its ``bin``."""
    confidence = probabilities.max(axis=1).astype(float)
    member = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], confidence)
    return pd.DataFrame({"confidence": confidence, "right": probabilities.argmax(axis=1) == labels, "bin": member})


def _gaps(labels: np.ndarray, probabilities: np.ndarray, n_bins: int) -> np.ndarray:
    """What each image adds to the gap between accuracy and confidence of its bin, (n, n_bins)."""
    images = _images(labels, probabilities, n_bins)
    return (images["right"] - images["confidence"]).to_numpy()[:, None] * np.eye(n_bins)[images["bin"]]


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), TINY))
