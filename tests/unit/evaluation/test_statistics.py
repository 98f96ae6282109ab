import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from lib.evaluation import statistics as significance


def test_wilson_interval_of_the_papers_result():
    """73 of 79: 0.844 to 0.965, by Wilson's formula written out."""
    low, high = significance.proportion_interval(73, 79)
    z, n, p = 1.959963984540054, 79, 73 / 79
    centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (low, high) == pytest.approx(((centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)))
    assert (round(low, 3), round(high, 3)) == (0.844, 0.965)
    with pytest.raises(ValueError, match="no proportion"):
        significance.proportion_interval(5, 4)


def test_interval_of_a_mean():
    # t(0.975, 4) = 2.776445; the standard error of 1..5 is sqrt(2.5 / 5).
    assert significance.mean_interval([1, 2, 3, 4, 5]) == pytest.approx(
        (3 - 2.776445 * 0.5**0.5, 3 + 2.776445 * 0.5**0.5)
    )
    assert np.isnan(significance.mean_interval([1])).all()


def _scores(n=60, seed=0):
    """Labels and two correlated scores with many ties."""
    generator = np.random.default_rng(seed)
    labels = generator.random(n) < 0.4
    shared = generator.normal(size=n) + labels
    a, b = (np.round(2 * (shared + generator.normal(size=n) * s)) / 2 for s in (0.5, 1.5))
    return labels, a, b


def _naive(labels, *scores):
    """DeLong et al. 1988 as printed: the kernel of each pair, structural components, their covariances."""
    pairs = [s[labels][:, None] - s[~labels][None] for s in scores]
    kernels = [(d > 0) + 0.5 * (d == 0) for d in pairs]
    aucs = np.array([k.mean() for k in kernels])
    covariance = np.cov([k.mean(1) for k in kernels]) / labels.sum()
    return aucs, covariance + np.cov([k.mean(0) for k in kernels]) / (~labels).sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_delong_against_the_structural_components(seed):
    labels, a, b = _scores(seed=seed)
    aucs, covariance = _naive(labels, a, b)
    result = significance.delong(labels, a, b)
    assert (result.auc_a, result.auc_b) == pytest.approx((roc_auc_score(labels, a), roc_auc_score(labels, b)))
    assert (result.auc_a, result.auc_b) == pytest.approx(tuple(aucs))
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = aucs[0] - aucs[1]
    assert result.difference == pytest.approx(difference)
    assert (result.low, result.high) == pytest.approx((difference - 1.959964 * error, difference + 1.959964 * error))
    assert result.p_value == pytest.approx(2 * stats.norm.cdf(-abs(difference) / error))
    auc, low, high = significance.delong_interval(labels.astype(int), b)
    half = 1.959964 * np.sqrt(covariance[1, 1])
    assert (auc, low, high) == pytest.approx((aucs[1], aucs[1] - half, min(aucs[1] + half, 1)))


def test_delong_by_hand():
    """Positives 3, 1 over negatives 2, 0: AUC 3/4, components 1, 1/2 and 1/2, 1, variance 2 · (1/8) / 2."""
    auc, low, high = significance.delong_interval(np.array([1, 1, 0, 0]), np.array([3, 1, 2, 0.0]), level=0.5)
    half = 0.6744898 * np.sqrt(1 / 8)
    assert (auc, low, high) == pytest.approx((0.75, 0.75 - half, 0.75 + half))


def test_delong_of_the_same_ranking_and_of_perfect_ones():
    labels, a, b = _scores()
    same = significance.delong(labels, a, 3 * a - 7)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    swapped, forward = significance.delong(labels, b, a), significance.delong(labels, a, b)
    assert (swapped.difference, swapped.p_value) == pytest.approx((-forward.difference, forward.p_value))
    assert significance.delong_interval(labels, labels.astype(float)) == (1, 1, 1)
    opposed = significance.delong(labels, labels, ~labels)
    assert opposed.difference == 1
    assert np.isnan(opposed.p_value)


