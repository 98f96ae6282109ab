"""Stage 2 as steps: its input, the backbone's features, trained heads (paper A, II-C and III-B)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from lib.core import jobs
from lib.core.config import check_choice
from lib.data.record import ImageSet
from lib.models import backbones, training
from lib.models.head import build_heads
from lib.two_stage import segmentation

INPUTS = ("image", "mask", "image+mask")
FEATURES = ("flatten", "pooled")


@dataclass(frozen=True)
class BackboneSettings:
    """How images become features; the defaults are the paper's and, where it is silent, the authors' code's."""

    name: str = "DenseNet201"
    weights: str = "imagenet"
    preprocessing: str = "raw"  # [0, 1] values as in the authors' code, or own: the backbone's
    features: str = "flatten"  # the whole map as in the authors' code, or pooled: its mean over space
    mirrored: bool = False  # of the images' mirror images


@dataclass(frozen=True)
class HeadSettings:
    """Configuration of a head; the defaults are those that III-B ends with."""

    n_layers: int = 3
    units: int = 64
    dropout: float = 0.05
    learning_rate: float = 1e-3
    epochs: int = 20
    batch_size: int = 32
    keep: str = "best"  # epoch of highest validation accuracy, or last as in the authors' code
    balance: str = "none"  # or weights: classes count alike in the loss; downsampled: common ones are thinned


def stack_inputs(images: np.ndarray, masks: np.ndarray | Any, inputs: str) -> np.ndarray:
    """The three channels that the backbone takes, float32 (n, height, width, 3) in [0, 1].

    ``"image"``: the image three times; ``"mask"``: the mask three times; ``"image+mask"``: image,
    mask, mask (II-C).
    """
    channels = {"image": (images,) * 3, "mask": (masks,) * 3, "image+mask": (images, masks, masks)}
    return np.concatenate(channels[inputs], axis=-1, dtype=np.float32)


def extract(backbone: keras.Model, inputs: np.ndarray, settings: BackboneSettings) -> np.ndarray:
    """Features, float32 (n, n_features), of inputs (n, height, width, 3) in [0, 1]."""
    check_choice("features", settings.features, FEATURES)
    maps = backbone.predict(backbones.preprocess(settings.name, inputs, settings.preprocessing), verbose=0)
    return maps.mean(axis=(1, 2)) if settings.features == "pooled" else maps.reshape(len(maps), -1)


def frozen_backbone(size: int, settings: BackboneSettings, seed: int = 0) -> keras.Model:
    """The backbone for images of ``size`` × ``size``, built once per process; ``seed`` is that of random weights."""
    key = ("backbone", size, settings.name, backbones.identity(settings.name, settings.weights), seed)
    return training.keep(key, lambda: backbones.build(settings.name, size, settings.weights, seed))


