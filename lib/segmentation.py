"""Stage 1 as steps: settings, a trained U-Net, the masks it predicts (paper A, II-B and III-B)."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib import artifacts, runtime, training
from lib.data.record import DataError, ImageSet
from lib.data.splits import Split
from lib.models.unet import build_unet
from lib.profiles import Profile


@dataclass(frozen=True)
class Settings:
    """Configuration of stage 1; the defaults are those that III-B ends with."""

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

    @classmethod
    def of(cls, profile: Profile) -> "Settings":
        return cls(
            filters=profile.unet_filters,
            epochs=profile.unet_epochs,
            batch_size=profile.unet_batch,
            bn_momentum=profile.unet_bn_momentum,
        )


def build(size: int, settings: Settings, seed: int) -> keras.Model:
    """An untrained, compiled U-Net for images of ``size`` × ``size``; Adam and binary cross-entropy."""
    runtime.seed_everything(seed)
    model = build_unet(
        (size, size, 3),
        settings.filters,
        dropout=settings.dropout,
        decoder_dropout=settings.decoder_dropout,
        upsampling=settings.upsampling,
        regularizer=settings.regularizer,
        batch_norm=settings.batch_norm,
        bn_momentum=settings.bn_momentum,
    )
    # The loss is tracked apart from the penalty too: the paper's 0.097 is the cross-entropy alone.
    bce = keras.metrics.BinaryCrossentropy(name="bce")
    model.compile(keras.optimizers.Adam(settings.learning_rate), "binary_crossentropy", metrics=[bce])
    return model


def train(
    data: ImageSet,
    split: Split,
    settings: Settings,
    seed: int,
    cache: Path | None = None,
    verbose: bool = False,
) -> tuple[keras.Model, pd.DataFrame]:
    """A U-Net trained on ``split.train``, its epoch chosen on ``split.validation``; the test part is not read.

    With ``cache``, a finished training is loaded instead of repeated and a killed one is resumed.

    Returns
    -------
    The model and its history, one row an epoch (see :func:`lib.training.fit`).
    """
    if data.masks is None:
        raise DataError("stage 1 needs masks, and this data set has none")
    size = data.images.shape[1]

    def run(folder: Path | None = None) -> dict:
        model = build(size, settings, seed)
        train_set, validation = data.select(split.train), data.select(split.validation)
        history = training.fit(
            model,
            as_input(train_set.images),
            train_set.masks,
            (as_input(validation.images), validation.masks),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=seed,
            keep=settings.keep,
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
        result = artifacts.cached(key, lambda: run(unfinished), cache, code=("lib.segmentation",))
        training.forget(unfinished)
    model = build(size, settings, seed)
    model.set_weights(result["weights"])
    return model, result["history"]


def predict(model: keras.Model, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Masks, float32 (n, height, width, 1) in [0, 1], of images (n, height, width, 1) in [0, 1]."""
    return model.predict(as_input(images), batch_size=batch_size, verbose=0)


def as_input(images: np.ndarray) -> np.ndarray:
    """Gray images (n, height, width, 1) as the three equal channels that stage 1 takes."""
    return np.repeat(images, 3, axis=-1)
