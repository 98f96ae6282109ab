"""How far a score can be trusted: intervals, tests and the verdicts of ``report/protocol.md``, section 5.

Related images (one lesion, one patient) are not independent.  The bootstraps here and DeLong's method take
``groups`` and resample or sum whole groups; with ``rounds`` (trainings on splits of their own) rounds are
resampled as well.  Wilson's interval cannot, and is too narrow where many images are related.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

N_RESAMPLES = 2000

REPRODUCED = "reproduced"
DIRECTION_ONLY = "direction reproduced, size not reproduced"
NOT_REPRODUCED = "not reproduced"
CONTRADICTED = "contradicted by arithmetic"
UNDECIDED = "undecided at this sample size"
NOT_TESTABLE = "not testable here"


def proportion_interval(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of ``right`` successes out of ``n`` ≥ 1 independent trials."""
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} of {n} is no proportion")
    low, high = proportion_confint(right, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of independent values, such as one score a training; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan"), float("nan")
    interval = stats.ttest_1samp(np.asarray(values, float), 0).confidence_interval(level)
    return float(interval.low), float(interval.high)


def predicted_proportion(right: int, n: int, size: int, level: float = 0.95) -> tuple[float, float]:
    """Where the share of another test set of ``size`` should lie, if one training had ``right`` of ``n`` right.

    The error of both test sets is in it and nothing else: a beta-binomial distribution with Jeffreys' prior.
    """
    low, high = stats.betabinom(size, right + 0.5, n - right + 0.5).interval(level)
    return float(low) / size, float(high) / size


@dataclass(frozen=True)
class Bootstrap:
    """A statistic of all images, its percentile interval and its value in each resample.

    Attributes
    ----------
    estimate, low, high : float, or arrays (k,) for a statistic with k values.
    replicates : float (resamples,) or (resamples, k); NaN where a resample leaves it undefined.  The
        interval leaves those out.
    """

    estimate: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    replicates: np.ndarray

    def row(self, name: str = "value") -> dict[str, float]:
        """The estimate, called ``name``, and ``95 % low`` and ``95 % high`` as columns of a table."""
        return {name: self.estimate, "95 % low": self.low, "95 % high": self.high}

    def p_value(self, bound: float = 0.0) -> float | np.ndarray:
        """Two-sided: twice the smaller share of resamples at or beyond the bound, 1 / resamples to 1."""
        defined = (~np.isnan(self.replicates)).sum(axis=0)
        beyond = np.minimum((self.replicates <= bound).sum(axis=0), (self.replicates >= bound).sum(axis=0))
        with np.errstate(invalid="ignore"):
            return np.clip(2 * beyond / defined, 1 / len(self.replicates), 1)[()]


def mean_bootstrap(
    values: np.ndarray,
    groups: np.ndarray,
    rounds: np.ndarray | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Bootstrap:
    """Bootstrap of means over groups, and over rounds: an answer counts as often as both of its own were drawn.

    Parameters
    ----------
    values : bool or float (n,) or (n, k).  Right or not gives accuracy, a difference of two predictions
        their paired comparison.  NaN is no observation: NaN for all images but one class's gives its recall.
    groups : (n,); ``np.arange(n)`` for independent images.
    rounds : (n,), or None where every image is answered once.
    """
    values = np.asarray(values, float)
    member, drawn = _resample(groups, len(values), n_resamples, seed)
    turn, turns = _resample_rounds(rounds, member, n_resamples, seed)
    observed = ~np.isnan(values)
    sums, sizes = np.zeros((2, turns.shape[1], drawn.shape[1], *values.shape[1:]))
    np.add.at(sums, (turn, member), np.where(observed, values, 0))
    np.add.at(sizes, (turn, member), observed)
    total, count = (np.einsum("bg...,bg->b...", np.tensordot(turns, part, 1), drawn) for part in (sums, sizes))
    with np.errstate(invalid="ignore"):
        return _percentiles(sums.sum(axis=(0, 1)) / sizes.sum(axis=(0, 1)), total / count, level)


def prediction_interval(
    statistic: Callable[[np.ndarray], float | np.ndarray],
    groups: np.ndarray,
    trainings: np.ndarray,
    size: int,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Where the score of one hold-out of about ``size`` images should lie: the interval for a printed value.

    Each time one training is chosen, groups of its test images are drawn with replacement until they hold as
    nearly ``size`` images as they can, and the statistic of these is taken.

    Parameters
    ----------
    statistic : of the indices of answers, int (about size,), to a float or an array (k,).
    groups : (n,), of related images.
    trainings : (n,), one number for each round and head.
    """
    generator = np.random.default_rng(seed)
    pools = [
        [part[groups[part] == group] for group in np.unique(groups[part])]
        for part in (np.flatnonzero(trainings == one) for one in np.unique(trainings))
    ]
    replicates = []
    for _ in range(n_resamples):
        pool = pools[generator.integers(len(pools))]
        order = generator.integers(len(pool), size=size)
        filled = np.cumsum([len(pool[g]) for g in order])
        enough = int(np.argmin(np.abs(filled - size))) + 1
        replicates.append(statistic(np.concatenate([pool[g] for g in order[:enough]])))
    return _limits(np.asarray(replicates, float), level)


def delong_interval(
    labels: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """AUC, low, high (DeLong et al. 1988) by midranks (Sun & Xu 2014); the normal interval, cut to [0, 1].

    An AUC of 0 or 1 gets an interval of no width: the method's limit, not a claim of certainty.

    Parameters
    ----------
    labels : bool or 0/1 (n,), at least two of each.
    scores : float (n,), higher for the positive class; tied scores count one half.
    groups : (n,), or None for independent images.  With groups the variance is Obuchowski's (1997) for
        clustered data, which is DeLong's where each group is one image.
    """
    labels, groups = _binary(labels, groups)
    auc, influence = _influence(labels, scores)
    half = stats.norm.ppf((1 + level) / 2) * _standard_error(influence, labels, groups)
    return auc, max(auc - half, 0.0), min(auc + half, 1.0)


def holm(p_values: pd.Series) -> pd.Series:
    """Holm's adjusted p values; an endpoint without one counts as p = 1 (protocol, section 6)."""
    adjusted = multipletests(p_values.fillna(1.0), method="holm")[1]
    return pd.Series(adjusted, p_values.index, name="p Holm")


def verdict_difference(low: float, high: float, printed: float = float("nan")) -> str:
    """The protocol's word on a claim "A > B" from the 95 % interval of A - B and the printed difference, if any."""
    inside = not (printed < low or printed > high)  # true of NaN: nothing is printed
    if low > 0:
        return REPRODUCED if inside else DIRECTION_ONLY
    return UNDECIDED if high >= 0 and inside else NOT_REPRODUCED


def verdict_value(printed: float, low: float, high: float) -> str:
    """The protocol's word on a printed value: whether it lies in the 95 % interval."""
    return REPRODUCED if low <= printed <= high else NOT_REPRODUCED


def verdict_bound(estimate: float, low: float, high: float, bound: float) -> str:
    """The protocol's word on an endpoint that is to lie above a bound (P3, P4)."""
    if low > bound:
        return "reached"
    if high < bound:
        return "not reached"
    side = "above the bound" if estimate > bound else "below"
    return f"point estimate {side}, interval includes it"


def _check_lengths(first: np.ndarray, *others: np.ndarray) -> None:
    lengths = [len(array) for array in (first, *others)]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(f"arrays of {', '.join(map(str, lengths))} images: all must have the same, at least one")


def _binary(labels: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _check_lengths(labels, groups)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1: name the positive class, as in labels == 2")
    for side in (False, True):
        if (n := len(np.unique(groups[labels == side]))) < 2:
            raise ValueError(f"class {int(side)} lies in {n} images or groups: a variance needs two")
    return labels.astype(bool), groups


def _influence(labels: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray]:
    """AUC, and what each image adds to its error: its centred structural component over its class's size."""
    scores = np.asarray(scores, float)
    _check_lengths(labels, scores)
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    # How many images of the other class rank below: the rank among all less the rank in the own class.
    below = stats.rankdata(scores)
    for side in (True, False):
        below[labels == side] -= stats.rankdata(scores[labels == side])
    positives, negatives = labels.sum(), (~labels).sum()
    components = np.where(labels, below / negatives, 1 - below / positives)
    auc = components[labels].mean()
    return float(auc), (components - auc) / np.where(labels, positives, negatives)


def _standard_error(influence: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Obuchowski's (1997) formula for sums over groups; DeLong's where each group is one image."""
    member = np.unique(groups, return_inverse=True)[1]
    above, below = (np.bincount(member, influence * (labels == side)) for side in (True, False))
    n_above, n_below = (len(np.unique(member[labels == side])) for side in (True, False))
    terms = (n_above, above @ above), (n_below, below @ below), (len(above), 2 * above @ below)
    variance = sum(n / (n - 1) * term for n, term in terms)
    return float(np.sqrt(max(variance, 0.0)))


def _resample(groups: np.ndarray, n: int, n_resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each answer's group (n,) and how often each group is drawn (n_resamples, groups)."""
    names, member = np.unique(groups, return_inverse=True)
    if len(member) != n or len(names) < 2:
        raise ValueError(
            f"no bootstrap of {len(names)} groups of {len(member)} images for {n} values: needs two groups"
        )
    return member, _draw(len(names), n_resamples, np.random.default_rng(seed))


def _resample_rounds(
    rounds: np.ndarray | None, member: np.ndarray, n_resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same for rounds, drawn on their own; one round, drawn once each time, where there are none."""
    if rounds is None:
        return np.zeros_like(member), np.ones((n_resamples, 1), int)
    names, turn = np.unique(rounds, return_inverse=True)
    if len(turn) != len(member):
        raise ValueError(f"rounds of {len(turn)} answers for {len(member)} values")
    return turn, _draw(len(names), n_resamples, np.random.default_rng([seed, 1]))


def _draw(n: int, n_resamples: int, generator: np.random.Generator) -> np.ndarray:
    drawn = generator.integers(0, n, (n_resamples, n)) + n * np.arange(n_resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_resamples * n).reshape(n_resamples, n)


def _percentiles(estimate: float | np.ndarray, replicates: np.ndarray, level: float) -> Bootstrap:
    return Bootstrap(np.asarray(estimate, float)[()], *_limits(replicates, level), replicates)


def _limits(replicates: np.ndarray, level: float) -> tuple[float | np.ndarray, float | np.ndarray]:
    never = np.isnan(replicates).all(axis=0)
    limits = np.nanquantile(np.where(never, 0, replicates), [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = np.where(never, np.nan, limits)
    return low[()], high[()]
