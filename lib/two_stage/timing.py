"""How long both stages take, as the paper times them (paper A, III-C)."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

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
    chosen = train[:_TIMED]

    def fit(epochs: int) -> Callable[[], object]:
        shorter = replace(settings.segmenter, epochs=epochs, keep="last")
        return lambda: segmentation.fit(data, chosen, validation[:0], shorter, seed)

    fit(1)()  # traces the network
    an_image = max(seconds(fit(3)) - seconds(fit(1)), 0) / (2 * len(chosen))
    times = {"U-Net": an_image * len(train) * settings.segmenter.epochs}
    inputs = classification.stack_inputs(data.images, data.masks, settings.inputs)
    backbone = classification.frozen_backbone(inputs.shape[1], settings.backbone)
    found: list[np.ndarray] = []
    times["features"] = seconds(lambda: found.append(classification.extract(backbone, inputs, settings.backbone)))
    x, n_classes = found[0][:, None], len(data.classes)
    heads: list[np.ndarray] = []

    def fit_head() -> None:
        model, _ = classification.fit_heads(x, data.labels, n_classes, train, validation, settings.head, [seed])
        heads.extend(model.get_weights())

    times["head"] = seconds(fit_head)
    times["classifier"] = times["features"] + times["head"]
    unet, _ = segmentation.fit(data, chosen, validation[:0], replace(settings.segmenter, epochs=1, keep="last"), seed)
    model = TwoStageModel.of_weights(inputs.shape[1], data.classes, settings, unet.get_weights(), heads, backbone)
    return {"seconds": times | _of_prediction(model, data.images[test]), "machine": str(runtime.machine())}


def _of_prediction(model: TwoStageModel, images: np.ndarray) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "model.npz")
        loaded: list[TwoStageModel] = []
        times = {"load": seconds(lambda: loaded.append(TwoStageModel.load(path)))}
    predict = loaded[0].predict
    times["first call"] = seconds(lambda: predict(images[:1]))
    singles = [seconds(lambda index=index: predict(images[index : index + 1])) for index in range(_SINGLE)]
    times["one at a time"] = float(np.median(singles))
    predict(images)
    return times | {"in a batch": seconds(lambda: predict(images)) / len(images)}


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
