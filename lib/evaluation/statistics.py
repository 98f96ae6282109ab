"""How far a score can be trusted: intervals of one prediction's scores, paired tests between two predictions.

Related images (one lesion, one patient) are not independent.  The bootstraps here and DeLong's method take
``groups`` and resample or sum whole groups; Wilson's interval and McNemar's test cannot, and are too
confident where many images are related.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint


def proportion_interval(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of ``right`` successes out of ``n`` ≥ 1 independent trials."""
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} of {n} is no proportion")
    low, high = proportion_confint(right, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of at least two rounds.

    It covers what varies between the rounds (the seed of a training, say) and nothing else: rounds
    on one split share their test images, whose choice it cannot see.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        raise ValueError("an interval of a mean needs at least two values")
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


@dataclass(frozen=True)
class McNemar:
    """Images that only one of two predictions gets right, of how many, and the exact two-sided p value."""

    images: int
    only_a: int
    only_b: int
    p_value: float


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> McNemar:
    """McNemar's exact two-sided (binomial) test of two accuracies on the same, independent images.

    ``right_a`` and ``right_b``, bool (n,), say whether each prediction is right about each of n ≥ 1 images;
    other types and lengths that differ raise ValueError.  Without a discordant image the p value is 1.
    """
    right_a, right_b = np.asarray(right_a), np.asarray(right_b)
    _check_lengths(right_a, right_b)
    # Labels passed by mistake would be read as "not zero is right".
    if right_a.dtype != bool or right_b.dtype != bool:
        raise ValueError("McNemar's test compares arrays of truth values (right or wrong), not labels")
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p_value = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(len(right_a), only_a, only_b, p_value)


@dataclass(frozen=True)
class AucDifference:
    """Two areas under the ROC curve on the same images, a − b with its interval, two-sided p value."""

    auc_a: float
    auc_b: float
    difference: float
    low: float
    high: float
    p_value: float


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

    Lengths that differ, labels that are not binary, scores that are not finite and a class in fewer than two
    images or groups raise ValueError.
    """
    labels, groups = _binary(labels, groups)
    auc, influence = _influence(labels, scores)
    half = stats.norm.ppf((1 + level) / 2) * _standard_error(influence, labels, groups)
    return auc, max(auc - half, 0.0), min(auc + half, 1.0)


def delong(
    labels: np.ndarray,
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> AucDifference:
    """DeLong's test of two correlated AUCs: arguments, source and errors as for :func:`delong_interval`.

    The p value is 1 where both rank all pairs alike, and NaN where the AUCs differ without variance
    (one is 1, the other 0), which the method cannot judge.
    """
    labels, groups = _binary(labels, groups)
    (auc_a, influence_a), (auc_b, influence_b) = (_influence(labels, scores) for scores in (scores_a, scores_b))
    difference = auc_a - auc_b
    error = _standard_error(influence_a - influence_b, labels, groups)
    half = stats.norm.ppf((1 + level) / 2) * error
    no_error = 1.0 if abs(difference) < 1e-12 else float("nan")
    p_value = float(2 * stats.norm.sf(abs(difference) / error)) if error > 1e-12 else no_error
    return AucDifference(auc_a, auc_b, difference, max(difference - half, -1.0), min(difference + half, 1.0), p_value)


@dataclass(frozen=True)
class Bootstrap:
    """A statistic of all images with its percentile interval; each field but ``resamples`` has its shape.

    ``undefined`` says in how many resamples it was NaN: they are left out of the interval.
    """

    estimate: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    resamples: int
    undefined: int | np.ndarray


def cluster_bootstrap(
    statistic: Callable, groups: np.ndarray, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Bootstrap:
    """Percentile interval of any statistic over groups drawn with replacement (Davison & Hinkley 1997, 3.8).

    For means :func:`mean_bootstrap` gives the same from the same resamples, far faster.  Fewer than two
    groups, no resamples or a level outside (0, 1) raise ValueError.

    Parameters
    ----------
    statistic : of the indices of images, int (any length), to a float or an array of one shape.  It
        returns NaN where it is undefined (a resample that lacks a class, say); what it raises passes.
    groups : (n,); each group is drawn as a whole.  ``np.arange(n)`` for independent images.
    """
    member, counts = _resample(groups, n_resamples, seed, level)
    everyone = np.arange(len(member))
    replicates = [statistic(np.repeat(everyone, drawn[member])) for drawn in counts]
    return _percentiles(statistic(everyone), np.asarray(replicates, float), level)


def paired_bootstrap(statistic: Callable, a: np.ndarray, b: np.ndarray, groups: np.ndarray, **settings) -> Bootstrap:
    """Interval of ``statistic(a, indices) - statistic(b, indices)``, both on the same resamples of groups.

    ``a`` and ``b`` are two predictions (n, ...) of the same images, ``statistic`` is for example
    ``lambda said, rows: accuracy(labels[rows], said[rows])``.  Settings, NaN and errors as for
    :func:`cluster_bootstrap`; lengths that differ raise ValueError, too.
    """
    _check_lengths(a, b, groups)
    return cluster_bootstrap(lambda rows: statistic(a, rows) - statistic(b, rows), groups, **settings)


def mean_bootstrap(
    values: np.ndarray, groups: np.ndarray, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Bootstrap:
    """The bootstrap of means: the sums of the groups are resampled instead of the images.

    Of ``values``, (n,) or (n, k), right or wrong gives accuracy, the difference between two predictions their
    paired comparison.  NaN is no observation, so NaN for all images but those of one class gives its recall;
    a resample with nothing but NaN is undefined.  Else as :func:`cluster_bootstrap`; lengths that differ
    raise ValueError, too.
    """
    values = np.asarray(values, float)
    _check_lengths(values, groups)
    member, counts = _resample(groups, n_resamples, seed, level)
    observed = ~np.isnan(values)
    sums, sizes = np.zeros((2, counts.shape[1], *values.shape[1:]))
    np.add.at(sums, member, np.where(observed, values, 0))
    np.add.at(sizes, member, observed)
    with np.errstate(invalid="ignore"):
        return _percentiles(sums.sum(axis=0) / sizes.sum(axis=0), (counts @ sums) / (counts @ sizes), level)


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


def _resample(groups: np.ndarray, n_resamples: int, seed: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Each image's group (n,) and how often each group is drawn (n_resamples, groups)."""
    names, member = np.unique(groups, return_inverse=True)
    n = len(names)
    if n < 2 or n_resamples < 1 or not 0 < level < 1:
        raise ValueError(f"no bootstrap of {n} groups, {n_resamples} resamples, level {level}: needs 2, 1 and 0 to 1")
    drawn = np.random.default_rng(seed).integers(0, n, (n_resamples, n)) + n * np.arange(n_resamples)[:, None]
    return member, np.bincount(drawn.ravel(), minlength=n_resamples * n).reshape(n_resamples, n)


def _percentiles(estimate: float | np.ndarray, replicates: np.ndarray, level: float) -> Bootstrap:
    undefined = np.isnan(replicates).sum(axis=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Bootstrap(np.asarray(estimate, float)[()], low, high, len(replicates), undefined)
