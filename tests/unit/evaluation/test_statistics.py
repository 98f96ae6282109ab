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


def _delong(labels, scores, groups=None):
    return significance.delong_interval(labels, scores, np.arange(len(labels)) if groups is None else groups)


def _naive(labels, scores):
    """AUC and variance, DeLong et al. 1988 as printed: the kernel of each pair, structural components."""
    pairs = scores[labels][:, None] - scores[~labels][None]
    kernel = (pairs > 0) + 0.5 * (pairs == 0)
    variance = kernel.mean(1).var(ddof=1) / labels.sum() + kernel.mean(0).var(ddof=1) / (~labels).sum()
    return kernel.mean(), variance


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_delong_against_the_structural_components(seed):
    labels, _, scores = _scores(seed=seed)
    auc, variance = _naive(labels, scores)
    low, high = auc - 1.959964 * np.sqrt(variance), auc + 1.959964 * np.sqrt(variance)
    assert _delong(labels, scores) == pytest.approx((auc, low, min(high, 1)))
    assert auc == pytest.approx(roc_auc_score(labels, scores))


def test_delong_by_hand():
    """Positives 3, 1 over negatives 2, 0: AUC 3/4, components 1, 1/2 and 1/2, 1, variance 2 · (1/8) / 2."""
    auc, low, high = _delong(np.array([True, True, False, False]), np.array([3, 1, 2, 0.0]))
    assert (auc, low, high) == pytest.approx((0.75, 0.75 - 1.959964 * np.sqrt(1 / 8), 1))
    labels = _scores()[0]
    assert _delong(labels, labels.astype(float)) == (1, 1, 1)


def test_delong_covers_the_true_auc():
    """Normal scores one apart have AUC 0.760: of 400 intervals about 20 miss it (8 to 36 are allowed)."""
    generator, labels = np.random.default_rng(5), np.arange(160) < 70
    true = stats.norm.cdf(1 / np.sqrt(2))
    intervals = [_delong(labels, generator.normal(size=160) + labels)[1:] for _ in range(400)]
    assert 8 <= sum(not low <= true <= high for low, high in intervals) <= 36


def test_delong_with_groups():
    labels, scores, _ = _scores()
    plain = _delong(labels, scores)
    alone = _delong(labels, scores, np.random.default_rng(0).permutation(len(labels)))
    assert alone == pytest.approx(plain)
    # Every image twice says nothing new, if one says that they are the same.
    twice = np.tile(labels, 2), np.tile(scores, 2)
    assert _delong(*twice, np.tile(np.arange(len(labels)), 2)) == pytest.approx(plain)
    assert _delong(*twice)[1] > plain[1]


def test_delong_with_groups_of_both_classes_against_the_bootstrap():
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(150), 4)
    labels = generator.random(600) < 0.4
    scores = generator.normal(size=600) + 1.5 * generator.normal(size=150)[groups] + labels
    _, low, high = _delong(labels, scores, groups)
    drawn = [np.concatenate([np.flatnonzero(groups == g) for g in generator.integers(0, 150, 150)]) for _ in range(400)]
    resampled = np.quantile([roc_auc_score(labels[rows], scores[rows]) for rows in drawn], [0.025, 0.975])
    assert high - low == pytest.approx(np.diff(resampled)[0], rel=0.15)


@pytest.mark.parametrize("groups", [[0, 1, 2, 2], [0, 0, 1, 2]])
def test_delong_needs_two_groups_of_each_class(groups):
    with pytest.raises(ValueError, match="a variance needs two of each"):
        _delong(np.array([False, False, True, True]), np.arange(4.0), np.array(groups))


def test_bootstrap_of_independent_images_is_the_binomial(monkeypatch):
    """790 images, 73 of each 79 right: the percentiles are those of Binomial(790, 73/79) / 790."""
    right = np.arange(790) % 79 < 73
    monkeypatch.setattr(significance, "N_RESAMPLES", 20_000)
    result = significance.mean_bootstrap(right, np.arange(790))
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


