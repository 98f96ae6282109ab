from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.core import config as profiles
from lib.data import near_duplicates as duplicates
from lib.data import phantoms, splits
from lib.data.record import DataError
from lib.evaluation import metrics as evaluation
from lib.experiments import grouped_cv as cross_validation
from lib.experiments import grouped_data as honest
from lib.plots.honest import image_pairs
from lib.two_stage import crossfit

PROFILE = profiles.get("smoke")


@pytest.fixture(scope="module")
def data():
    return phantoms.with_relatives(phantoms.make(90, 64, 0), 9)


def test_all_planted_relatives_are_found_and_grouped_folds_do_not_leak(data):
    groups = honest.groups_of(data, duplicates.find_pairs(data.images))
    check = duplicates.compare_groups(groups, honest.known_groups(data))
    assert (check["published"], check["recall"]) == (9, 1.0)
    folds, random = splits.k_fold(data.labels, 3, 0, groups), splits.k_fold(data.labels, 3, 0)
    shares = honest.leak_shares(data.labels, groups, folds, random, 0, n_replays=20)
    assert shares.loc["grouped folds", "share"] == 0
    assert shares.loc["random folds", "share"] > 0
    assert shares.loc["stratified 80:10:10 (paper)", "high"] > 0


def test_policies(data, tmp_path):
    groups = np.arange(len(data))
    a, b = np.flatnonzero(data.labels == 0)[0], np.flatnonzero(data.labels == 1)[0]
    groups[b] = groups[a]
    assert len(honest.keep(data, groups, PROFILE)) == len(data)
    dropped = honest.keep(data, groups, replace(PROFILE, conflicts="drop"))
    assert set(range(len(data))) - set(dropped) == {a, b}
    listed = tmp_path / "axilla.csv"
    pd.DataFrame({"name": data.names[:2]}).to_csv(listed, index=False)
    assert honest.keep(data, groups, replace(PROFILE, excluded=str(listed))).tolist() == list(range(2, len(data)))
    listed.write_text("name\nbenign (9999)\n")
    with pytest.raises(DataError, match="1 unknown images"):
        honest.keep(data, groups, replace(PROFILE, excluded=str(listed)))
    listed.write_text("image\nx\n")
    with pytest.raises(DataError, match="needs a column name"):
        honest.keep(data, groups, replace(PROFILE, excluded=str(listed)))
    with pytest.raises(profiles.SettingsError, match="did you mean 'drop'"):
        honest.keep(data, groups, replace(PROFILE, conflicts="dropp"))


def test_masks_of_lesions_and_normals_apart(data):
    table = honest.mask_table(data.masks, data.masks, np.arange(len(data)), 0)
    assert set(table.index) == {evaluation.LESION, evaluation.NORMAL}
    assert (table.dice == 1).all()
    assert (table.hd95 == 0).all()
    table = honest.mask_table(data.masks, np.zeros_like(data.masks), np.arange(len(data)), 0)
    assert table.loc[evaluation.LESION, "dice 0"] == 1
    assert table.loc[evaluation.NORMAL, "dice"] == 1
    assert table.loc[evaluation.LESION, "hd95"] == pytest.approx(np.hypot(64, 64), rel=0.03)


def test_names_of_pairs(data):
    pairs = duplicates.find_pairs(data.images)
    first = pairs[["first", "second"]].to_numpy()[:2]
    table = honest.name_pairs(np.vstack([first, [[0, 1]]]), data, pairs)
    assert table["first"].tolist() == data.names[[*first[:, 0], 0]].tolist()
    assert table.correlation.isna().tolist() == [False, False, True]


class Constant:
    """Stands for a trained network: it draws one value everywhere."""

    def __init__(self, value):
        self.value = value

    def predict(self, x, **_):
        return np.full((*x.shape[:3], 1), self.value, np.float32)


def test_masks_as_in_the_paper_come_from_the_network_of_the_training_images(data, monkeypatch):
    seen = []
    monkeypatch.setattr(crossfit, "without", lambda *a: (seen.append(a[2]), Constant(len(seen) / 4))[1])
    folds = np.arange(len(data)) % 3
    masks = cross_validation.own_masks(data, folds, honest.segmenter(PROFILE), 0)
    assert seen == [(0, 1), (1, 2), (0, 2)], "the tested fold and the one that chooses are left out"
    assert masks.shape == (3, *data.images.shape)
    assert [np.unique(one).tolist() for one in masks] == [[0.25], [0.5], [0.75]]


def test_attempts_at_better_masks(data, monkeypatch):
    seen = []
    monkeypatch.setattr(crossfit, "without", lambda *a: (seen.append((len(a[0]), a[2])), Constant(0.9))[1])
    monkeypatch.setattr(
        honest,
        "_at_size",
        lambda data, *_: replace(data, images=data.images[:, ::2, ::2], masks=data.masks[:, ::2, ::2]),
    )
    folds, groups = np.arange(len(data)) % 3, np.arange(len(data))
    masks = np.stack([0.4 * data.masks + 0.05] * 3)
    # The network draws 0.9 everywhere: only a threshold above that would change what it draws.
    table = honest.mask_attempts(data, folds, masks, replace(PROFILE, attempt_sizes="64 32"), groups, 0)
    assert seen == [(len(data), (0, 1)), (len(data), (0,)), (len(data), (0,))]
    assert table.loc["mean of the networks without this fold", "dice"] == 0, "nothing is above 0.5"
    (chosen,) = (name for name in table.index if "threshold" in name)
    assert table.loc[chosen, "dice"] == table.loc["mirror images averaged", "dice"], "of the same network's masks"
    assert float(chosen.split()[-1]) < 0.5, "chosen on the next fold, whose masks reach 0.45"
    assert table.pixels.tolist() == [64] * 5 + [32]
    assert table["learns from"].tolist() == pytest.approx([1 / 3] * 3 + [2 / 3] * 3)
    assert len(honest.mask_attempts(data, folds, masks, PROFILE, groups, 0)) == 4


def test_every_pair_is_in_the_picture(data):
    figure = image_pairs(data, np.arange(16).reshape(8, 2))
    shown = [cell.get_title() for cell in figure.axes if cell.axison]
    assert sorted(shown) == sorted(data.names[:16])


def test_an_image_that_only_chooses_is_no_training():
    groups, parts = np.array([0, 1, 0, 2, 3, 4]), np.array([0, 0, 1, 1, 2, 2])
    labels = np.tile([0, 1], 30)
    shares = honest.leak_shares(labels, np.r_[groups, 10:64], np.r_[parts, np.zeros(54, int)], np.arange(60) % 3, 0, 2)
    # Fold 0 has a relative in fold 1, which chooses for it; fold 1 has one in fold 0, which it learns from.
    assert shares.loc["random folds", "low"] == 0
    both = np.r_[parts, np.zeros(54, int)]
    found = honest.leak_shares(labels, np.r_[groups, 10:64], np.arange(60) % 3, both, 0, 2).loc["random folds"]
    assert found["high"] == 0.5
    assert found["share"] == pytest.approx(0.5 / 3)
