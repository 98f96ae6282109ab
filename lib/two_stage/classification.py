"""Stage 2 as steps: its input, the backbone's features, a trained head (paper A, II-C and III-B)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import artifacts, runtime
from lib.core.config import Profile, check_choice
from lib.data.splits import Split
from lib.models import backbones, training
from lib.models.head import build_head

INPUTS = ("image", "mask", "image+mask")
FEATURES = ("flatten", "pooled")
BALANCES = ("none", "weights", "resampled")


@dataclass(frozen=True)
class Settings:
    """Configuration of stage 2; the defaults are those that III-B ends with."""

    backbone: str = "DenseNet201"
    weights: str = "imagenet"
    preprocessing: str = "raw"
    features: str = "flatten"
    inputs: str = "image+mask"
    n_layers: int = 3
    units: int = 64
    dropout: float = 0.05
    learning_rate: float = 1e-3
    epochs: int = 20
    batch_size: int = 32
    keep: str = "best"  # epoch of highest validation accuracy, or last as in the authors' code
    balance: str = "none"  # weights: classes count alike in the loss; resampled: rare classes are repeated

    @classmethod
    def of(cls, profile: Profile) -> "Settings":
        return cls(
            backbone=profile.backbone,
            weights=profile.weights,
            preprocessing=profile.preprocessing,
            features=profile.features,
            epochs=profile.head_epochs,
        )


def stack_inputs(images: np.ndarray, masks: np.ndarray | None, inputs: str) -> np.ndarray:
    """The three channels that the backbone takes, float32 (n, height, width, 3) in [0, 1].

    ``"image"``: the image three times; ``"mask"``: the mask three times; ``"image+mask"``: image,
    mask, mask (II-C).
    """
    check_choice("inputs", inputs, INPUTS)
    if inputs != "image" and masks is None:
        raise ValueError(f"inputs {inputs!r} need masks")
    channels = {"image": (images,) * 3, "mask": (masks,) * 3, "image+mask": (images, masks, masks)}
    return np.concatenate(channels[inputs], axis=-1, dtype=np.float32)


def extract(backbone: keras.Model, inputs: np.ndarray, settings: Settings) -> np.ndarray:
    """Features, float32 (n, n_features), of inputs (n, height, width, 3) in [0, 1].

    ``"flatten"`` keeps the whole map as the authors' code does; ``"pooled"`` averages it over space.
    """
    check_choice("features", settings.features, FEATURES)
    prepared = backbones.preprocess(settings.backbone, inputs, settings.preprocessing)
    maps = backbone.predict(prepared, batch_size=32, verbose=0)
    return maps.mean(axis=(1, 2)) if settings.features == "pooled" else maps.reshape(len(maps), -1)


def features(
    images: np.ndarray,
    masks: np.ndarray | None,
    settings: Settings,
    cache: Path | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Features of images and masks (n, height, width, 1), computed once per input and backbone.

    The backbone is built only if they are not in ``cache`` yet.
    """
    inputs = stack_inputs(images, masks, settings.inputs)
    weights = backbones.weights_id(settings.backbone, settings.weights, seed)

    def run() -> np.ndarray:
        return extract(_backbone(settings.backbone, inputs.shape[1], settings.weights, seed, weights), inputs, settings)

    if cache is None:
        return run()
    key = {
        "step": f"features-{settings.backbone.lower()}",
        "inputs": artifacts.digest(inputs),
        "weights": weights,
        "preprocessing": settings.preprocessing,
        "features": settings.features,
    }
    return artifacts.cached(key, run, cache, code=("lib.models.backbones",))


@lru_cache(maxsize=1)
def _backbone(name: str, size: int, weights: str, seed: int, weights_id: str) -> keras.Model:
    # Several inputs go through one frozen network: building and tracing it again takes longer than using it.
    return backbones.build(name, size, weights, seed)


def train_head(
    x: np.ndarray, labels: np.ndarray, n_classes: int, split: Split, settings: Settings, seed: int
) -> tuple[keras.Model, pd.DataFrame]:
    """A head trained on the features ``x`` of ``split.train``, its epoch chosen on ``split.validation``.

    Returns
    -------
    The head and its history, one row an epoch (see :func:`lib.models.training.fit`).
    """
    runtime.seed_everything(seed)
    head = build_head(x.shape[1], n_classes, n_layers=settings.n_layers, units=settings.units, dropout=settings.dropout)
    head.compile(keras.optimizers.Adam(settings.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    one_hot = np.eye(n_classes, dtype=np.float32)[labels]
    chosen, weights = _balance(labels, split.train, n_classes, settings.balance, seed)
    history = training.fit(
        head,
        x[chosen],
        one_hot[chosen] * weights,
        (x[split.validation], one_hot[split.validation]),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        seed=seed,
        monitor="val_accuracy",
        mode="max",
        keep=settings.keep,
    )
    return head, history


def _balance(
    labels: np.ndarray, train: np.ndarray, n_classes: int, balance: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices to learn from and the weight of each class, float32 (n_classes,), mean 1 over the training images.

    A one-hot target times its class' weight is the weighted cross-entropy, with every backend.
    """
    check_choice("balance", balance, BALANCES)
    counts = np.bincount(labels[train], minlength=n_classes)
    weights = np.ones(n_classes, np.float32)
    if balance == "weights":
        weights = (len(train) / np.maximum(counts, 1) / n_classes).astype(np.float32)
    if balance == "resampled":
        generator = np.random.default_rng(seed)
        members = [train[labels[train] == label] for label in range(n_classes)]
        extra = [generator.choice(part, counts.max() - len(part)) for part in members if len(part)]
        train = np.concatenate([train, *extra])
    return train, weights


def head_rounds(
    x: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    split: Split,
    settings: Settings,
    seeds: Iterable[int],
    cache: Path | None = None,
) -> np.ndarray:
    """Class probabilities, float32 (n_seeds, n, n_classes), of all n images by one head a seed.

    Each finished head is kept in ``cache``, so a broken run goes on where it stopped.
    """

    def run(seed: int) -> np.ndarray:
        head, _ = train_head(x, labels, n_classes, split, settings, seed)
        return head.predict(x, verbose=0)

    if cache is None:
        return np.stack([run(seed) for seed in seeds])
    parts = {part: indices.tolist() for part, indices in split.parts().items() if part != "test"}
    key = {"step": "head", "features": artifacts.digest(x, labels), **parts, "settings": settings}
    return np.stack(
        [
            artifacts.cached(
                {**key, "seed": seed}, lambda seed=seed: run(seed), cache, code=("lib.two_stage.classification",)
            )
            for seed in seeds
        ]
    )
