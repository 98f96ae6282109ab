import itertools
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import paths
from lib.data import busi, group_files, phantoms
from lib.data import near_duplicates as duplicates
from lib.data import registration as similarity
from lib.data.record import DataError

NAMES = np.array([f"image ({k})" for k in range(6)])


@pytest.fixture(scope="module")
def planted():
    """160 phantoms, 40 of them related versions of others, and the pairs found."""
    data = phantoms.with_relatives(phantoms.make(120, 64, seed=0), 40, seed=0)
    return data, duplicates.find_pairs(data.images, data.names)


def _csv(folder, text):
    path = folder / "some.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _frame(*rows):
    return pd.DataFrame([(*row, False) for row in rows], columns=["first", "second", "correlation", "identical"])


# Planted relatives


def test_all_relatives_are_found_and_nothing_else(planted):
    data, pairs = planted
    assert np.array_equal(duplicates.connected(160, pairs), duplicates.number(data.groups))
    assert len(pairs) == 40
    assert (pairs["first"] < pairs["second"]).all()
    assert (pairs["second_name"] == pairs["first_name"] + " relative").all()


def test_what_was_done_to_a_relative_is_told(planted):
    _, pairs = planted
    kind = np.array(phantoms.RELATIVES)[(pairs["second"] - 120) % 5]
    assert (pairs["mirrored"] == (kind == "mirror")).all()
    assert not pairs["identical"].any()
    shifted, cropped = pairs[kind == "shift"], pairs[kind == "crop"]
    assert np.hypot(shifted["shift_y"], shifted["shift_x"]).between(0.02, 0.1).all()
    assert cropped[["stretch_y", "stretch_x"]].to_numpy().min() > 1.02
    untouched = pairs[np.isin(kind, ["brightness", "mirror", "mark"])]
    assert np.abs(untouched[["shift_y", "shift_x"]]).to_numpy().max() < 0.01
    assert untouched["distance"].max() < 40 < cropped["distance"].max()


def test_independent_phantoms_are_unrelated():
    data = phantoms.make(160, 64, seed=1)
    assert duplicates.find_pairs(data.images).empty
    assert duplicates.find_groups(data.images).tolist() == list(range(160))


def test_find_groups_passes_settings_on(planted):
    data, _ = planted
    images = data.images[[*range(8), *range(120, 128)]]
    assert len(np.unique(duplicates.find_groups(images, min_score=0.999))) == len(images)


def test_a_registration_undoes_a_known_shift_and_stretch():
    details = similarity.detail(phantoms.make(15, 128, seed=4).images[..., 0])
    crop = similarity.detail(phantoms.make(15, 128, seed=4).images[:, 13:115, 26:128, 0])
    start = np.broadcast_to([[1 / 0.8, -0.1 / 0.8], [1 / 0.9, -0.1 / 0.9]], (15, 2, 2))
    places, correlation, overlap = similarity.register(details, crop, start)
    truth = [[128 / 102, -13 / 102], [128 / 102, -26 / 102]]
    assert np.abs(np.median(places, axis=0) - truth).max() < 0.02
    assert np.median(correlation) > 0.8
    assert np.median(overlap) == pytest.approx((102 / 128) ** 2, abs=0.04)


def test_orientation_of_the_result_does_not_hang_on_the_order(planted):
    data, pairs = planted
    crop = pairs[(pairs["second"] - 120) % 5 == 3].iloc[0]
    back = duplicates.find_pairs(data.images[[int(crop["second"]), int(crop["first"])]]).iloc[0]
    for axis in "yx":
        assert back[f"stretch_{axis}"] == pytest.approx(1 / crop[f"stretch_{axis}"], abs=0.03)
    assert back["score"] == pytest.approx(crop["score"], abs=0.03)


