"""No mask may come from a network that has seen the image: checked with networks that remember what they saw."""

import numpy as np
import pytest

from lib.data import phantoms, splits
from lib.data.record import DataError
from lib.experiments import grouped_cv as cross_validation
from lib.experiments import input_ablation as ablation
from lib.two_stage import crossfit, segmentation

SETTINGS = segmentation.Settings(epochs=1)


@pytest.fixture(scope="module")
def data():
    return phantoms.make(60, 32, 0)


@pytest.fixture
def seen(monkeypatch, data):
    """Every network's training images; its masks say by 1 that it has seen the image, by 0.25 that it has not."""
    calls = []

    def train(data, split, settings, seed, cache=None, verbose=False):
        assert settings.keep == "last" or len(split.validation)
        calls.append(split)
        return {data.images[i].tobytes() for i in split.train}, None

    def predict(model, images, batch_size=32, mirrored=False):
        known = np.array([image.tobytes() in model for image in images])
        return np.where(known, 1.0, 0.25)[:, None, None, None] * np.ones_like(images)

    monkeypatch.setattr(segmentation, "train", train)
    monkeypatch.setattr(segmentation, "predict", predict)
    return calls


def test_out_of_fold_masks_are_drawn_unseen(data, seen):
    split = splits.stratified(data.labels, 0)
    masks = crossfit.out_of_fold_masks(data, split.train, SETTINGS, 3, 0)
    assert masks.shape == (len(split.train), 32, 32, 1)
    assert (masks == 0.25).all()
    assert len(seen) == 3
    used = np.concatenate([one.train for one in seen])
    assert set(used) == set(split.train), "validation and test images are not learnt from"


def test_ablation_draws_both_kinds(data, seen):
    split = splits.stratified(data.labels, 0)
    drawn = ablation.draw_masks(data, split, SETTINGS, 0, n_folds=2)
    assert (drawn["predicted"][split.train] == 1).all()
    assert (drawn["out-of-fold"] == 0.25).all()
    assert (drawn["out-of-fold"][split.test] == drawn["predicted"][split.test]).all()
    assert set(ablation.draw_masks(data, split, SETTINGS, 0)) == {"predicted"}


def test_nested_masks_are_drawn_by_networks_that_saw_neither_image_nor_test_fold(data, seen):
    folds = splits.k_fold(data.labels, 3, 0)
    masks = cross_validation.nested_masks(data, folds, SETTINGS, 0)
    assert masks == pytest.approx(0.25)
    assert len(seen) == len(crossfit.pairs(3)) == 3
    for one, pair in zip(seen, crossfit.pairs(3), strict=True):
        assert not np.isin(folds[one.train], pair).any()
    assert cross_validation.tested_masks(masks, folds).shape == data.images.shape


def test_rounds_share_networks_in_turn():
    plan = ablation.plan(5, 2, seed=10)
    assert [one.unet_seed for one in plan] == [10, 11, 10, 11, 10]
    assert len({one.head_seed for one in plan}) == 5
    assert {one.split_seed for one in plan} == {10}
    assert [one.split_seed for one in ablation.plan(3, 3, 0, "new")] == [0, 1, 2]
    with pytest.raises(ValueError, match="at least one"):
        ablation.plan(0, 1, 0)


def test_too_few_images_for_the_folds():
    labels = np.array([0] * 10 + [1] * 2)
    with pytest.raises(DataError, match="class 1 has 2 images: too few for 3 folds"):
        splits.k_fold(labels, 3, 0)
    with pytest.raises(DataError, match="class 1 has 1 groups"):
        splits.k_fold(labels, 2, 0, np.array([*range(10), 20, 20]))
    with pytest.raises(DataError, match="at least 2 folds"):
        splits.k_fold(labels, 1, 0)


def test_grouped_folds_keep_relatives_together_and_classes_apart():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 60, 200)
    labels = generator.integers(0, 3, 60)[groups]
    folds = splits.k_fold(labels, 5, 1, groups)
    assert max(len(set(folds[groups == group])) for group in set(groups)) == 1
    assert all(len(set(labels[folds == fold])) == 3 for fold in range(5))
    assert (folds == splits.k_fold(labels, 5, 1, groups)).all()
