import keras
import numpy as np
import pytest

from lib.core.config import SettingsError
from lib.models import backbones
from lib.models.head import build_heads
from lib.two_stage import classification
from lib.two_stage.classification import BackboneSettings, HeadSettings


def test_head_of_the_paper():
    head = build_heads(1, 1, 30720, 3, HeadSettings())
    assert head.count_params() == 30720 * 64 + 64 + 2 * (64 * 64 + 64) + 64 * 3 + 3
    assert [layer.rate for layer in head.layers if isinstance(layer, keras.layers.Dropout)] == [0.05]


def test_channels_of_the_input():
    image, mask = np.full((2, 4, 4, 1), 0.25, np.float32), np.ones((2, 4, 4, 1), np.float32)
    for inputs, expected in (("image", (0.25,) * 3), ("mask", (1,) * 3), ("image+mask", (0.25, 1, 1))):
        stacked = classification.stack_inputs(image, mask, inputs)
        assert stacked.dtype == np.float32
        assert stacked[0, 0, 0].tolist() == list(expected)
    with pytest.raises(ValueError, match="cannot be concatenated"):
        classification.stack_inputs(image, None, "mask")


def test_flatten_keeps_the_map_and_pooled_averages_it():
    inputs = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)
    backbone = backbones.build("MobileNetV2", 64, "random")
    flat, pooled = (
        classification.extract(backbone, inputs, BackboneSettings("MobileNetV2", "random", features=kind))
        for kind in classification.FEATURES
    )
    assert flat.shape == (2, 2 * 2 * 1280)
    assert pooled == pytest.approx(flat.reshape(2, 4, 1280).mean(axis=1), abs=1e-5)


def _fit(data, split, x, settings, seeds=(0,)):
    return classification.fit_heads(x, data.labels, 3, split.train, split.validation, settings, list(seeds))


def test_heads_learn_and_each_epoch_is_chosen_on_validation_data(small):
    data, split = small
    told = np.eye(3, dtype=np.float32)[data.labels] + 0.1
    x = np.stack([told, np.zeros_like(told)], axis=1)
    heads, history = _fit(data, split, x, HeadSettings(epochs=40), (0, 1))
    p = heads.predict(x, verbose=0)
    assert p.shape == (len(data), 2, 2, 3)
    assert (p[:, 0].argmax(axis=-1) == data.labels[:, None]).all(), "the label is in these features"
    assert len(np.unique(p[:, 1].argmax(axis=-1))) == 1, "nothing is in those"
    kept = np.take_along_axis(history["val_accuracy"], history["kept"][None], axis=0)[0]
    assert (kept == history["val_accuracy"].max(axis=0)).all()


def test_a_mistyped_choice_is_named(small):
    data, split = small
    with pytest.raises(SettingsError, match="best"):
        _fit(data, split, np.zeros((len(data), 1, 2), np.float32), HeadSettings(keep="bset"))


def test_the_test_part_is_never_read(small):
    """Poisoned test features must change nothing about the head."""
    data, split = small
    x = np.random.default_rng(0).normal(size=(len(data), 1, 8)).astype(np.float32)
    poisoned = x.copy()
    poisoned[split.test] = np.nan
    weights = [_fit(data, split, values, HeadSettings(epochs=3))[0].get_weights() for values in (x, poisoned)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_classes_are_thinned():
    labels = np.repeat([0, 1, 2], [4, 12, 2])
    chosen, weights = classification._balance(labels, np.arange(18), 3, "downsampled", 0)
    assert np.bincount(labels[chosen]).tolist() == [2, 2, 2]
    assert (weights == 1).all()


def test_classes_are_weighted():
    labels = np.repeat([0, 1, 2], [4, 12, 2])
    chosen, weights = classification._balance(labels, np.arange(18), 3, "weights", 0)
    assert len(chosen) == 18
    assert weights * np.bincount(labels) == pytest.approx([6, 6, 6])
