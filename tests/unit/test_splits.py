import numpy as np
import pandas as pd
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
    names = np.array([f"image {k}" for k in range(780)])
    digests = [splits.stratified(BUSI, seed).digest(names) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == "a4d75b5fc8e5", "the split that the report was made with has changed"


def test_csv_round_trip_in_any_order(tmp_path):
    names = np.array([f"image ({k})" for k in range(780)])
    split = splits.stratified(BUSI, 3)
    path = split.to_csv(tmp_path / "split.csv", names)
    again = splits.from_csv(path, names)
    assert all(np.array_equal(a, b) for a, b in zip(split.parts().values(), again.parts().values(), strict=True))
    backwards = splits.from_csv(path, names[::-1])
    assert set(names[::-1][backwards.test]) == set(names[split.test])


def test_part_names_say_the_same():
    split = splits.stratified(BUSI, 0)
    parts = splits.part_names(split)
    assert all(np.array_equal(np.flatnonzero(parts == part), indices) for part, indices in split.parts().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.iloc[1:], "1 left out"),
        (lambda frame: pd.concat([frame, pd.DataFrame({"name": ["x"], "part": ["test"]})]), "1 unknown images"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "1 repeated"),
        (lambda frame: frame.assign(part="tset"), "with parts train, validation, test"),
        (lambda frame: frame.rename(columns={"name": "image"}), "needs columns name and part"),
    ],
)
def test_a_csv_that_does_not_fit(tmp_path, change, message):
    names = np.array([f"image ({k})" for k in range(780)])
    path = splits.stratified(BUSI, 3).to_csv(tmp_path / "split.csv", names)
    change(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(DataError, match=message):
        splits.from_csv(path, names)


def test_too_few_images_of_a_class():
    with pytest.raises(DataError, match="class 1 has 4 images"):
        splits.stratified(np.repeat([0, 1], [50, 4]), 0)


def test_overlapping_parts_are_refused():
    with pytest.raises(DataError, match="two parts"):
        splits.Split(np.array([0, 1]), np.array([1]), np.array([2]))