def test_delong_keeps_its_level():
    """Under the null hypothesis p is uniform: of 400 tests about 20 are below 0.05 (13 to 33 are 99.5 %)."""
    generator = np.random.default_rng(5)
    labels = np.arange(120) < 50
    p_values = [significance.delong(labels, *(generator.normal(size=(2, 120)) + labels)).p_value for _ in range(400)]
    assert 9 <= np.sum(np.array(p_values) < 0.05) <= 34
    assert 150 <= np.sum(np.array(p_values) < 0.5) <= 250


def test_delong_with_groups():
    labels, a, b = _scores()
    plain = significance.delong(labels, a, b)
    alone = significance.delong(labels, a, b, groups=np.random.default_rng(0).permutation(len(labels)))
    assert alone.p_value == pytest.approx(plain.p_value)
    # Every image twice says nothing new, if one says that they are the same.
    twice = [np.tile(array, 2) for array in (labels, a, b)]
    told = significance.delong(*twice, groups=np.tile(np.arange(len(labels)), 2))
    assert (told.low, told.high, told.p_value) == pytest.approx((plain.low, plain.high, plain.p_value))
    assert significance.delong(*twice).p_value < plain.p_value


def test_delong_with_groups_of_both_classes_against_the_bootstrap():
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(150), 4)
    labels = generator.random(600) < 0.4
    scores = generator.normal(size=600) + 1.5 * generator.normal(size=150)[groups] + labels
    _, low, high = significance.delong_interval(labels, scores, groups)
    resampled = significance.cluster_bootstrap(
        lambda rows: roc_auc_score(labels[rows], scores[rows]), groups, n_resamples=400
    )
    assert high - low == pytest.approx(resampled.high - resampled.low, rel=0.15)


@pytest.mark.parametrize(
    ("labels", "scores", "groups", "message"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.3], None, "arrays of 4, 3"),
        ([], [], None, "at least one"),
        ([0, 0, 1, 2], [0, 0, 0, 0], None, "0 or 1"),
        ([0, 0, 1, 1], [0, 0, 0, np.nan], None, "finite"),
        ([0, 0, 0, 1], [0, 0, 0, 1], None, "class 1 lies in 1"),
        ([1, 1, 1, 1], [0, 0, 0, 1], None, "class 0 lies in 0"),
        ([0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 2, 2], "class 1 lies in 1"),
        ([0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 2], "arrays of 4, 3"),
    ],
)
def test_delong_refuses(labels, scores, groups, message):
    labels, scores = np.array(labels), np.array(scores, float)
    groups = None if groups is None else np.array(groups)
    with pytest.raises(ValueError, match=message):
        significance.delong_interval(labels, scores, groups)
    with pytest.raises(ValueError, match=message):
        significance.delong(labels, scores, scores, groups)


def test_both_ways_of_a_mean_agree():
    generator = np.random.default_rng(0)
    groups, values = generator.integers(0, 25, 80), generator.random((80, 2))
    fast = significance.mean_bootstrap(values, groups, n_resamples=300, seed=4)
    slow = significance.cluster_bootstrap(lambda rows: values[rows].mean(axis=0), groups, n_resamples=300, seed=4)
    for name in ("estimate", "low", "high", "replicates"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name))
    assert (fast.low < fast.estimate).all()
    assert (fast.estimate < fast.high).all()
    other = significance.mean_bootstrap(values, groups, n_resamples=300, seed=5)
    assert (other.low != fast.low).all()


def test_bootstrap_of_independent_images_is_the_binomial():
    """790 images, 73 of each 79 right: the percentiles are those of Binomial(790, 73/79) / 790."""
    right = np.arange(790) % 79 < 73
    result = significance.mean_bootstrap(right, np.arange(790), n_resamples=20_000)
    expected = stats.binom.ppf([0.025, 0.975], 790, 73 / 79) / 790
    assert (result.low, result.high) == pytest.approx(tuple(expected), abs=2 / 790)
    assert result.estimate == pytest.approx(73 / 79)


def test_duplicates_do_not_narrow_a_clustered_interval():
    values = np.random.default_rng(1).random(50)
    once = significance.mean_bootstrap(values, np.arange(50))
    ten = significance.mean_bootstrap(np.repeat(values, 10), np.repeat(np.arange(50), 10))
    assert (ten.low, ten.high) == pytest.approx((once.low, once.high))
    naive = significance.mean_bootstrap(np.repeat(values, 10), np.arange(500))
    assert naive.high - naive.low < 0.5 * (ten.high - ten.low)


