"""Classifiers whose convolutions learn too: from ImageNet, or from a network that has learnt to draw lesions.

As in :mod:`lib.experiments.classifiers`, each function returns a ``predict`` for :func:`lib.experiments.grouped_cv.run`.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from lib.core import artifacts, runtime
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.experiments import lesion_features as lesion_maps
from lib.experiments.classifiers import Predict
from lib.models import augmentation, backbones, training
from lib.two_stage import segmentation

_BATCH = 16
_DROPOUT = 0.3


def from_imagenet(
    data: ImageSet, backbone: str, weights: str, epochs: int, seeds: Sequence[int], cache: Path | None = None
) -> Predict:
    """The last quarter of an ImageNet network's layers learns too, from augmented images; mirror images averaged.

    Batch normalisation stays as it is.  The learning rate falls to zero with the last epoch, which is
    kept: nothing is chosen.
    """
    size = data.images.shape[1]
    key = {"backbone": backbone, "weights": backbones.weights_id(backbone, weights)}
    return _fine_tuned(
        data,
        lambda fold, seed: _tunable(backbone, size, weights, len(data.classes), seed),
        5e-4,
        epochs,
        seeds,
        key,
        cache,
    )


def from_stage_1(
    data: ImageSet,
    segmenter: Callable[[int], keras.Model],
    drawn_by: dict,
    epochs: int,
    seeds: Sequence[int],
    cache: Path | None = None,
) -> Predict:
    """The network that draws the lesion learns to name it, with the same layers trained as for drawing.

    Its maps of every resolution are averaged over the picture and over the lesion that it draws, so
    that the class is read from the lesion as well as from its surroundings.

    Parameters
    ----------
    segmenter : from a test fold to a network of stage 1 that has seen neither it nor the fold that chooses.
    drawn_by : what the networks depend on; part of the cache's key.
    """

    def build(fold: int, seed: int) -> keras.Model:
        unet = segmenter(fold)
        runtime.seed_everything(seed)
        return _named_and_drawn(unet, len(data.classes))

    return _fine_tuned(data, build, 2e-4, epochs, seeds, {"from": "stage 1", **drawn_by}, cache)


def _fine_tuned(
    data: ImageSet,
    build: Callable[[int, int], keras.Model],
    learning_rate: float,
    epochs: int,
    seeds: Sequence[int],
    key: dict,
    cache: Path | None,
) -> Predict:
    inputs = segmentation.as_input(data.images)
    one_hot = np.eye(len(data.classes), dtype=np.float32)[data.labels]

    def train(split: Split, fold: int, seed: int) -> np.ndarray:
        model = build(fold, seed)
        n_steps = epochs * math.ceil(len(split.train) / _BATCH)
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, n_steps))
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
        training.fit(
            model,
            inputs[split.train],
            one_hot[split.train],
            None,
            epochs=epochs,
            batch_size=_BATCH,
            seed=seed,
            keep="last",
            augment=augmentation.ultrasound,
        )
        said = model.predict(inputs, verbose=0) + model.predict(inputs[:, :, ::-1], verbose=0)
        return said / 2

    def predict(split: Split, fold: int) -> np.ndarray:
        if cache is None:
            return np.stack([train(split, fold, seed) for seed in seeds])
        whole = {"step": "fine-tuned", "data": data.digest, "train": split.train.tolist(), **key, "epochs": epochs}
        whole |= {"validation": split.validation.tolist(), "batch": _BATCH, "learning rate": learning_rate}
        code = ("lib.experiments.fine_tuning",)
        return np.stack(
            [
                artifacts.cached({**whole, "seed": seed}, lambda s=seed: train(split, fold, s), cache, code)
                for seed in seeds
            ]
        )

    return predict


def _tunable(backbone: str, size: int, weights: str, n_classes: int, seed: int) -> keras.Model:
    network = backbones.build(backbone, size, weights, seed)
    for layer in network.layers[-len(network.layers) // 4 :]:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    inputs = keras.Input((size, size, 3))
    x = layers.GlobalAveragePooling2D()(network(layers.Rescaling(2.0, -1.0)(inputs)))
    x = layers.Dropout(_DROPOUT)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


def _named_and_drawn(unet: keras.Model, n_classes: int) -> keras.Model:
    inputs = keras.Input(unet.input.shape[1:])
    # Features of different layers differ in scale a hundredfold: the answer would come from one of them.
    x = layers.BatchNormalization(momentum=0.9)(lesion_maps.reader(unet)(inputs))
    x = layers.Dropout(_DROPOUT)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
