"""How long both stages take on this machine, as the paper times them (paper A, III-C)."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.models import backbones, training
from lib.two_stage import classification, segmentation
from lib.two_stage.model import Settings, TwoStageModel


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def of_training(data: ImageSet, split: Split, settings: Settings, seed: int, n_images: int = 128) -> pd.Series:
    """Seconds that both trainings take.

    Stage 1 is timed on ``n_images`` images: three epochs less one epoch, so that building and tracing
    count once; the time an image is scaled to all epochs of the protocol.  Stage 2 is timed as it is
    run here: features once, then all epochs of the head.

    Returns
    -------
    ``U-Net``: one training; ``features`` of all images; ``head``: one training; ``classifier``:
    the last two.
    """
    chosen = split.train[:n_images]
    part = data.select(chosen)
    x, stage_1, stage_2 = segmentation.as_input(part.images), settings.segmenter, settings.classifier

    def fit(epochs: int) -> Callable[[], object]:
        model = segmentation.build(data.images.shape[1], stage_1, seed)
        return lambda: training.fit(
            model, x, part.masks, None, epochs=epochs, batch_size=stage_1.batch_size, seed=seed, keep="last"
        )

    once, thrice = seconds(fit(1)), seconds(fit(3))
    an_image = max(thrice - once, 0) / (2 * len(chosen))
    backbone = backbones.build(stage_2.backbone, data.images.shape[1], stage_2.weights, seed)
    inputs = classification.stack_inputs(data.images, data.masks, stage_2.inputs)
    found: list[np.ndarray] = []
    features = seconds(lambda: found.append(classification.extract(backbone, inputs, stage_2)))
    n_classes = len(data.classes)
    head = seconds(lambda: classification.train_head(found[0], data.labels, n_classes, split, stage_2, seed))
    times = {"U-Net": an_image * len(split.train) * stage_1.epochs, "features": features, "head": head}
    return pd.Series({**times, "classifier": features + head}, name="seconds")


def of_prediction(folder: Path, images: np.ndarray, n_single: int = 8) -> pd.Series:
    """Seconds an image from the saved model in ``folder`` to the class.

    Returns
    -------
    ``load``: reading the model; ``first call``: one image, tracing included; ``one at a time``: median
    of ``n_single`` warm calls; ``in a batch``: all ``images`` at once, a second time, an image.
    """
    loaded: list[TwoStageModel] = []
    times = {"load": seconds(lambda: loaded.append(TwoStageModel.load(folder)))}
    model = loaded[0]
    times["first call"] = seconds(lambda: model.predict(images[:1]))
    singles = [seconds(lambda index=index: model.predict(images[index : index + 1])) for index in range(n_single)]
    times["one at a time"] = float(np.median(singles))
    model.predict(images)
    times["in a batch"] = seconds(lambda: model.predict(images)) / len(images)
    return pd.Series(times, name="seconds")