def test_whole_groups_are_drawn():
    """Groups may have names and any order; an image comes as often as all others of its group."""
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    seen = []
    significance.cluster_bootstrap(
        lambda rows: seen.append(np.bincount(rows, minlength=6)) or 0.0, groups, n_resamples=50
    )
    counts = np.array(seen)
    assert (counts[-1] == 1).all()
    for members in ([1, 4], [0, 2, 5]):
        assert (counts[:-1, members] == counts[:-1, members[:1]]).all()
    np.testing.assert_array_equal(counts[:-1, [0, 1, 3]].sum(axis=1), 3)


def test_undefined_resamples_are_left_out():
    """A class that lies in one of five groups is missed with probability (4/5)^5."""
    groups = np.arange(5)
    recall = np.array([1.0, np.nan, np.nan, np.nan, np.nan])
    result = significance.mean_bootstrap(recall, groups, n_resamples=4000)
    assert (result.estimate, result.low, result.high) == (1, 1, 1)
    assert np.isnan(result.replicates).mean() == pytest.approx(0.8**5, abs=0.03)
    assert result.p_value(0.5) == 1 / 4000
    slow = significance.cluster_bootstrap(lambda rows: 1.0 if (rows == 0).any() else np.nan, groups, n_resamples=4000)
    np.testing.assert_array_equal(slow.replicates, result.replicates)
    mixed = significance.mean_bootstrap(np.stack([np.full(5, np.nan), np.ones(5)], axis=1), groups, n_resamples=20)
    np.testing.assert_array_equal(mixed.low, [np.nan, 1])


def _answers(seed=0):
    """Three rounds of 40 answers of images in 25 groups; not every group is in every round."""
    generator = np.random.default_rng(seed)
    return generator.random(120), generator.integers(0, 25, 120), np.repeat([4, 7, 9], 40)


def test_two_way_bootstrap_against_a_loop():
    """An answer counts as often as its round times its group was drawn."""
    values, groups, rounds = _answers()
    fast = significance.mean_bootstrap(values, groups, rounds, n_resamples=50, seed=3)
    slow = significance.cluster_bootstrap(lambda rows: values[rows].mean(), groups, rounds, 50, seed=3)
    np.testing.assert_allclose(fast.replicates, slow.replicates)
    assert (fast.estimate, fast.low, fast.high) == pytest.approx((slow.estimate, slow.low, slow.high))
    times = []
    significance.cluster_bootstrap(lambda rows: times.append(np.bincount(rows, minlength=120)) or 0, groups, rounds, 50)
    for drawn in times[:-1]:
        weights = pd.DataFrame({"round": rounds, "group": groups, "times": drawn}).pivot_table(
            "times", "round", "group", aggfunc=["min", "max"]
        )
        pd.testing.assert_frame_equal(weights["min"], weights["max"])
        assert np.linalg.matrix_rank(weights["min"].dropna(axis=1)) <= 1  # products of a round's and a group's


def test_two_way_interval_sees_luck_of_training():
    """Rounds that differ: with them the interval is that of few rounds, without them far too narrow."""
    generator = np.random.default_rng(0)
    rounds = np.repeat(np.arange(10), 400)
    values = generator.normal(size=10)[rounds] + 0.1 * generator.normal(size=4000)
    groups = np.tile(np.arange(400), 10)
    both = significance.mean_bootstrap(values, groups, rounds)
    alone = significance.mean_bootstrap(values, groups)
    expected = 2 * 1.96 * values.reshape(10, 400).mean(axis=1).std() / np.sqrt(10)
    assert both.high - both.low == pytest.approx(expected, rel=0.1)
    assert alone.high - alone.low < 0.1 * (both.high - both.low)
    single = significance.mean_bootstrap(values, groups, np.zeros(4000))
    np.testing.assert_allclose(single.replicates, alone.replicates)


