"""How far a score can be trusted: intervals, tests and the verdicts of ``report/protocol.md``, section 5.

Related images (one lesion, one patient) are not independent.  The bootstraps here and DeLong's method take
``groups`` and resample or sum whole groups; with ``rounds`` (trainings on splits of their own) rounds are
resampled as well.  Wilson's interval cannot, and is too narrow where many images are related.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

N_RESAMPLES = 2000
LEVEL = 0.95

REPRODUCED, DIRECTION_ONLY = "reproduced", "direction reproduced, size not reproduced"
NOT_REPRODUCED, CONTRADICTED = "not reproduced", "contradicted by arithmetic"
UNDECIDED, NOT_TESTABLE = "undecided at this sample size", "not testable here"
VERDICTS = (REPRODUCED, DIRECTION_ONLY, NOT_REPRODUCED, CONTRADICTED, UNDECIDED, NOT_TESTABLE)


def proportion_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of ``right`` successes out of ``n`` ≥ 1 independent trials."""
    return proportion_confint(right, n, method="wilson")


def mean_interval(values: np.ndarray, shared: float = 0) -> tuple[float, float]:
    """Student's 95 % interval of the mean of independent values, one score per training, say; NaN below two.

    ``shared`` corrects for trainings on random parts of the same images (Nadeau & Bengio 2003): images of the test
    part over those of the training part.
    """
    if (n := len(values)) < 2:
        return np.nan, np.nan
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) * np.sqrt(1 / n + shared)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def predicted_proportion(right: int, n: int, size: int) -> tuple[float, float]:
    """Where the share of another test set of ``size`` should lie, if one training had ``right`` of ``n`` right.

    The error of both test sets is in it and nothing else: a beta-binomial distribution with Jeffreys' prior.
    """
    low, high = stats.betabinom(size, right + 0.5, n - right + 0.5).interval(LEVEL)
    return low / size, high / size


@dataclass(frozen=True)
class Bootstrap:
    """A statistic of all images, its percentile interval and its value in each resample.

    Attributes
    ----------
    estimate, low, high : float, or arrays (k,) for a statistic with k values.
    replicates : float (resamples,) or (resamples, k); NaN where a resample leaves it undefined.  The
        interval leaves those out.
    """

    estimate: float | Any
    low: float | Any
    high: float | Any
    replicates: np.ndarray

    def row(self, name: str = "value") -> dict[str, Any]:
        """The estimate, called ``name``, and ``95 % low`` and ``95 % high`` as columns of a table."""
        return {name: self.estimate, "95 % low": self.low, "95 % high": self.high}

    def p_value(self, bound: float = 0.0) -> float | np.ndarray:
        """Two-sided: twice the smaller share of resamples at or beyond the bound, 1 / resamples to 1."""
        defined = (~np.isnan(self.replicates)).sum(axis=0)
        beyond = np.minimum((self.replicates <= bound).sum(axis=0), (self.replicates >= bound).sum(axis=0))
        with np.errstate(invalid="ignore"):
            return np.clip(2 * beyond / defined, 1 / len(self.replicates), 1)[()]


def mean_bootstrap(
    values: np.ndarray, groups: np.ndarray, rounds: np.ndarray | None = None, seed: int = 0
) -> Bootstrap:
    """Bootstrap of means over groups, and over rounds: an answer counts as often as both of its own were drawn.

    Parameters
    ----------
    values : bool or float (n,) or (n, k).  Right or not gives accuracy, a difference of two predictions
        their paired comparison.  NaN is no observation: NaN for all images but one class's gives its recall.
    groups : (n,), two or more; ``np.arange(n)`` for independent images.
    rounds : (n,), or None where every image is answered once.
    """
    values = np.asarray(values, float)
    member, drawn = _resample(groups, np.random.default_rng(seed))
    if drawn.shape[1] < 2:
        raise ValueError("no bootstrap of one group: it needs two")
    turn, turns = _resample(np.zeros(len(values)) if rounds is None else rounds, np.random.default_rng([seed, 1]))
    observed = ~np.isnan(values)
    sums, sizes = np.zeros((2, turns.shape[1], drawn.shape[1], *values.shape[1:]))
    np.add.at(sums, (turn, member), np.where(observed, values, 0))
    np.add.at(sizes, (turn, member), observed)
    total, count = (np.einsum("bg...,bg->b...", np.tensordot(turns, part, 1), drawn) for part in (sums, sizes))
    with np.errstate(invalid="ignore"):
        estimate, replicates = sums.sum(axis=(0, 1)) / sizes.sum(axis=(0, 1)), total / count
    return Bootstrap(estimate, *limits(replicates), replicates)