def test_identical_pixels_are_related_even_if_flat():
    images = phantoms.make(15, 32, seed=0).images[:4].copy()
    images[1], images[2] = images[0], 0
    pairs = duplicates.find_pairs(np.concatenate([images, images[2:3]]))
    identical = pairs[pairs["identical"]]
    assert identical[["first", "second", "correlation", "distance"]].to_numpy().tolist() == [[0, 1, 1, 0], [2, 4, 1, 0]]
    assert not pairs[["first", "second"]].duplicated().any()


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_to_be_related(n):
    images = np.zeros((n, 40, 32, 1), np.float32)
    assert duplicates.find_pairs(images, NAMES[:n]).empty
    assert duplicates.find_groups(images).tolist() == list(range(n))


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


def test_names_of_other_images():
    with pytest.raises(ValueError, match="6 names for 2 images"):
        duplicates.find_pairs(np.zeros((2, 32, 32, 1)), NAMES)


# Groups


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_connected_is_the_smallest_equivalence(case):
    n, pairs = case
    groups = duplicates.connected(n, pairs)
    assert all(groups[a] == groups[b] for a, b in pairs)
    reached = np.eye(n, dtype=int)
    for a, b in pairs:
        reached[a, b] = reached[b, a] = 1
    assert np.array_equal(np.linalg.matrix_power(reached.astype(float), n) > 0, groups[:, None] == groups[None, :])
    assert np.array_equal(groups, duplicates.number(groups))


def test_connected_refuses_unknown_images():
    with pytest.raises(ValueError, match="outside 0 … 2"):
        duplicates.connected(3, [(0, 3)])


def test_compare_groups_counts_pairs():
    result = duplicates.compare_groups(np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 2, 2]))
    assert {key: result[key] for key in ("published", "found", "recalled", "recall")} == {
        "published": 2,
        "found": 3,
        "recalled": 1,
        "recall": 0.5,
    }
    assert result["missed"].tolist() == [[3, 4]]
    assert result["extra"].tolist() == [[0, 2], [1, 2]]
    with pytest.raises(ValueError, match="not of the same images"):
        duplicates.compare_groups(np.arange(3), np.arange(4))
    assert np.isnan(duplicates.compare_groups(np.arange(3), np.arange(3))["recall"])


def test_conflicts_tell_identical_pixels_from_other_relatives():
    groups, labels = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 0, 1, 1, 1])
    pairs = _frame((0, 1, 1.0), (2, 3, 0.8), (4, 5, 1.0)).assign(identical=[True, False, True])
    found = duplicates.conflicts(groups, labels, NAMES, pairs)
    assert found["group"].tolist() == [0, 1]
    assert found["labels"].tolist() == [(1, 2), (0, 1)]
    assert found["members"].tolist() == [("image (0)", "image (1)"), ("image (2)", "image (3)")]
    assert found["identical"].tolist() == [True, False]
    assert "identical" not in duplicates.conflicts(groups, labels)


# Files


def test_groups_round_trip(tmp_path):
    groups = np.array([0, 1, 1, 2, 0, 3])
    path = group_files.write_groups(tmp_path / "groups.csv", NAMES, groups)
    assert pd.read_csv(path)["name"].tolist() == [f"image ({k})" for k in (0, 4, 1, 2)]
    assert np.array_equal(group_files.read_groups(path, NAMES), groups)
    backwards = group_files.read_groups(path, NAMES[::-1])
    assert np.array_equal(duplicates.related_pairs(backwards), duplicates.related_pairs(groups[::-1]))


