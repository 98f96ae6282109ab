"""How long both stages take, as the paper times them (paper A, III-C)."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from lib.core import jobs, runtime
from lib.data.record import ImageSet
from lib.models import backbones
from lib.two_stage import classification, segmentation
from lib.two_stage.model import TwoStageModel, TwoStageSettings

_TIMED = 128  # images of the U-Net's timed epochs
_SINGLE = 8  # images that are predicted one at a time


def _raw(arguments: Mapping[str, Any]) -> dict[str, str]:
    settings = arguments["settings"].backbone
    return {"weights": backbones.identity(settings.name, settings.weights)}


@jobs.step("timing", version=1, raw=_raw)
def timing(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: TwoStageSettings,
    seed: int,
) -> dict[str, Any]:
    """Seconds that training and prediction take, as a job; its result is of one machine, at one time.

    Stage 1 is timed on 128 images: three epochs less one epoch, so that building and tracing count once; the
    time an image is scaled to all epochs of the protocol.  Stage 2 is timed as it is run here: features once,
    then all epochs of one head.

    Returns
    -------
    ``seconds``: ``U-Net``: one training; ``features`` of all images; ``head``: one training; ``classifier``: the
    last two; of the saved model ``load``, ``first call``: one image, tracing included, ``one at a time``: the
    median of warm calls, ``in a batch``: all of ``test`` at once, per image; and ``machine``.
    """
    chosen, nothing = train[:_TIMED], validation[:0]

    def fit(epochs: int) -> tuple[keras.Model, pd.DataFrame]:
        shorter = replace(settings.segmenter, epochs=epochs, keep="last")
        return segmentation.fit(data, chosen, nothing, shorter, seed)

    fit(1)  # traces the network
    _, once = _timed(lambda: fit(1))
    (unet, _), thrice = _timed(lambda: fit(3))
    an_image = max(thrice - once, 0) / (2 * len(chosen))
    times = {"U-Net": an_image * len(train) * settings.segmenter.epochs}
    inputs = classification.stack_inputs(data.images, data.masks, settings.inputs)
    backbone = classification.frozen_backbone(inputs.shape[1], settings.backbone)
    x, times["features"] = _timed(lambda: classification.extract(backbone, inputs, settings.backbone))
    fit_head = (x[:, None], data.labels, len(data.classes), train, validation, settings.head, [seed])
    (head, _), times["head"] = _timed(lambda: classification.fit_heads(*fit_head))
    times["classifier"] = times["features"] + times["head"]
    model = TwoStageModel(settings, data.classes, unet, backbone, head)
    return {"seconds": times | _of_prediction(model, data.images[test]), "machine": str(runtime.machine())}


def _of_prediction(model: TwoStageModel, images: np.ndarray) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "model.npz")
        loaded, load = _timed(lambda: TwoStageModel.load(path))
    _, first = _timed(lambda: loaded.predict(images[:1]))
    singles = [_timed(lambda index=index: loaded.predict(images[index : index + 1]))[1] for index in range(_SINGLE)]
    loaded.predict(images)
    _, batch = _timed(lambda: loaded.predict(images))
    times = {"load": load, "first call": first, "one at a time": float(np.median(singles))}
    return times | {"in a batch": batch / len(images)}


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """What ``action`` returns, and the wall-clock seconds that it takes."""
    began = time.perf_counter()
    answer = action()
    return answer, time.perf_counter() - began