def backbone_weights(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The weights that a step reads beside its arguments, whose ``settings`` are or hold a backbone's."""
    settings = getattr(arguments["settings"], "backbone", arguments["settings"])
    return {"weights": backbones.identity(settings.name, settings.weights)}


@jobs.step("features", version=1, working_only=("features",), raw=backbone_weights)
def features(
    data: ImageSet, inputs: str, settings: BackboneSettings, masks: segmentation.MaskParts | str = (), seed: int = 0
) -> dict[str, Any]:
    """Features of all images by a frozen backbone, as a job.

    Parameters
    ----------
    inputs : one of :data:`INPUTS`.
    masks : parts of :func:`lib.two_stage.segmentation.assemble_masks`, or ``"ground truth"``: an oracle, whose
        masks hold the label.
    seed : of random weights.

    Returns
    -------
    ``features``: float32 (n, n_features).
    """
    known = data.masks if isinstance(masks, str) else segmentation.assemble_masks(masks, len(data)) if masks else None
    stacked = stack_inputs(data.images, known, inputs)
    stacked = stacked[:, :, ::-1] if settings.mirrored else stacked
    return {"features": extract(frozen_backbone(stacked.shape[1], settings, seed), stacked, settings)}


def fit_heads(
    x: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    train: np.ndarray,
    validation: np.ndarray,
    settings: HeadSettings,
    seeds: Sequence[int],
) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """One head for each kind of features and each seed, trained side by side; no test image is read.

    Parameters
    ----------
    x : float32 (n, n_kinds, n_features).
    labels : int (n,).
    train, validation : indices; ``validation`` chooses each head's epoch.
    seeds : of the heads' initial weights.  Dropout and the order of batches follow the first seed and the
        number of heads: heads that are trained together are one job.

    Returns
    -------
    The stack of heads, from (n, n_kinds, n_features) to probabilities (n, n_kinds, n_seeds, n_classes), valid
    until the next call, and its history: ``val_accuracy`` and ``val_loss``, float (epochs, n_kinds, n_seeds), and
    ``kept``, the index of the kept epoch of each head.
    """
    n_kinds, n_features = x.shape[1:]
    shape = (n_kinds, len(seeds), n_features, n_classes, replace(settings, epochs=0, batch_size=0, keep="", balance=""))
    heads = training.network(("heads", shape), lambda: build_heads(*shape), seeds[0])
    _draw_heads(heads, seeds)
    one_hot = np.eye(n_classes, dtype=np.float32)[labels]
    chosen, weights = _balance(labels, train, n_classes, settings.balance, seeds[0])
    keep = check_choice("keep", settings.keep, ("best", "last"))
    keeper = _HeadKeeper(x[validation], labels[validation], keep)
    training.fit(heads, x, one_hot * weights, None, settings, seeds[0], keep="last", chosen=chosen, callbacks=[keeper])
    heads.set_weights(keeper.weights)
    return heads, keeper.history()


@jobs.step("heads", version=1, working_only=("weights",), needs={"x": ("features",), "mirrored": ("features",)})
def heads(
    data: ImageSet,
    x: Sequence[Mapping[str, np.ndarray]],
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: HeadSettings,
    seeds: Sequence[int],
    mirrored: Sequence[Mapping[str, np.ndarray]] = (),
) -> dict[str, Any]:
    """Heads on several kinds of features and with several seeds, as one job (see :func:`fit_heads`).

    Parameters
    ----------
    x : results of :func:`features`, one per kind.
    mirrored : the same of the images' mirror images: heads are then trained on both, and answer with the mean.

    Returns
    -------
    ``validation`` and ``test``: probabilities, float32 (n_kinds, n_seeds, n_images, n_classes); the history of
    :func:`fit_heads`; ``weights`` in Keras' order.
    """
    kinds = [np.stack([one["features"] for one in view], axis=1) for view in (x, mirrored) if view]
    stacked = np.concatenate(kinds)
    views = len(data) * np.arange(len(kinds))[:, None]  # where each view's images begin
    labels, parts = np.tile(data.labels, len(views)), [np.ravel(part + views) for part in (train, validation)]
    model, history = fit_heads(stacked, labels, len(data.classes), parts[0], parts[1], settings, seeds)

    def predict(part: np.ndarray) -> np.ndarray:
        answers = [model.predict(stacked[part + view], verbose=0) for view in views]
        return np.mean(answers, axis=0).transpose(1, 2, 0, 3)

    return {"validation": predict(validation), "test": predict(test), **history, "weights": model.get_weights()}


class _HeadKeeper(keras.callbacks.Callback):
    """Keeps the weights of each head's best epoch on validation data, of equals the earliest, or of its last."""

    def __init__(self, x: np.ndarray, labels: np.ndarray, keep: str):
        super().__init__()
        self.x, self.labels, self.keep = x, labels, keep
        self.accuracy, self.loss, self.weights = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
        self.kept: np.ndarray | Any = 0

    def on_epoch_end(self, epoch, logs=None):
        probabilities = self.model.predict(self.x, verbose=0)
        own = np.take_along_axis(probabilities, self.labels[:, None, None, None], axis=-1)[..., 0]
        accuracy = (probabilities.argmax(axis=-1) == self.labels[:, None, None]).mean(axis=0)
        better = (accuracy > np.max(self.accuracy, axis=0, initial=-1)) | (self.keep == "last")
        now = self.model.get_weights()
        self.weights = self.weights or now
        for kept, new in zip(self.weights, now, strict=True):
            kept[better] = new[better]
        self.kept = np.where(better, epoch, self.kept)
        self.accuracy.append(accuracy)
        self.loss.append(-np.log(np.clip(own, 1e-7, 1)).mean(axis=0))

    def history(self) -> dict[str, np.ndarray]:
        accuracy, loss = np.stack(self.accuracy), np.stack(self.loss)
        return {"val_accuracy": accuracy, "val_loss": loss.astype(np.float32), "kept": self.kept}


def _draw_heads(model: keras.Model, seeds: Sequence[int]) -> None:
    """Initial kernels of each head from its own seed: Glorot's uniform ones, as Keras draws a single head's."""
    for number, variable in enumerate(model.trainable_variables):
        if variable.name == "kernel":
            value = np.array(variable)
            for index in np.ndindex(value.shape[:2]):
                # One generator a head and layer: a head's start does not depend on those beside it.
                generator = np.random.default_rng([seeds[index[1]], index[0], number])
                limit = np.sqrt(6 / sum(value.shape[2:]))
                value[index] = generator.uniform(-limit, limit, value.shape[2:])
            variable.assign(value)


def _balance(
    labels: np.ndarray, train: np.ndarray, n_classes: int, balance: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and the weight of each class, float32 (n_classes,), mean 1 over the training images.

    A one-hot target times its class' weight is the weighted cross-entropy, with every backend.
    """
    check_choice("balance", balance, ("none", "weights", "downsampled"))
    counts = np.bincount(labels[train], minlength=n_classes)
    if balance == "weights":
        return train, (len(train) / np.maximum(counts, 1) / n_classes).astype(np.float32)
    if balance == "downsampled":
        parts, generator = [train[labels[train] == k] for k in np.flatnonzero(counts)], np.random.default_rng(seed)
        train = np.concatenate([generator.permutation(part)[: min(map(len, parts))] for part in parts])
    return train, np.ones(n_classes, np.float32)
