"""Stage 1 as steps: settings, a trained U-Net, the masks it predicts (paper A, II-B and III-B)."""

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import artifacts, runtime
from lib.core.config import Profile, check_choice
from lib.data.record import DataError, ImageSet
from lib.data.splits import Split
from lib.models import augmentation, training
from lib.models.pretrained_unet import build_pretrained_unet
from lib.models.unet import build_unet

ARCHITECTURES = ("unet", "attention", "mobilenetv2")
LOSSES = ("bce", "bce+dice")
AUGMENTATIONS = {"none": None, "ultrasound": augmentation.ultrasound}
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Settings:
    """Configuration of stage 1; the defaults are those that III-B ends with."""

    architecture: str = "unet"  # the paper's; attention: with gated skips; mobilenetv2: an ImageNet encoder
    filters: int = 16
    dropout: float = 0.1
    decoder_dropout: bool = True
    upsampling: str = "transposed"
    regularizer: str = "none"
    batch_norm: bool = True
    bn_momentum: float = 0.99
    learning_rate: float = 1e-3
    epochs: int = 50
    batch_size: int = 32
    keep: str = "best"  # epoch of least validation loss, or last as in the authors' code
    weights: str = "imagenet"  # of the encoder of mobilenetv2; the other networks start from random ones
    loss: str = "bce"  # or bce+dice: half the soft Dice loss is added
    augmentation: str = "none"  # or ultrasound
    schedule: str = "constant"  # learning rate, or cosine: falling to zero with the last step

    @classmethod
    def of(cls, profile: Profile) -> "Settings":
        return cls(
            filters=profile.unet_filters,
            epochs=profile.unet_epochs,
            batch_size=profile.unet_batch,
            bn_momentum=profile.unet_bn_momentum,
        )

    @classmethod
    def pretrained(cls, profile: Profile) -> "Settings":
        """Stage 1 with an ImageNet encoder.  Its learning rate ends at zero: no epoch has to be chosen."""
        return cls(
            architecture="mobilenetv2",
            bn_momentum=0.9,
            learning_rate=5e-4,
            epochs=profile.pretrained_epochs,
            batch_size=profile.pretrained_batch,
            keep="last",
            weights=profile.weights,
            loss="bce+dice",
            augmentation="ultrasound",
            schedule="cosine",
        )


def build(size: int, settings: Settings, seed: int, n_steps: int | None = None) -> keras.Model:
    """An untrained, compiled network for images of ``size`` × ``size``.

    Parameters
    ----------
    n_steps : batches of the whole training, over which a cosine schedule falls; a network that is
        only to predict needs none.
    """
    check_choice("architecture", settings.architecture, ARCHITECTURES)
    check_choice("loss", settings.loss, LOSSES)
    check_choice("schedule", settings.schedule, SCHEDULES)
    runtime.seed_everything(seed)
    if settings.architecture == "mobilenetv2":
        model = build_pretrained_unet(
            size, settings.weights, dropout=settings.dropout, bn_momentum=settings.bn_momentum, seed=seed
        )
    else:
        model = build_unet(
            (size, size, 3),
            settings.filters,
            dropout=settings.dropout,
            decoder_dropout=settings.decoder_dropout,
            upsampling=settings.upsampling,
            regularizer=settings.regularizer,
            batch_norm=settings.batch_norm,
            bn_momentum=settings.bn_momentum,
            attention=settings.architecture == "attention",
        )
    rate = settings.learning_rate
    if settings.schedule == "cosine" and n_steps:
        rate = keras.optimizers.schedules.CosineDecay(rate, n_steps)
    # The cross-entropy is tracked apart from penalties and Dice: the paper's 0.097 is the cross-entropy alone.
    bce = keras.metrics.BinaryCrossentropy(name="bce")
    loss = "binary_crossentropy" if settings.loss == "bce" else _bce_and_dice
    optimizer = keras.optimizers.Adam(rate)
    # Variables that come into being in the first step make TensorFlow trace it twice: seconds a training.
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, loss, metrics=[bce])
    return model


@keras.saving.register_keras_serializable(package="lib")
def _bce_and_dice(truth, predicted):
    bce = keras.ops.mean(keras.losses.binary_crossentropy(truth, predicted))
    # Over the whole batch: images without a lesion have no Dice of their own.
    both, total = keras.ops.sum(truth * predicted), keras.ops.sum(truth) + keras.ops.sum(predicted)
    return bce + 0.5 * (1 - (2 * both + 1) / (total + 1))


def train(
    data: ImageSet,
    split: Split,
    settings: Settings,
    seed: int,
    cache: Path | None = None,
    verbose: bool = False,
) -> tuple[keras.Model, pd.DataFrame]:
    """A U-Net trained on ``split.train``, its epoch chosen on ``split.validation``; the test part is not read.

    Without validation images the settings must keep the last epoch.  With ``cache``, a finished
    training is loaded instead of repeated and a killed one is resumed.

    Returns
    -------
    The model and its history, one row an epoch (see :func:`lib.models.training.fit`).
    """
    if data.masks is None:
        raise DataError("stage 1 needs masks, and this data set has none")
    size = data.images.shape[1]

    augment = AUGMENTATIONS[check_choice("augmentation", settings.augmentation, tuple(AUGMENTATIONS))]

    def run(folder: Path | None = None) -> dict:
        n_steps = settings.epochs * math.ceil(len(split.train) / settings.batch_size)
        model = build(size, settings, seed, n_steps)
        train_set, validation = data.select(split.train), data.select(split.validation)
        history = training.fit(
            model,
            as_input(train_set.images),
            train_set.masks,
            (as_input(validation.images), validation.masks) if len(validation) else None,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=seed,
            keep=settings.keep,
            augment=augment,
            folder=folder,
            verbose=verbose,
        )
        return {"weights": model.get_weights(), "history": history}

    if cache is None:
        result = run()
    else:
        parts = {part: indices.tolist() for part, indices in split.parts().items() if part != "test"}
        key = {"step": "unet", "data": data.digest, **parts, "settings": settings, "seed": seed}
        unfinished = Path(cache) / "unfinished" / f"unet-{artifacts.digest(key)}"
        result = artifacts.cached(key, lambda: run(unfinished), cache, code=("lib.two_stage.segmentation",))
        training.forget(unfinished)
    model = build(size, settings, seed)
    model.set_weights(result["weights"])
    return model, result["history"]


def predict(model: keras.Model, images: np.ndarray, batch_size: int = 32, mirrored: bool = False) -> np.ndarray:
    """Masks, float32 (n, height, width, 1) in [0, 1], of images (n, height, width, 1) in [0, 1].

    ``mirrored`` averages the masks of each image and of its mirror image (test-time averaging).
    """
    masks = model.predict(as_input(images), batch_size=batch_size, verbose=0)
    if not mirrored:
        return masks
    return (masks + predict(model, images[:, :, ::-1], batch_size)[:, :, ::-1]) / 2


def bottleneck(model: keras.Model, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """What the network knows at its deepest layer, averaged over space: float32 (n, n_filters).

    A backbone for stage 2 that needs no download.
    """
    encoder = keras.Model(model.input, model.get_layer("bottleneck").output)
    return encoder.predict(as_input(images), batch_size=batch_size, verbose=0).mean(axis=(1, 2))


def as_input(images: np.ndarray) -> np.ndarray:
    """Gray images (n, height, width, 1) as the three equal channels that stage 1 takes."""
    return np.repeat(images, 3, axis=-1)
