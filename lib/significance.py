"""How far a score can be trusted: intervals of proportions and of means over rounds."""

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
