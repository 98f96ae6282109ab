"""Trainings of paper A as they are run here, and as others run them.

pytest-benchmark prints the times of a group beside each other, with their ratios in brackets.
"""

import keras
import numpy as np
import pytest

from lib.data import phantoms, splits
from lib.models import cost, training
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

BACKBONE = BackboneSettings("MobileNetV2", "random")  # the time is that of trained weights
SIZE, EPOCHS, N_SEEDS = 128, 20, 3
INPUTS = ("image", "mask", "image+mask", "image + ground-truth mask")


@pytest.fixture(scope="module")
def data():
    return phantoms.make(128, SIZE)


@pytest.fixture(scope="module")
def parts(data):
    split = splits.stratified(data.labels, 0)
    return split.train, split.validation


def _once(benchmark, function, *arguments):
    return benchmark.pedantic(function, arguments, rounds=1, warmup_rounds=0)


def _features(data, inputs="image+mask"):
    backbone = classification.frozen_backbone(SIZE, BACKBONE)
    return classification.extract(backbone, classification.stack_inputs(data.images, data.masks, inputs), BACKBONE)


def _through_the_network(data, parts):
    """The classifier as the authors' scripts train it: every epoch goes through the frozen network."""
    frozen = classification.frozen_backbone(SIZE, BACKBONE)
    frozen.trainable = False
    layers = [frozen, keras.layers.Flatten(), *(keras.layers.Dense(64, "relu") for _ in range(3))]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, (train, validation) = classification.stack_inputs(data.images, data.masks, "image+mask"), parts
    beside = x[validation], data.labels[validation]
    model.fit(x[train], data.labels[train], 32, EPOCHS, verbose=0, validation_data=beside)


def _on_features(data, parts, n_kinds=1, seeds=(0,), x=None):
    x = _features(data)[:, None].repeat(n_kinds, axis=1) if x is None else x
    classification.fit_heads(x, data.labels, 3, *parts, HeadSettings(epochs=EPOCHS), list(seeds))


@pytest.mark.benchmark(group="one classifier, 20 epochs, 128 images")
def test_classifier_on_features(benchmark, data, parts):
    _once(benchmark, _on_features, data, parts)


@pytest.mark.benchmark(group="one classifier, 20 epochs, 128 images")
def test_classifier_through_the_frozen_network(benchmark, data, parts):
    _once(benchmark, _through_the_network, data, parts)


@pytest.mark.benchmark(group="twelve heads on features")
@pytest.mark.parametrize("together", [True, False], ids=["side by side", "one by one"])
def test_heads(benchmark, data, parts, together):
    x = _features(data)[:, None].repeat(len(INPUTS), axis=1)

    def fit():
        if together:
            _on_features(data, parts, x=x, seeds=range(N_SEEDS))
        else:
            for kind in range(len(INPUTS)):
                for seed in range(N_SEEDS):
                    _on_features(data, parts, x=x[:, [kind]], seeds=[seed])

    benchmark.pedantic(fit, rounds=2, warmup_rounds=1)


def _unet(data, parts, epochs=2, seed=0):
    segmentation.fit(data, *parts, SegmenterSettings(epochs=epochs), seed)


@pytest.mark.benchmark(group="Table I: U-Net of 2 epochs, four inputs, classifiers of 20 epochs")
def test_table_1_as_here(benchmark, data, parts):
    def run():
        _unet(data, parts)
        for name in INPUTS[:3]:
            _features(data, name)
        _on_features(data, parts, len(INPUTS))

    _once(benchmark, run)


@pytest.mark.benchmark(group="Table I: U-Net of 2 epochs, four inputs, classifiers of 20 epochs")
def test_table_1_as_in_the_authors_scripts(benchmark, data, parts):
    """Each script has a U-Net of its own, and trains its classifier through the frozen network."""

    def run():
        for _ in INPUTS:
            keras.utils.clear_session()
            training._kept.clear()  # another script is another process, which traces its networks anew
            _unet(data, parts)
            _through_the_network(data, parts)

    _once(benchmark, run)


@pytest.fixture(scope="module")
def unet(data):
    return segmentation.network(SIZE, SegmenterSettings(), 0, 0)


def _batches(data):
    return segmentation.as_input(data.images), data.masks


@pytest.mark.benchmark(group="one epoch of the U-Net, 128 images, 4 batches")
def test_unet_here(benchmark, data, unet):
    settings = SegmenterSettings(epochs=1, keep="last")
    benchmark.pedantic(training.fit, (unet, *_batches(data), None, settings, 0), {"keep": "last"}, rounds=3)


@pytest.mark.benchmark(group="one epoch of the U-Net, 128 images, 4 batches")
def test_unet_by_plain_keras(benchmark, data, unet):
    benchmark.pedantic(unet.fit, _batches(data), {"batch_size": 32, "verbose": 0}, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="one epoch of the U-Net, 128 images, 4 batches")
@pytest.mark.parametrize(("precision", "jit"), [("float32", True), ("mixed_bfloat16", False), ("mixed_bfloat16", True)])
def test_unet_in_other_precision_or_compiled_as_a_whole(benchmark, data, precision, jit):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    training._kept.clear()
    try:
        unet = segmentation.network(SIZE, SegmenterSettings(), 0, 0)
        unet.compile("adam", "binary_crossentropy", jit_compile=jit)
        benchmark.pedantic(unet.fit, _batches(data), {"batch_size": 32, "verbose": 0}, rounds=3, warmup_rounds=1)
    finally:
        keras.config.set_dtype_policy(before)
        training._kept.clear()


@pytest.mark.benchmark(group="one epoch of the U-Net, 128 images, 4 batches")
def test_as_many_multiply_adds_in_matrix_products(benchmark, unet):
    """The limit of this machine: forward once, backward twice."""
    n, wanted = 1024, 3 * 128 * cost.multiply_adds(unet)
    a = keras.ops.convert_to_tensor(np.ones((n, n), np.float32))

    def multiply():
        for _ in range(round(wanted / n**3)):
            b = keras.ops.matmul(a, a)
        return keras.ops.convert_to_numpy(b)

    benchmark.pedantic(multiply, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="features of 780 images")
@pytest.mark.parametrize("name", ["VGG16", "Xception", "MobileNetV2"])
def test_features(benchmark, name):
    settings = BackboneSettings(name, "random")
    x = np.random.default_rng(0).random((780, SIZE, SIZE, 3), np.float32)
    backbone = classification.frozen_backbone(SIZE, settings)
    classification.extract(backbone, x[:64], settings)  # traces it
    _once(benchmark, classification.extract, backbone, x, settings)
