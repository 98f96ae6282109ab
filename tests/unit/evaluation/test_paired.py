import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.evaluation import paired


def _discordant(only_a, only_b, both=70, neither=3):
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


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
    a, b = _discordant(only_a, only_b)
    row = paired.compare(a, b, np.arange(len(a)))
    assert row[["only first", "only second", "images", "rounds"]].tolist() == [only_a, only_b, 73 + only_a + only_b, 1]
    assert row["p McNemar, median"] == pytest.approx(p_value)
    assert row.difference == pytest.approx((only_a - only_b) / len(a))


def test_mcnemar_is_the_median_over_trainings():
    """Two rounds of two heads with (5, 0), (1, 0), (0, 3) and (2, 2) answers that only one of the two has right."""
    counts = [(5, 0), (1, 0), (0, 3), (2, 2)]
    pairs = [_discordant(*count, both=20 - sum(count), neither=0) for count in counts]
    a, b = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    rounds, heads = np.repeat([0, 0, 1, 1], 20), np.repeat([0, 1, 0, 1], 20)
    row = paired.compare(a, b, np.tile(np.arange(20), 4), rounds, heads)
    assert row["p McNemar, median"] == pytest.approx(np.median([stats.binomtest(x, x + y).pvalue for x, y in counts]))
    assert row[["only first", "only second", "images", "rounds"]].tolist() == [8, 5, 20, 2]


def test_scores_that_are_no_truth_values():
    generator = np.random.default_rng(0)
    dice, groups = generator.random((2, 50)), generator.integers(0, 30, 50)
    row = paired.compare(*dice, groups)
    assert row.difference == pytest.approx(dice[0].mean() - dice[1].mean())
    assert row[["only first", "only second", "p McNemar, median"]].isna().all()
    same = paired.compare(dice[0], dice[0], groups)
    assert same[["difference", "95 % low", "95 % high", "p"]].tolist() == [0, 0, 0, 1]


def test_table_has_a_row_for_each_pair_on_the_same_resamples():
    a, b = _discordant(9, 1)
    table = paired.table({("mask", "VGG16"): (a, b), ("image", "VGG16"): (b, a)}, np.arange(len(a)))
    assert isinstance(table.index, pd.MultiIndex)
    forward, backward = table.iloc[0], table.iloc[1]
    assert forward["95 % low"] == pytest.approx(-backward["95 % high"])
    assert forward.p == backward.p
    text = paired.in_words(table[:1])
    assert text.startswith("mask · VGG16: +0.096 (95 % interval +0.0")
    assert "excludes zero" in text
    a, b = _discordant(3, 2)
    assert "includes zero" in paired.in_words(paired.table({"x": (a, b)}, np.arange(len(a))))