def test_a_review_table_is_readable_after_correction(tmp_path, planted):
    data, pairs = planted
    groups = duplicates.connected(len(data), pairs)
    labels = data.labels.copy()
    labels[pairs["first"][0]] = (labels[pairs["first"][0]] + 1) % 3
    table = group_files.review_table(replace(data, labels=labels), groups, pairs)
    assert list(table.columns) == ["name", "group", "label", "conflict", "identical", "closest", "correlation"]
    assert len(table) == 80
    assert set(table["name"][table["conflict"]]) == {pairs["first_name"][0], pairs["second_name"][0]}
    assert (table["closest"].str.removesuffix(" relative") == table["name"].str.removesuffix(" relative")).all()
    # The person takes the first image out of its group.
    table["group"] = ["alone", *table["group"][1:].astype(str)]
    path = group_files.write_review(tmp_path / "review.csv", table)
    corrected = group_files.read_groups(path, data.names)
    assert len(duplicates.related_pairs(corrected)) == len(duplicates.related_pairs(groups)) - 1


def test_a_spreadsheets_byte_order_mark_and_blanks_do_no_harm(tmp_path):
    path = _csv(tmp_path, "\ufeffname,group\nimage (0) ,a\nimage (3), a\n")
    assert group_files.read_groups(path, NAMES).tolist() == [0, 1, 2, 0, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,group\nimage (9),1\nimage (1),1\n", r"1 images unknown \['image \(9\)'\]"),
        ("name,group\nimage (1),1\nimage (1),2\n", "1 images repeated"),
        ("name,group\nimage (1),\n", "1 images without a group"),
        ("image,group\nimage (1),1\n", "needs columns name, group; lacks name"),
        ("", "no CSV file"),
    ],
)
def test_a_groups_file_that_does_not_fit(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        group_files.read_groups(_csv(tmp_path, text), NAMES)


def test_images_left_out_are_alone_unless_the_file_must_be_complete(tmp_path):
    path = _csv(tmp_path, "name,group\nimage (1),x\nimage (2),x\n")
    assert group_files.read_groups(path, NAMES).tolist() == [0, 1, 1, 2, 3, 4]
    with pytest.raises(DataError, match="4 images left out"):
        group_files.read_groups(path, NAMES, complete=True)


def test_published_list(tmp_path):
    path = _csv(tmp_path, "group,class,image\n7,image,image (1)\n7,image,image (4)\n")
    assert group_files.read_published(path, NAMES).tolist() == [0, 1, 2, 3, 1, 4]
    with pytest.raises(DataError, match="class and name differ"):
        group_files.read_published(_csv(tmp_path, "group,class,image\n7,benign,image (1)\n"), NAMES)


# Overrides


def _override(folder, groups, *rows, pairs=None):
    text = "first,second,related\n" + "".join(f"image ({a}),image ({b}),{answer}\n" for a, b, answer in rows)
    return group_files.apply_overrides(np.array(groups), NAMES, _csv(folder, text), pairs).tolist()


def test_yes_joins_whole_groups(tmp_path):
    assert _override(tmp_path, [0, 0, 1, 1, 2, 3], (1, 2, "yes"), (4, 5, "Yes")) == [0, 0, 0, 0, 1, 1]


def test_no_wins_over_what_connects_a_pair(tmp_path):
    assert _override(tmp_path, [0, 0, 0, 1, 1, 2], (0, 1, "no")) == [0, 1, 0, 2, 2, 3]
    # With pairs, a chain 0 – 2 – 1 is cut at its weakest link.
    pairs = _frame((0, 2, 0.7), (1, 2, 0.9))
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
    together = duplicates.connected(6, yes)
    folder = tmp_path_factory.mktemp("overrides")
    if any(together[a] == together[b] for a, b in no):
        with pytest.raises(DataError, match="connected by rows that say yes"):
            _override(folder, groups, *rows)
        return
    result = _override(folder, groups, *rows)
    assert all(result[a] == result[b] for a, b in yes)
    assert all(result[a] != result[b] for a, b in no)
    if not no:
        everything = [*yes, *duplicates.related_pairs(np.array(groups)).tolist()]
        assert result == duplicates.connected(6, everything).tolist()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 9, "yes")], "1 unknown images"),
        ([(0, 1, "maybe")], r"yes or no, not \['maybe'\]"),
        ([(2, 2, "no")], "paired with themselves"),
        ([(0, 1, "yes"), (1, 0, "no")], r"image \(1\) – image \(0\)"),
        ([(0, 1, "yes"), (1, 2, "yes"), (0, 2, "no")], "connected by rows that say yes"),
    ],
)
def test_overrides_that_do_not_fit(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        _override(tmp_path, [0, 1, 2, 3, 4, 5], *rows)


def test_no_overrides_change_nothing(tmp_path):
    assert _override(tmp_path, [0, 1, 0, 2, 1, 0]) == [0, 1, 0, 2, 1, 0]


# Relatives of phantoms


def test_relatives_are_appended_and_their_masks_move_along():
    data = phantoms.make(30, 64, seed=2)
    more = phantoms.with_relatives(data, 30, seed=5)
    assert len(more) == 60
    assert more.select(np.arange(30)).digest == data.digest
    originals = more.groups[30:]
    assert np.array_equal(np.sort(originals), np.arange(30))
    assert np.array_equal(more.labels[30:], data.labels[originals])
    assert ((more.masks.sum(axis=(1, 2, 3)) > 0) == (more.labels > 0)).all()
    levels = more.images * 255
    assert np.abs(levels - np.round(levels)).max() < 1e-4
    for k, original in enumerate(originals):
        image, mask, was = more.images[30 + k], more.masks[30 + k], data.masks[original]
        kind = phantoms.RELATIVES[k % 5]
        assert not np.array_equal(image, data.images[original])
        if kind == "mirror":
            assert np.array_equal(mask, was[:, ::-1])
            assert np.allclose(image, data.images[original][:, ::-1], atol=1e-6)
        elif kind in ("brightness", "mark"):
            assert np.array_equal(mask, was)
        elif kind == "crop" and was.any():
            assert mask.sum() > was.sum()


def test_a_shifted_mask_stays_on_its_lesion():
    data = phantoms.make(30, 64, seed=2)
    # Images that are their own masks: so both must move alike.
    more = phantoms.with_relatives(replace(data, images=data.masks), 30, seed=5)
    moved = np.isin(np.arange(30) % 5, [1, 2])
    assert np.array_equal(more.images[30:][moved], more.masks[30:][moved])


def test_relatives_hang_on_the_seed_and_keep_groups():
    data = replace(phantoms.make(20, 32, seed=0), groups=np.repeat(np.arange(10), 2))
    one, same, other = (phantoms.with_relatives(data, 10, seed) for seed in (0, 0, 1))
    assert one.digest == same.digest != other.digest
    assert one.groups.max() == 9
    assert phantoms.with_relatives(data, 0).digest == data.digest


@pytest.mark.parametrize("n", [-1, 21])
def test_more_relatives_than_images(n):
    with pytest.raises(DataError, match="one an image at most"):
        phantoms.with_relatives(phantoms.make(20, 32), n)


# BUSI


def test_busi(real_busi):
    listed = paths.find_data("busi_related_images.csv")
    if listed is None:
        pytest.skip("the published list of related images is not on this machine")
    data = busi.load(real_busi, size=64, resize="area")
    published = group_files.read_published(listed, data.names)
    assert len(duplicates.related_pairs(published)) == 254
    start = time.perf_counter()
    pairs = duplicates.find_pairs(data.images, data.names)
    assert time.perf_counter() - start < 60
    groups = duplicates.connected(len(data), pairs)
    result = duplicates.compare_groups(groups, published)
    assert result["recall"] >= 0.95
    # Far fewer pairs beyond the list than on it, and no chain that swallows the data.
    assert len(result["extra"]) <= 15
    assert np.bincount(groups).max() <= 10
    found = duplicates.conflicts(groups, data.labels, data.names, pairs)
    assert len(found) >= 8
    assert found.loc[found["identical"], "members"].tolist() == [("benign (433)", "malignant (145)")]
