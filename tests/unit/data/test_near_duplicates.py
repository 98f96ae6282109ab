import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import jobs, paths, raw, store
from lib.data import group_files, phantoms, registration
from lib.data import near_duplicates as duplicates
from lib.data.record import DataError
from lib.data.sources import Busi, Phantoms

NAMES = np.array([f"image ({k})" for k in range(6)])


def find_groups(images):
    """Group of each image; one without relatives is alone."""
    return duplicates.connected(len(images), duplicates.find_pairs(images)[["first", "second"]].to_numpy())


@pytest.fixture(scope="module")
def planted():
    """160 phantoms, 40 of them related versions of others, and the pairs found."""
    data = phantoms.with_relatives(phantoms.make(120, 64, seed=0), 40)
    return data, duplicates.find_pairs(data.images)


def _csv(folder, text):
    path = folder / "some.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _frame(*rows):
    return pd.DataFrame([(*row, False) for row in rows], columns=["first", "second", "correlation", "identical"])


# Pairs


def test_all_planted_relatives_are_found_and_nothing_else(planted):
    data, pairs = planted
    assert np.array_equal(find_groups(data.images), group_files.number(data.groups))
    assert len(pairs) == 40
    assert (pairs["first"] < pairs["second"]).all()
    kind = np.array(phantoms.RELATIVES)[(pairs["second"] - 120) % 5]
    assert (pairs["mirrored"] == (kind == "mirror")).all()
    assert not pairs["identical"].any()


def test_independent_phantoms_are_unrelated():
    data = phantoms.make(160, 64, seed=1)
    assert duplicates.find_pairs(data.images).empty
    assert find_groups(data.images).tolist() == list(range(160))


def test_a_registration_undoes_a_known_shift_and_stretch():
    details = registration.detail(phantoms.make(15, 128, seed=4).images[..., 0])
    crop = registration.detail(phantoms.make(15, 128, seed=4).images[:, 13:115, 26:128, 0])
    start = np.broadcast_to([[1 / 0.8, -0.1 / 0.8], [1 / 0.9, -0.1 / 0.9]], (15, 2, 2))
    places, correlation, overlap = registration.register(details, crop, start)
    truth = [[128 / 102, -13 / 102], [128 / 102, -26 / 102]]
    assert np.abs(np.median(places, axis=0) - truth).max() < 0.02
    assert np.median(correlation) > 0.8
    assert np.median(overlap) == pytest.approx((102 / 128) ** 2, abs=0.04)


def test_identical_pixels_are_related_even_if_flat():
    images = phantoms.make(15, 32, seed=0).images[:4].copy()
    images[1], images[2] = images[0], 0
    pairs = duplicates.find_pairs(np.concatenate([images, images[2:3]]))
    identical = pairs[pairs["identical"]]
    assert identical[["first", "second", "correlation"]].to_numpy().tolist() == [[0, 1, 1], [2, 4, 1]]
    assert not pairs[["first", "second"]].duplicated().any()


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_to_be_related(n):
    images = np.zeros((n, 40, 32, 1), np.float32)
    assert duplicates.find_pairs(images).empty
    assert find_groups(images).tolist() == list(range(n))


@pytest.mark.parametrize("images", [np.zeros((2, 64, 64)), np.zeros((2, 64, 64, 3)), np.zeros((2, 31, 64, 1))])
def test_images_of_another_shape(images):
    with pytest.raises(DataError, match="32 pixels a side"):
        duplicates.find_pairs(images)


@pytest.mark.parametrize("value", [np.nan, -0.1, 255])
def test_images_with_impossible_values(value):
    images = np.zeros((2, 32, 32, 1), np.float32)
    images[1, 5, 5] = value
    with pytest.raises(DataError, match=r"outside \[0, 1\]"):
        duplicates.find_pairs(images)


# Groups


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_connected_is_the_smallest_equivalence(case):
    n, pairs = case
    groups = duplicates.connected(n, np.array(pairs, int).reshape(-1, 2))
    assert all(groups[a] == groups[b] for a, b in pairs)
    reached = np.eye(n, dtype=int)
    for a, b in pairs:
        reached[a, b] = reached[b, a] = 1
    assert np.array_equal(np.linalg.matrix_power(reached.astype(float), n) > 0, groups[:, None] == groups[None, :])
    assert np.array_equal(groups, group_files.number(groups))


def test_compare_groups_counts_pairs():
    result = duplicates.compare_groups(np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 2, 2]))
    assert (result["listed"], result["recalled"]) == (2, 1)
    assert result["extra"].tolist() == [[0, 2], [1, 2]]


def test_conflicts_are_whole_groups():
    groups, labels = np.array([0, 0, 1, 1, 2]), np.array([1, 2, 1, 1, 0])
    assert duplicates.conflicts(groups, labels).tolist() == [True, True, False, False, False]


