import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.data import splits
from lib.data.record import DataError

BUSI = np.repeat([0, 1, 2], [133, 437, 210])


def test_busi_gives_the_papers_sizes():
    split = splits.stratified(BUSI, 0)
    assert [len(part) for part in split.parts().values()] == [623, 78, 79]
    # The recalls of Table I are multiples of 1/14, 1/44 and 1/21.
    assert np.bincount(BUSI[split.test]).tolist() == [14, 44, 21]


@given(st.lists(st.integers(10, 60), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_every_image_once_and_every_class_in_its_proportion(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    split = splits.stratified(labels, seed)
    everything = np.concatenate(list(split.parts().values()))
    assert sorted(everything) == list(range(len(labels)))
    for label, n in enumerate(counts):
        for part, share in zip(split.parts().values(), (0.8, 0.1, 0.1), strict=True):
            assert abs((labels[part] == label).sum() - share * n) <= 1


def test_seed_decides():
    one, same, other = (splits.stratified(BUSI, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)
    # Keys of published results hold the split as it is.
    assert [int(part.sum()) for part in one.parts().values()] == [242466, 30808, 30536], (
        "the split of round 0 has changed"
    )


def test_too_few_images_of_a_class():
    with pytest.raises(DataError, match="class 1 has 4 images"):
        splits.stratified(np.repeat([0, 1], [50, 4]), 0)


def test_folds_hold_every_class_and_whole_groups():
    groups = np.repeat(np.arange(390), 2)
    folds = splits.k_fold(BUSI, 5, 0, groups)
    assert (folds[::2] == folds[1::2]).all()
    assert np.bincount(folds).min() > 140
    with pytest.raises(DataError, match="class 2: too few images, or too large groups of them, for 5 folds"):
        splits.k_fold(BUSI, 5, 0, np.where(BUSI == 2, 1000, np.arange(780)))
    with pytest.raises(DataError, match="class 1: too few"):
        splits.k_fold(np.repeat([0, 1], [50, 4]), 5, 0)


def test_classes_that_are_all_smaller_than_the_folds():
    with pytest.raises(DataError, match="5 folds"):
        splits.k_fold(np.arange(3).repeat(2), 5, 0)
