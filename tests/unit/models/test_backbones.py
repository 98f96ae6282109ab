from types import SimpleNamespace

import keras
import numpy as np
import pytest

from lib.core import paths, raw
from lib.core.config import SettingsError
from lib.models import backbones


def test_table_ii_is_complete():
    from lib.reported import two_stage

    assert list(backbones.BACKBONES) == [name for name in two_stage.table_ii().index if name != "Ours"]


def test_frozen_and_without_top():
    model = backbones.build("MobileNetV2", 32, "random")
    assert not model.trainable_weights
    assert model.output_shape == (None, 1, 1, 1280)


def test_random_weights_carry_a_signal_and_are_seeded():
    x = np.random.default_rng(0).uniform(size=(4, 64, 64, 3)).astype(np.float32)
    one, same, other = (backbones.build("VGG16", 64, "random", seed).predict(x, verbose=0) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    assert 0.01 < one.std() < 100
    assert np.ptp(one, axis=0).max() > 0.01, "features of different images must differ"


def test_the_papers_backbone_runs_the_same_way():
    """DenseNet201 with random weights: its code path where no weights are at hand."""
    model = backbones.build("DenseNet201", 32, "random")
    assert model.output_shape[-1] == 1920
    assert not model.trainable_weights


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_WEIGHTS", str(tmp_path))
    return tmp_path


def test_local_weights_come_before_a_download(weights_folder):
    source = backbones.build("MobileNetV2", 32, "random", seed=7)
    source.save_weights(weights_folder / "mobilenetv2_notop_float32.weights.h5")
    loaded = backbones.build("MobileNetV2", 64, "imagenet")
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), source.get_weights(), strict=True))
    before = backbones.identity("MobileNetV2", "imagenet")
    backbones.build("MobileNetV2", 32, "random", 8).save_weights(
        weights_folder / "mobilenetv2_notop_float32.weights.h5"
    )
    assert backbones.identity("MobileNetV2", "imagenet") != before, "other weights of the same size are other weights"


def test_weights_of_another_network(weights_folder):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save_weights(weights_folder / "other.weights.h5")
    (weights_folder / "other.weights.h5").rename(weights_folder / "mobilenetv2_notop_x.weights.h5")
    with pytest.raises(backbones.WeightsError, match=r"mobilenetv2_notop_x\.weights\.h5 does not fit"):
        backbones.build("MobileNetV2", 32)


def test_a_weights_file_that_is_none(weights_folder):
    (weights_folder / "mobilenetv2_notop_x.weights.h5").write_text("not HDF5")
    with pytest.raises(backbones.WeightsError, match="no HDF5 file"):
        backbones.build("MobileNetV2", 32)


def test_no_weights_and_no_network_is_an_error_not_a_random_network(weights_folder, monkeypatch):
    def unreachable(**settings):
        assert settings["weights"] == "imagenet"
        raise Exception("URL fetch failure on https://storage.googleapis.com: None")

    monkeypatch.setitem(backbones.BACKBONES, "VGG16", SimpleNamespace(VGG16=unreachable))
    with pytest.raises(backbones.WeightsError, match=r"Put vgg16_notop_float32\.weights\.h5"):
        backbones.build("VGG16", 32)


@pytest.mark.parametrize(
    ("name", "expected"), [("MobileNetV2", (-1, 1)), ("EfficientNetB7", (0, 255)), ("Xception", (-1, 1))]
)
def test_own_preprocessing_scales_and_raw_does_not(name, expected):
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    assert np.array_equal(backbones.preprocess(name, x, "raw"), x)
    own = backbones.preprocess(name, x, "own")
    assert (own.min(), own.max()) == pytest.approx(expected)
    assert x.max() == 1, "the input must not be changed"


def test_unknown_names():
    with pytest.raises(SettingsError, match="did you mean 'VGG16'"):
        backbones.build("VGG-16", 32)
    with pytest.raises(SettingsError, match="unknown weights"):
        backbones.build("VGG16", 32, "image-net")


@pytest.mark.parametrize("name", ["VGG16", "Xception", "MobileNetV2"])
def test_real_weights_load(name):
    if raw.weights_file(backbones.pattern(name)) is None:
        pytest.skip(f"weights of {name} are not on this machine: see {paths.weights_folders()[-1]}")
    model = backbones.build(name, 96)
    x = np.random.default_rng(0).uniform(size=(2, 96, 96, 3)).astype(np.float32)
    features = model.predict(x, verbose=0)
    assert np.isfinite(features).all()
    assert features.std() > 0