def test_undefined_resamples_are_left_out(monkeypatch):
    """A class that lies in one of five groups is missed with probability (4/5)^5."""
    groups = np.arange(5)
    recall = np.array([1.0, np.nan, np.nan, np.nan, np.nan])
    monkeypatch.setattr(significance, "N_RESAMPLES", 4000)
    result = significance.mean_bootstrap(recall, groups)
    assert (result.estimate, result.low, result.high) == (1, 1, 1)
    assert np.isnan(result.replicates).mean() == pytest.approx(0.8**5, abs=0.03)
    assert result.p_value(0.5) == 1 / 4000
    mixed = significance.mean_bootstrap(np.stack([np.full(5, np.nan), np.ones(5)], axis=1), groups)
    np.testing.assert_array_equal(mixed.low, [np.nan, 1])


def _answers(seed=0):
    """Three rounds of 40 answers of images in 25 groups with names; not every group is in every round."""
    generator = np.random.default_rng(seed)
    return generator.random((120, 2)), generator.integers(0, 25, 120).astype(str), np.repeat([4, 7, 9], 40)


@pytest.mark.parametrize("with_rounds", [False, True])
def test_bootstrap_against_a_loop(with_rounds, monkeypatch):
    """Drawn one by one: an answer comes as often as its round times its group was drawn."""
    values, groups, rounds = _answers()
    values[::7, 0] = np.nan
    rounds = rounds if with_rounds else None
    monkeypatch.setattr(significance, "N_RESAMPLES", 40)
    result = significance.mean_bootstrap(values, groups, rounds, seed=3)
    names = np.unique(groups)
    drawn = np.random.default_rng(3).integers(0, len(names), (40, len(names)))
    turns = np.random.default_rng([3, 1]).integers(0, 3, (40, 3))
    for replicate, ours, theirs in zip(result.replicates, drawn, turns, strict=True):
        rows = []
        for turn in np.array([4, 7, 9])[theirs] if with_rounds else [None]:
            for group in names[ours]:
                rows.extend(np.flatnonzero((groups == group) & ((rounds == turn) if with_rounds else True)))
        assert replicate == pytest.approx(np.nanmean(values[rows], axis=0))
    assert result.estimate == pytest.approx(np.nanmean(values, axis=0))
    assert result.low == pytest.approx(np.quantile(result.replicates, 0.025, axis=0))
    assert result.high == pytest.approx(np.quantile(result.replicates, 0.975, axis=0))


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


def test_p_value_by_counting(monkeypatch):
    values, groups, _ = _answers()
    monkeypatch.setattr(significance, "N_RESAMPLES", 1000)
    bootstrap = significance.mean_bootstrap(values[:, 0] - 0.45, groups)
    below = np.mean(bootstrap.replicates < 0)
    assert bootstrap.p_value() == pytest.approx(2 * min(below, 1 - below))
    assert 0 < below < 0.5
    assert bootstrap.p_value(2.0) == 1 / 1000
    assert significance.mean_bootstrap(np.zeros(120), groups).p_value() == 1


def test_p_value_keeps_its_level(monkeypatch):
    generator = np.random.default_rng(1)
    monkeypatch.setattr(significance, "N_RESAMPLES", 300)
    p = [significance.mean_bootstrap(generator.normal(size=60), np.arange(60)).p_value() for _ in range(400)]
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
    significance.prediction_interval(lambda rows: sizes.append(len(rows)) or 0.0, groups // 4, trainings, 79)
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


def test_bootstrap_needs_two_groups():
    with pytest.raises(ValueError, match="it needs two"):
        significance.mean_bootstrap(np.ones(4), np.zeros(4))


def test_a_printed_value_fits_to_half_its_last_digit():
    assert significance.fits(0.8861, 0.8, 70 / 79), "70 of 79, rounded"
    assert not significance.fits(0.8862, 0.8, 70 / 79)
    assert significance.verdict_value(0.097, 0.0974, 0.2, digits=3) == significance.REPRODUCED
    assert significance.verdict_value(0.0970, 0.0974, 0.2) == significance.NOT_REPRODUCED
    assert significance.fits(pd.Series([0.5, np.nan]), 0.4, 0.6).tolist() == [True, False]