def test_p_value_by_counting():
    values, groups, _ = _answers()
    bootstrap = significance.mean_bootstrap(values - 0.45, groups, n_resamples=1000)
    below = np.mean(bootstrap.replicates < 0)
    assert bootstrap.p_value() == pytest.approx(2 * min(below, 1 - below))
    assert 0 < below < 0.5
    assert bootstrap.p_value(2.0) == 1 / 1000
    assert significance.mean_bootstrap(np.zeros(120), groups).p_value() == 1


def test_p_value_keeps_its_level():
    generator = np.random.default_rng(1)
    p = [
        significance.mean_bootstrap(generator.normal(size=60), np.arange(60), n_resamples=300).p_value()
        for _ in range(400)
    ]
    assert 9 <= np.sum(np.array(p) < 0.05) <= 36


def test_prediction_interval_of_one_hold_out():
    """Independent images and equal trainings: the percentiles of Binomial(79, 0.9) / 79."""
    right = np.tile(np.arange(1000) < 900, 2)
    groups, trainings = np.tile(np.arange(1000), 2), np.repeat([0, 1], 1000)
    interval = significance.prediction_interval(lambda rows: right[rows].mean(), groups, trainings, 79)
    assert interval == pytest.approx(tuple(stats.binom(79, 0.9).interval(0.95) / np.array(79)), abs=1.5 / 79)
    # Trainings that differ widen it: one has all right, one none.
    luck = significance.prediction_interval(lambda rows: trainings[rows].mean(), groups, trainings, 79)
    assert luck == (0, 1)
    sizes = []
    significance.prediction_interval(lambda rows: sizes.append(len(rows)) or 0.0, groups // 4, trainings, 79, 20)
    assert set(sizes) == {80}  # groups of four, whole


def test_predicted_proportion_has_the_error_of_both_test_sets():
    low, high = significance.predicted_proportion(9860, 10_000, 10_000)
    half = 1.96 * np.sqrt(2 * 0.986 * 0.014 / 10_000)
    assert (low, high) == pytest.approx((0.986 - half, 0.986 + half), abs=2e-4)


def test_holm_by_hand():
    p_values = pd.Series({"P1": 0.01, "P2": 0.04, "P3": np.nan, "P4": 0.03})
    # 4 · 0.01, then 3 · 0.03, then max(2 · 0.04, 0.09), then 1.
    assert significance.holm(p_values).tolist() == pytest.approx([0.04, 0.09, 1, 0.09])


@pytest.mark.parametrize(
    ("low", "high", "printed", "verdict"),
    [
        (0.01, 0.08, 0.0507, "reproduced"),
        (0.01, 0.08, np.nan, "reproduced"),
        (0.01, 0.04, 0.0507, "direction reproduced, size not reproduced"),
        (-0.08, -0.01, 0.0507, "not reproduced"),
        (-0.02, 0.04, 0.0507, "not reproduced"),
        (-0.02, 0.06, 0.0507, "undecided at this sample size"),
        (-0.02, 0.06, np.nan, "undecided at this sample size"),
    ],
)
def test_verdict_on_a_difference(low, high, printed, verdict):
    assert significance.verdict_difference(low, high, printed) == verdict


def test_verdict_on_a_value():
    assert significance.verdict_value(0.9241, 0.80, 0.93) == "reproduced"
    assert significance.verdict_value(0.9241, 0.80, 0.92) == "not reproduced"


@pytest.mark.parametrize(
    ("estimate", "low", "high", "verdict"),
    [
        (0.83, 0.81, 0.85, "reached"),
        (0.81, 0.78, 0.84, "point estimate above the bound, interval includes it"),
        (0.79, 0.76, 0.82, "point estimate below, interval includes it"),
        (0.75, 0.72, 0.78, "not reached"),
    ],
)
def test_verdict_on_a_bound(estimate, low, high, verdict):
    assert significance.verdict_bound(estimate, low, high, 0.80) == verdict


@pytest.mark.parametrize(
    ("groups", "rounds", "message"),
    [
        (np.arange(3), None, "no bootstrap of 3 groups"),
        (np.zeros(4), None, "needs two groups"),
        (np.arange(4), np.arange(3), "rounds of 3"),
    ],
)
def test_bootstrap_refuses(groups, rounds, message):
    with pytest.raises(ValueError, match=message):
        significance.mean_bootstrap(np.ones(4), groups, rounds)