def test_groups_as_a_job_are_the_planted_ones(tmp_path):
    source = Phantoms(n=40, relatives=5)
    result = jobs.run([duplicates.groups_job(source)], store.Store(tmp_path), train=False)[0]
    assert result["groups"].tolist() == group_files.number(source.load().groups).tolist()
    assert result["found"].tolist() == result["groups"].tolist()


def test_a_correction_of_the_groups_makes_them_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))

    def key() -> str:
        raw._identity.cache_clear()  # files are looked at once in five seconds
        return duplicates.groups_job(Busi()).key

    keys = {key()}
    for text in ("first,second,related\n", "first,second,related\nbenign (1),benign (2),yes\n"):
        (tmp_path / "overrides.csv").write_text(text)
        keys.add(key())
    assert len(keys) == 3
    assert duplicates.groups_job(Phantoms()).meaning().get("raw") == {}


# Files


def test_published_list(tmp_path):
    # With a spreadsheet's byte order mark and blanks.
    path = _csv(tmp_path, "\ufeffgroup,class,image\n7,image,image (1) \n 7,image,image (4)\n")
    assert group_files.read_published(path, NAMES).tolist() == [0, 1, 2, 3, 1, 4]


# Overrides


def _override(folder, groups, *rows, pairs=()):
    text = "first,second,related\n" + "".join(f"image ({a}),image ({b}),{answer}\n" for a, b, answer in rows)
    return group_files.apply_overrides(np.array(groups), NAMES, _csv(folder, text), _frame(*pairs)).tolist()


def test_yes_joins_whole_groups(tmp_path):
    assert _override(tmp_path, [0, 0, 1, 1, 2, 3], (1, 2, "yes"), (4, 5, "Yes")) == [0, 0, 0, 0, 1, 1]


def test_no_wins_over_what_connects_a_pair(tmp_path):
    assert _override(tmp_path, [0, 0, 0, 1, 1, 2], (0, 1, "no")) == [0, 1, 0, 2, 2, 3]
    # With pairs, a chain 0 – 2 – 1 is cut at its weakest link.
    pairs = (0, 2, 0.7), (1, 2, 0.9)
    assert _override(tmp_path, [0, 0, 0, 1, 1, 2], (0, 1, "no"), pairs=pairs) == [0, 1, 1, 2, 2, 3]


def test_no_wins_over_what_yes_would_bring_together(tmp_path):
    # 2 joins 1, so it cannot stay with 0, and neither can be with the other.
    assert _override(tmp_path, [0, 0, 0, 1, 2, 3], (1, 2, "yes"), (0, 1, "no")) == [0, 1, 1, 2, 3, 4]


@given(
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.dictionaries(st.sampled_from(list(itertools.combinations(range(6), 2))), st.booleans(), max_size=6),
)
def test_overrides_always_hold_or_contradict_each_other(tmp_path_factory, groups, answers):
    yes, no = ([pair for pair, answer in answers.items() if answer == which] for which in (True, False))
    rows = [(*pair, "yes" if answer else "no") for pair, answer in answers.items()]
    together = duplicates.connected(6, np.array(yes, int).reshape(-1, 2))
    folder = tmp_path_factory.mktemp("overrides")
    if any(together[a] == together[b] for a, b in no):
        with pytest.raises(DataError, match="connected by rows that say yes"):
            _override(folder, groups, *rows)
        return
    result = _override(folder, groups, *rows)
    assert all(result[a] == result[b] for a, b in yes)
    assert all(result[a] != result[b] for a, b in no)
    if not no:
        everything = np.array([*yes, *group_files.pairs_within(np.array(groups)).tolist()], int).reshape(-1, 2)
        assert result == duplicates.connected(6, everything).tolist()


def test_no_overrides_change_nothing(tmp_path):
    assert _override(tmp_path, [0, 1, 0, 2, 1, 0]) == [0, 1, 0, 2, 1, 0]


# BUSI


def test_busi(real_busi):
    if paths.find_data("busi_related_images.csv") is None:
        pytest.skip("the published list of related images is not on this machine")
    data = Busi(size=64, resize="area").load()
    published = group_files.read_published(paths.find_data("busi_related_images.csv"), data.names)
    assert len(group_files.pairs_within(published)) == 254
    start = time.perf_counter()
    groups = find_groups(data.images)
    assert time.perf_counter() - start < 60
    result = duplicates.compare_groups(groups, published)
    assert result["recalled"] >= 0.95 * result["listed"]
    # Far fewer pairs beyond the list than on it, and no chain that swallows the data.
    assert len(result["extra"]) <= 15
    assert np.bincount(groups).max() <= 10
    assert len(np.unique(groups[duplicates.conflicts(groups, data.labels)])) >= 8
