"""Classifiers whose convolutions are trained too: from ImageNet weights, or from a network of stage 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from lib.core import jobs
from lib.data.record import ImageSet
from lib.experiments import lesion_features
from lib.models import augmentation, backbones, training
from lib.two_stage import segmentation
from lib.two_stage.segmentation import SegmenterSettings


@dataclass(frozen=True)
class FineTuningSettings:
    """Configuration of a fine-tuned classifier; the last epoch is kept, so nothing is chosen."""

    backbone: str = "MobileNetV2"  # or stage 1: the layers that were trained there are trained on
    weights: str = "imagenet"
    learning_rate: float = 5e-4  # falls to zero along a cosine
    epochs: int = 24
    batch_size: int = 16
    dropout: float = 0.3


def _raw(arguments: Mapping[str, Any]) -> dict[str, str]:
    name, weights = arguments["settings"].backbone, arguments["settings"].weights
    return {} if name == "stage 1" else {"weights": backbones.identity(name, weights)}


@jobs.step("fine_tuned", version=1, raw=_raw, needs={"network": ("weights",)})
def fine_tuned(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: FineTuningSettings,
    seed: int,
    network: Mapping[str, Any] | None = None,
    segmenter: SegmenterSettings | None = None,
    state: Path | None = None,
) -> dict[str, Any]:
    """A classifier trained on augmented images, its answers averaged over image and mirror image, as a job.

    Parameters
    ----------
    validation : images that are only predicted.
    network, segmenter : for the backbone ``stage 1``: result of
        :func:`lib.two_stage.segmentation.segmenter` and its settings.

    Returns
    -------
    ``validation`` and ``test``: probabilities, float32 (1, n_images, n_classes); ``history`` by column.
    """
    size, n_classes = data.images.shape[1], len(data.classes)
    n_steps = training.n_steps(settings, len(train))
    key = ("fine-tuned", size, n_classes, settings, segmenter, n_steps)
    model = training.network(key, lambda: _build(size, n_classes, settings, segmenter, n_steps), seed)
    if network is not None:
        for place, value in zip(model.stage_1_places, network["weights"], strict=True):
            model.weights[place].assign(value)
    x, one_hot = segmentation.as_input(data.images[train]), np.eye(n_classes, dtype=np.float32)[data.labels[train]]
    options: dict[str, Any] = {"augment": augmentation.ultrasound, "keep": "last", "state": state}
    history = training.fit(model, x, one_hot, None, settings, seed, **options)
    parts = {"validation": validation, "test": test}
    answers = {name: segmentation.mean_of_views(model, data.images[part])[None] for name, part in parts.items()}
    return {**answers, "history": history.to_dict("list")}


def _build(
    size: int, n_classes: int, settings: FineTuningSettings, segmenter: SegmenterSettings | None, n_steps: int
) -> keras.Model:
    inputs, stage_1 = keras.Input((size, size, 3)), []
    if segmenter is None:
        backbone = backbones.build(settings.backbone, size, settings.weights)
        for layer in backbone.layers[-len(backbone.layers) // 4 :]:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
        x = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(2.0, -1.0)(inputs)))
    else:
        unet = segmentation.restore(size, segmenter)
        stage_1 = unet.weights
        # Features of different layers differ in scale a hundredfold: the answer would come from one of them.
        x = layers.BatchNormalization(momentum=0.9)(lesion_features.reader(unet)(inputs))
    x = layers.Dropout(settings.dropout, seed=0)(x)
    model = keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
    # Where the weights of stage 1 are among those of the network that shares its layers.
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    model.stage_1_places = [places[id(weight)] for weight in stage_1]
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, n_steps)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model
