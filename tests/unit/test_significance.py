import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats import contingency_tables

from lib.evaluation import statistics as significance


def _discordant(only_a, only_b, both=70, neither=3):
    right_a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    right_b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return right_a, right_b


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        # 73 against 69 of 79: the best case for the paper's claim is that no image got worse.
        (4, 0, 2 * 0.5**4),
        (5, 1, 2 * (1 + 6) * 0.5**6),
        (1, 5, 2 * (1 + 6) * 0.5**6),
        (3, 3, 1),
        (0, 0, 1),
    ],
)
def test_mcnemar_by_hand(only_a, only_b, p_value):
    result = significance.mcnemar(*_discordant(only_a, only_b))
    assert (result.only_a, result.only_b, result.images) == (only_a, only_b, 73 + only_a + only_b)
    assert result.p_value == pytest.approx(p_value)


def test_mcnemar_is_statsmodels():
    right_a, right_b = np.random.default_rng(0).random((2, 60)) < [[0.8], [0.6]]
    table = [[(right_a & right_b).sum(), (right_a & ~right_b).sum()], [(~right_a & right_b).sum(), 0]]
    expected = contingency_tables.mcnemar(table, exact=True).pvalue
    assert significance.mcnemar(right_a, right_b).p_value == pytest.approx(expected)
    assert 0 < expected < 1


@pytest.mark.parametrize(
    ("right_a", "right_b", "message"),
    [
        (np.ones(3, bool), np.ones(4, bool), "arrays of 3, 4 images"),
        (np.ones(0, bool), np.ones(0, bool), "at least one"),
        (np.array([0, 1, 2]), np.array([0, 1, 1]), "truth values"),
    ],
)
def test_mcnemar_refuses(right_a, right_b, message):
    with pytest.raises(ValueError, match=message):
        significance.mcnemar(right_a, right_b)


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
    resampled = significance.cluster_bootstrap(lambda rows: roc_auc_score(labels[rows], scores[rows]), groups, 400)
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
    fast = significance.mean_bootstrap(values, groups, 300, seed=4)
    slow = significance.cluster_bootstrap(lambda rows: values[rows].mean(axis=0), groups, 300, seed=4)
    for name in ("estimate", "low", "high", "undefined"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name))
    assert (fast.low < fast.estimate).all()
    assert (fast.estimate < fast.high).all()
    other = significance.mean_bootstrap(values, groups, 300, seed=5)
    assert (other.low != fast.low).all()


def test_bootstrap_of_independent_images_is_the_binomial():
    """790 images, 73 of each 79 right: the percentiles are those of Binomial(790, 73/79) / 790."""
    right = np.arange(790) % 79 < 73
    result = significance.mean_bootstrap(right, np.arange(790), 20_000)
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
    significance.cluster_bootstrap(lambda rows: seen.append(np.bincount(rows, minlength=6)) or 0.0, groups, 50)
    counts = np.array(seen)
    assert (counts[-1] == 1).all()
    for members in ([1, 4], [0, 2, 5]):
        assert (counts[:-1, members] == counts[:-1, members[:1]]).all()
    np.testing.assert_array_equal(counts[:-1, [0, 1, 3]].sum(axis=1), 3)


def test_undefined_resamples_are_left_out_and_counted():
    """A class that lies in one of five groups is missed with probability (4/5)^5."""
    groups = np.arange(5)
    recall = np.array([1.0, np.nan, np.nan, np.nan, np.nan])
    result = significance.mean_bootstrap(recall, groups, 4000)
    assert (result.estimate, result.low, result.high) == (1, 1, 1)
    assert result.undefined / 4000 == pytest.approx(0.8**5, abs=0.03)
    slow = significance.cluster_bootstrap(lambda rows: 1.0 if (rows == 0).any() else np.nan, groups, 4000)
    assert slow == result
    never = significance.mean_bootstrap(np.full(5, np.nan), groups, 20)
    assert np.isnan([never.estimate, never.low, never.high]).all()
    assert never.undefined == 20
    mixed = significance.mean_bootstrap(np.stack([np.full(5, np.nan), np.ones(5)], axis=1), groups, 20)
    np.testing.assert_array_equal(mixed.undefined, [20, 0])
    np.testing.assert_array_equal(mixed.low, [np.nan, 1])


def test_paired_resamples_are_shared():
    generator = np.random.default_rng(2)
    labels, groups = generator.integers(0, 3, 200), generator.integers(0, 90, 200)
    a = np.where(generator.random(200) < 0.8, labels, 0)
    b = np.where(generator.random(200) < 0.02, 0, a)

    def accuracy(said, rows):
        return np.mean(labels[rows] == said[rows])

    paired = significance.paired_bootstrap(accuracy, a, b, groups, n_resamples=500, seed=1)
    means = significance.mean_bootstrap(1.0 * (labels == a) - (labels == b), groups, 500, seed=1)
    assert (paired.estimate, paired.low, paired.high) == pytest.approx((means.estimate, means.low, means.high))
    # Nearly the same predictions: the difference is far surer than either accuracy.
    alone = significance.mean_bootstrap(labels == a, groups, 500, seed=1)
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)
    same = significance.paired_bootstrap(accuracy, a, a, groups, n_resamples=20)
    assert (same.low, same.high) == (0, 0)


def test_bootstrap_refuses():
    values, groups = np.ones(4), np.arange(4)
    with pytest.raises(ValueError, match="arrays of 4, 3"):
        significance.mean_bootstrap(values, groups[:3])
    with pytest.raises(ValueError, match="arrays of 4, 4, 3"):
        significance.paired_bootstrap(lambda said, rows: said[rows].mean(), values, values, groups[:3])
    with pytest.raises(ValueError, match="arrays of 4, 5, 4"):
        significance.paired_bootstrap(lambda said, rows: said[rows].mean(), values, np.ones(5), groups)
    with pytest.raises(ValueError, match="at least one"):
        significance.mean_bootstrap(np.ones(0), np.ones(0))
    for bad in ({"groups": np.zeros(4)}, {"groups": []}, {"n_resamples": 0}, {"level": 1.0}):
        with pytest.raises(ValueError, match="no bootstrap"):
            significance.cluster_bootstrap(lambda rows: 0.0, **({"groups": groups} | bad))
