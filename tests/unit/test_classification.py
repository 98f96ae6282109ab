import keras
import numpy as np
import pytest

from lib.data import splits
from lib.evaluation import metrics as evaluation
from lib.evaluation.paired import summarise
from lib.experiments import input_ablation as ablation
from lib.experiments.input_ablation import INPUTS, ORACLE, OUT_OF_FOLD
from lib.models import backbones
from lib.models.head import build_head
from lib.reported import two_stage as reported
from lib.two_stage import classification, segmentation

SETTINGS = classification.Settings("MobileNetV2", "random", features="pooled", epochs=4)


def test_head_of_the_paper():
    head = build_head(30720)
    assert [layer.units for layer in head.layers if isinstance(layer, keras.layers.Dense)] == [64, 64, 64, 3]
    assert head.count_params() == 30720 * 64 + 64 + 2 * (64 * 64 + 64) + 64 * 3 + 3
    assert [layer.rate for layer in head.layers if isinstance(layer, keras.layers.Dropout)] == [0.05]


def test_channels_of_the_input():
    image, mask = np.full((2, 4, 4, 1), 0.25, np.float32), np.ones((2, 4, 4, 1), np.float32)
    for inputs, expected in (("image", (0.25,) * 3), ("mask", (1,) * 3), ("image+mask", (0.25, 1, 1))):
        stacked = classification.stack_inputs(image, mask, inputs)
        assert stacked.dtype == np.float32
        assert stacked[0, 0, 0].tolist() == list(expected)
    with pytest.raises(ValueError, match="need masks"):
        classification.stack_inputs(image, None, "mask")
    with pytest.raises(ValueError, match="unknown inputs"):
        classification.stack_inputs(image, mask, "images")


def test_features_are_the_frozen_networks_output():
    """A head on stored features is the paper's network: same output as head(backbone(input))."""
    images = np.random.default_rng(0).uniform(size=(5, 32, 32, 1)).astype(np.float32)
    settings = classification.Settings("MobileNetV2", "random")
    stored = classification.features(images, images, settings, seed=3)
    backbone = backbones.build("MobileNetV2", 32, "random", 3)
    head = build_head(stored.shape[1])
    whole = keras.Sequential([backbone, keras.layers.Flatten(), head])
    inputs = classification.stack_inputs(images, images, "image+mask")
    assert head.predict(stored, verbose=0) == pytest.approx(whole.predict(inputs, verbose=0), abs=1e-5)


def test_flatten_keeps_the_map_and_pooled_averages_it():
    images = np.random.default_rng(0).uniform(size=(2, 64, 64, 1)).astype(np.float32)
    flat, pooled = (
        classification.features(images, images, classification.Settings("MobileNetV2", "random", features=kind))
        for kind in classification.FEATURES
    )
    assert flat.shape == (2, 2 * 2 * 1280)
    assert pooled == pytest.approx(flat.reshape(2, 4, 1280).mean(axis=1), abs=1e-5)


def test_cached_features_need_no_backbone(tmp_path, monkeypatch, small):
    data, _ = small
    first = classification.features(data.images, data.masks, SETTINGS, tmp_path)
    monkeypatch.setattr(backbones, "build", lambda *_: pytest.fail("built again"))
    assert np.array_equal(classification.features(data.images, data.masks, SETTINGS, tmp_path), first)


def test_a_head_learns_and_its_epoch_is_chosen_on_validation(small):
    data, split = small
    x = np.eye(3, dtype=np.float32)[data.labels] + 0.1
    head, history = classification.train_head(x, data.labels, 3, split, classification.Settings(epochs=40), 0)
    assert history[history.kept].val_accuracy.item() == history.val_accuracy.max()
    assert evaluation.accuracy(data.labels, head.predict(x, verbose=0).argmax(axis=1)) == 1


def test_the_test_part_is_never_read(small):
    """Poisoned test features must change nothing about the head."""
    data, split = small
    x = np.random.default_rng(0).normal(size=(len(data), 8)).astype(np.float32)
    poisoned = x.copy()
    poisoned[split.test] = np.nan
    heads = [classification.train_head(values, data.labels, 3, split, SETTINGS, 0)[0] for values in (x, poisoned)]
    assert all(np.array_equal(a, b) for a, b in zip(*(head.get_weights() for head in heads), strict=True))


def test_rounds_resume_from_the_cache(tmp_path, monkeypatch, small):
    data, split = small
    x = np.random.default_rng(0).normal(size=(len(data), 8)).astype(np.float32)
    two = classification.head_rounds(x, data.labels, 3, split, SETTINGS, [0, 1], tmp_path)
    assert two.shape == (2, len(data), 3)
    trained = []
    train = classification.train_head
    monkeypatch.setattr(classification, "train_head", lambda *a: (trained.append(a[-1]), train(*a))[1])
    three = classification.head_rounds(x, data.labels, 3, split, SETTINGS, [0, 1, 2], tmp_path)
    assert trained == [2]
    assert np.array_equal(three[:2], two)


def test_comparison_of_inputs(small, tmp_path, monkeypatch):
    data, _ = small
    split = splits.stratified(data.labels, 0)
    monkeypatch.setattr(ablation, "draw_masks", lambda *_: {"predicted": np.zeros_like(data.masks)})
    inputs = [name for name in INPUTS if name != OUT_OF_FOLD]
    rounds = ablation.run(data, segmentation.Settings(), SETTINGS, ablation.plan(2, 1, 0), inputs, 0, tmp_path)
    assert (rounds.error == "").all()
    assert rounds.test.map(lambda test: test == split.test.tolist()).all()
    assert sorted(rounds.inputs) == sorted(2 * inputs)
    assert rounds.accuracy.between(0, 1).all()
    blind = rounds[rounds.inputs == "mask"]
    majority = np.bincount(data.labels[split.test]).max() / len(split.test)
    assert blind.accuracy.max() <= majority, "constant masks hold nothing to learn"
    table = summarise(rounds, reported.table_i().accuracy)
    assert table.reported[ORACLE] == 0.9873
    assert (table["95 % low"] <= table["mean"]).all()
    assert table.heads.tolist() == [2] * 4