def prediction_interval(
    statistic: Callable[[np.ndarray], Any], groups: np.ndarray, trainings: np.ndarray, size: int
) -> tuple[Any, Any]:
    """Where the score of one hold-out of about ``size`` images should lie: the interval for a printed value.

    Each time one training is chosen, groups of its test images are drawn with replacement until they hold as
    nearly ``size`` images as they can, and the statistic of these is taken.

    Parameters
    ----------
    statistic : of the indices of answers, int (about size,), to a float or an array (k,).
    groups : (n,), of related images.
    trainings : (n,), one number for each round and head.
    """
    generator = np.random.default_rng(0)
    pools = [
        [part[groups[part] == group] for group in np.unique(groups[part])]
        for part in (np.flatnonzero(trainings == one) for one in np.unique(trainings))
    ]
    replicates = []
    for _ in range(N_RESAMPLES):
        pool = pools[generator.integers(len(pools))]
        order = generator.integers(len(pool), size=size)
        filled = np.cumsum([len(pool[g]) for g in order])
        enough = int(np.argmin(np.abs(filled - size))) + 1
        replicates.append(statistic(np.concatenate([pool[g] for g in order[:enough]])))
    return limits(np.asarray(replicates, float))


def delong_interval(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """AUC and 95 % interval (DeLong et al. 1988) by midranks (Sun & Xu 2014); the normal interval, cut to [0, 1].

    An AUC of 0 or 1 gets an interval of no width: the method's limit, not a claim of certainty.

    Parameters
    ----------
    labels : bool (n,), each in at least two groups.
    scores : float (n,), higher for the positive class; tied scores count one half.
    groups : (n,), ``np.arange(n)`` for independent images.  The variance is Obuchowski's (1997) for
        clustered data, which is DeLong's where each group is one image.
    """
    member = np.unique(groups, return_inverse=True)[1]
    n_groups = [len(np.unique(member[labels == side])) for side in (True, False)]
    if min(n_groups) < 2:
        raise ValueError(f"the classes lie in {n_groups} groups: a variance needs two of each")
    # How many images of the other class rank below: the rank among all less the rank in the own class.
    below = stats.rankdata(scores)
    for side in (True, False):
        below[labels == side] -= stats.rankdata(scores[labels == side])
    positives, negatives = labels.sum(), (~labels).sum()
    components = np.where(labels, below / negatives, 1 - below / positives)
    auc = components[labels].mean()
    influence = (components - auc) / np.where(labels, positives, negatives)
    above, below = (np.bincount(member, influence * (labels == side)) for side in (True, False))
    terms = zip((*n_groups, len(above)), (above @ above, below @ below, 2 * above @ below), strict=True)
    variance = sum(n / (n - 1) * term for n, term in terms)
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(max(variance, 0.0))
    return auc, max(auc - half, 0.0), min(auc + half, 1.0)


def holm(p_values: pd.Series) -> pd.Series:
    """Holm's adjusted p values; an endpoint without one counts as p = 1 (protocol, section 6)."""
    adjusted = multipletests(p_values.fillna(1.0), method="holm")[1]
    return pd.Series(adjusted, p_values.index, name="p Holm")


def verdict_difference(low: float, high: float, printed: float = float("nan")) -> str:
    """The protocol's verdict on a claim "A > B" from the 95 % interval of A - B and the printed difference, if any."""
    inside = not (printed < low or printed > high)  # true of NaN: nothing is printed
    if low > 0:
        return REPRODUCED if inside else DIRECTION_ONLY
    return UNDECIDED if high >= 0 and inside else NOT_REPRODUCED


def fits(printed: Any, low: Any, high: Any, digits: int = 4) -> Any:
    """Whether a printed value lies in an interval, to half its last digit: 70 of 79 is printed as 0.8861.

    Numbers, or columns of them; ``digits`` behind the point are printed.
    """
    half = 0.5 * 10.0**-digits
    return (low - half <= printed) & (printed <= high + half)


def verdict_value(printed: float, low: float, high: float, digits: int = 4) -> str:
    """The protocol's verdict on a printed value: whether it :func:`fits` the 95 % interval."""
    return REPRODUCED if fits(printed, low, high, digits) else NOT_REPRODUCED


def verdict_bound(estimate: float, low: float, high: float, bound: float) -> str:
    """The protocol's verdict on an endpoint that is to lie above a bound (P3, P4)."""
    if low > bound:
        return "reached"
    if high < bound:
        return "not reached"
    return f"point estimate {'above the bound' if estimate > bound else 'below'}, interval includes it"


def _resample(units: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The number of each answer's unit (n,), and how often each unit is drawn, (:data:`N_RESAMPLES`, units)."""
    names, member = np.unique(units, return_inverse=True)
    shape = N_RESAMPLES, len(names)
    drawn = generator.integers(0, len(names), shape) + len(names) * np.arange(N_RESAMPLES)[:, None]
    return member, np.bincount(drawn.ravel(), minlength=drawn.size).reshape(shape)


def limits(replicates: np.ndarray) -> tuple[Any, Any]:
    """Percentile limits of the 95 % interval over the first axis; resamples without a value (NaN) do not count."""
    never = np.isnan(replicates).all(axis=0)
    limits = np.nanquantile(np.where(never, 0, replicates), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    low, high = np.where(never, np.nan, limits)
    return low[()], high[()]
