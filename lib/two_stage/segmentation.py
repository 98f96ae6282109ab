"""Stage 1 as steps: settings, a trained U-Net, the masks it predicts (paper A, II-B and III-B)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from lib.core import jobs
from lib.core.config import Profile, check_choice
from lib.core.store import pack_masks, unpack_masks
from lib.data.record import ImageSet
from lib.evaluation import metrics
from lib.models import augmentation, backbones, training
from lib.models.pretrained_unet import build_pretrained_unet
from lib.models.unet import build_unet

ENCODERS = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}  # ImageNet networks by architecture
NONE = np.empty(0, np.int64)  # validation images, where the last epoch is kept
AUGMENTATIONS = {"none": None, "ultrasound": augmentation.ultrasound, "strong": augmentation.strong}
# Results of segmenter jobs, each with the indices of the images whose masks are taken from it (None: all).
MaskParts = Sequence[tuple[Mapping[str, Any], np.ndarray | None]]


@dataclass(frozen=True)
class SegmenterSettings:
    """Configuration of stage 1; the defaults are those that III-B ends with."""

    architecture: str = "unet"  # the paper's; mobilenetv2, vgg16: with an ImageNet encoder
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
    weights: str = "imagenet"  # of an encoder; the other networks start from random ones
    loss: str = "bce"  # or bce+dice: half the soft Dice loss is added
    augmentation: str = "none"  # or ultrasound, strong
    schedule: str = "constant"  # learning rate, or cosine: falling to zero with the last step
    mirrored: bool = False  # masks of an image and of its mirror image are averaged
    average: float = 0.0  # share of the weights' running average that each step keeps, 0: weights of the last step

    @classmethod
    def of(cls, profile: Profile) -> "SegmenterSettings":
        return cls(
            filters=profile.unet_filters,
            epochs=profile.unet_epochs,
            batch_size=profile.unet_batch,
            bn_momentum=profile.unet_bn_momentum,
        )

    @classmethod
    def pretrained(cls, profile: Profile) -> "SegmenterSettings":
        """Stage 1 with an ImageNet encoder.  Its learning rate ends at zero: no epoch has to be chosen.

        Where weights are random nothing is pretrained, and the plain U-Net is trained in the same way.
        """
        return cls(
            architecture="mobilenetv2" if profile.weights == "imagenet" else "unet",
            filters=profile.unet_filters,
            bn_momentum=0.9,
            learning_rate=5e-4,
            epochs=profile.encoder_epochs,
            batch_size=profile.encoder_batch,
            keep="last",
            weights=profile.weights,
            loss="bce+dice",
            augmentation="ultrasound",
            schedule="cosine",
            mirrored=True,
        )


def network(size: int, settings: SegmenterSettings, seed: int, n_steps: int) -> keras.Model:
    """An untrained, compiled network for images of ``size`` × ``size``; see :func:`lib.models.training.network`.

    Parameters
    ----------
    n_steps : batches of the whole training, over which a cosine schedule falls.
    """
    # Settings that change no graph share one.
    shape = replace(settings, epochs=0, batch_size=0, keep="last", augmentation="none", mirrored=False)
    steps = {"constant": 0, "cosine": n_steps}[settings.schedule]
    weights = str(_raw({"settings": settings}))
    return training.network((size, shape, steps, weights), lambda: _build(size, settings, steps), seed)


def _build(size: int, settings: SegmenterSettings, n_steps: int) -> keras.Model:
    check_choice("architecture", settings.architecture, ("unet", *ENCODERS))
    shared = {name: getattr(settings, name) for name in ("dropout", "batch_norm", "bn_momentum")}
    if settings.architecture in ENCODERS:
        model = build_pretrained_unet(size, settings.weights, encoder=ENCODERS[settings.architecture], **shared)
    else:
        own = {name: getattr(settings, name) for name in ("filters", "decoder_dropout", "upsampling", "regularizer")}
        model = build_unet((size, size, 3), **shared, **own)
    rate = (
        keras.optimizers.schedules.CosineDecay(settings.learning_rate, n_steps) if n_steps else settings.learning_rate
    )
    # The cross-entropy is tracked apart from penalties and Dice: the paper's 0.097 is the cross-entropy alone.
    bce = keras.metrics.BinaryCrossentropy(name="bce")
    # Keras replaces the weights by their running average at the end of the training.
    averaging = {"use_ema": True, "ema_momentum": settings.average} if settings.average else {}
    model.compile(keras.optimizers.Adam(rate, **averaging), LOSSES[settings.loss], metrics=[bce])
    return model


def _raw(arguments: Mapping[str, Any]) -> dict[str, str]:
    settings = arguments["settings"]
    reads = settings.architecture in ENCODERS and settings.weights == "imagenet"
    return {"weights": backbones.identity(ENCODERS[settings.architecture], settings.weights)} if reads else {}


# Activation maps clone the compiled network.
@keras.saving.register_keras_serializable(package="lib")
def _bce_and_dice(truth, predicted):
    bce = keras.ops.mean(keras.losses.binary_crossentropy(truth, predicted))
    # Over the whole batch: images without a lesion have no Dice of their own.
    both, total = keras.ops.sum(truth * predicted), keras.ops.sum(truth) + keras.ops.sum(predicted)
    return bce + 0.5 * (1 - (2 * both + 1) / (total + 1))


LOSSES = {"bce": keras.losses.binary_crossentropy, "bce+dice": _bce_and_dice}


def fit(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    settings: SegmenterSettings,
    seed: int,
    state: Path | None = None,
) -> tuple[keras.Model, pd.DataFrame]:
    """A network trained on the images ``train``, its epoch chosen on ``validation``; no other image is read.

    Parameters
    ----------
    train, validation : indices; without validation images the settings must keep the last epoch.
    state : see :func:`lib.models.training.fit`.

    Returns
    -------
    The model, valid until the next call, and its history, one row per epoch.
    """
    model = network(data.images.shape[1], settings, seed, training.n_steps(settings, len(train)))
    x, y = as_input(data.images[train]), data.masks[train]
    beside = (as_input(data.images[validation]), data.masks[validation]) if len(validation) else None
    options: dict[str, Any] = {"augment": AUGMENTATIONS[settings.augmentation], "keep": settings.keep, "state": state}
    return model, training.fit(model, x, y, beside, settings, seed, monitor="val_bce", **options)


@jobs.step("segmenter", version=1, working_only=("weights",), raw=_raw)
def segmenter(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    settings: SegmenterSettings,
    seed: int,
    predicted: np.ndarray | None = None,
    state: Path | None = None,
) -> dict[str, Any]:
    """A network of stage 1 and its masks of the images ``predicted`` (None: all), as a job.

    Returns
    -------
    ``predicted`` if some images only; ``history`` by column; ``masks`` of
    :func:`lib.core.store.pack_masks`; ``bce`` of each mask before it was rounded (nats per pixel); ``weights``.
    """
    model, history = fit(data, train, validation, settings, seed, state)
    chosen = np.arange(len(data)) if predicted is None else predicted
    masks = predict(model, data.images[chosen], mirrored=settings.mirrored)
    return {
        **({} if predicted is None else {"predicted": predicted}),
        "history": history.to_dict("list"),
        "masks": pack_masks(masks),
        "bce": metrics.mask_scores(data.masks[chosen], masks).bce.to_numpy(np.float32),
        "weights": model.get_weights(),
    }


def assemble_masks(parts: MaskParts, n: int) -> np.ndarray:
    """Masks of all images, float32 (n, height, width, 1), from those that several networks predict.

    Parameters
    ----------
    parts : results of :func:`segmenter`, each with the indices of the images whose
        masks are taken from it (None: all); later parts replace earlier ones.  Images of no part stay empty.
    """
    packed = np.zeros((n, *parts[0][0]["masks"].shape[1:]), np.uint8)
    for values, chosen in parts:
        predicted = values.get("predicted", np.arange(n))
        chosen = predicted if chosen is None else chosen
        rows = pd.Series(np.arange(len(predicted)), predicted).loc[chosen]  # KeyError: asked for what was not predicted
        packed[chosen] = values["masks"][rows]
    return unpack_masks(packed)


@jobs.step("mask_scores", version=1, quick=True)
def mask_scores(data: ImageSet, masks: MaskParts, scored: np.ndarray, ensemble: bool = False) -> dict[str, Any]:
    """Agreement of predicted masks with the ground truth, image by image, as a job.

    Parameters
    ----------
    masks : parts of :func:`assemble_masks`; with ``ensemble`` they all predict ``scored``, and their mean is scored.
    scored : indices of the images.

    Returns
    -------
    Columns of :func:`lib.evaluation.metrics.mask_scores` without ``bce`` and of
    :func:`lib.evaluation.metrics.surface_scores`, one value per image of ``scored``.
    """
    voters = [[part] for part in masks] if ensemble else [masks]
    both = data.masks[scored], np.mean([assemble_masks(parts, len(data))[scored] for parts in voters], axis=0)
    return metrics.mask_scores(*both).drop(columns="bce").join(metrics.surface_scores(*both)).to_dict("list")


def restore(size: int, settings: SegmenterSettings, weights: list[np.ndarray] | None = None) -> keras.Model:
    """A network of its own with the ``weights`` of a :func:`segmenter` job, to predict with; None: random ones."""
    model = _build(size, replace(settings, weights="random"), 0)
    if weights is not None:
        model.set_weights(weights)
    return model


def predict(model: keras.Model, images: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """Masks, float32 (n, height, width, 1) in [0, 1], of images (n, height, width, 1) in [0, 1].

    ``mirrored`` averages the masks of each image and of its mirror image (test-time averaging).
    """
    masks = model.predict(as_input(images), verbose=0)
    return (masks + model.predict(as_input(images[:, :, ::-1]), verbose=0)[:, :, ::-1]) / 2 if mirrored else masks


def mean_of_views(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a network says of images and of their mirror images, averaged: features or probabilities (n, k)."""
    return np.mean([model.predict(as_input(view), verbose=0) for view in (images, images[:, :, ::-1])], axis=0)


def as_input(images: np.ndarray) -> np.ndarray:
    """Gray images (n, height, width, 1) as the three equal channels that stage 1 takes."""
    return np.repeat(images, 3, axis=-1)
