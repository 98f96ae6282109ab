"""How long both stages take, as the paper times them (paper A, III-C)."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lib.core import jobs, runtime
from lib.data.record import ImageSet
from lib.two_stage import classification, segmentation
from lib.two_stage.model import TwoStageModel, TwoStageSettings


@jobs.step("timing", version=1, raw=classification.backbone_weights)
def timing(
    data: ImageSet, train: np.ndarray, validation: np.ndarray, test: np.ndarray, settings: TwoStageSettings, seed: int
) -> dict[str, Any]:
    """Seconds that training and prediction take, as a job; its result is of one machine, at one time.

    Stage 1 is timed on 128 images: three epochs less one epoch, so that building and tracing count once; the
    time per image is scaled to all epochs of the protocol.  Stage 2 is timed as it is run here: features once,
    then all epochs of one head.

    Returns
    -------
    ``seconds``: ``U-Net``: one training; ``features`` of all images; ``head``: one training; ``classifier``: the
    last two; of the saved model ``load``, ``first call``: one image, tracing included, ``one at a time``: the
    median of eight warm calls, ``in a batch``: all of ``test`` at once, per image; and ``machine``.
    """
    chosen, nothing = train[:128], validation[:0]

    def fit(epochs: int) -> keras.Model:
        shorter = replace(settings.segmenter, epochs=epochs, keep="last")
        return segmentation.fit(data, chosen, nothing, shorter, seed)[0]

    fit(1)  # traces the network
    _, once = _timed(fit, 1)
    unet, thrice = _timed(fit, 3)
    per_image = max(thrice - once, 0) / (2 * len(chosen))
    times = {"U-Net": per_image * len(train) * settings.segmenter.epochs}
    inputs = classification.stack_inputs(data.images, data.masks, settings.inputs)
    backbone = classification.frozen_backbone(inputs.shape[1], settings.backbone)
    x, times["features"] = _timed(classification.extract, backbone, inputs, settings.backbone)
    fit_head = (x[:, None], data.labels, len(data.classes), train, validation, settings.head, [seed])
    (head, _), times["head"] = _timed(classification.fit_heads, *fit_head)
    times["classifier"] = times["features"] + times["head"]
    model, images = TwoStageModel(settings, data.classes, unet, backbone, head), data.images[test]
    with tempfile.TemporaryDirectory() as folder:
        model, times["load"] = _timed(TwoStageModel.load, model.save(Path(folder) / "model.npz"))
    _, times["first call"] = _timed(model.predict, images[:1])
    singles = [_timed(model.predict, image[None])[1] for image in images[:8]]
    model.predict(images)
    _, batch = _timed(model.predict, images)
    times |= {"one at a time": float(np.median(singles)), "in a batch": batch / len(images)}
    return {"seconds": times, "machine": runtime.machine()}


def _timed(action: Callable, *arguments: Any) -> tuple[Any, float]:
    """What ``action`` returns, and the wall-clock seconds that it takes."""
    began = time.perf_counter()
    answer = action(*arguments)
    return answer, time.perf_counter() - began
