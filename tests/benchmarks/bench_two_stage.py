"""Prints the figures that paper A's notebooks must reach: ``python tests/benchmarks/bench_two_stage.py``.

Times depend on the machine, so they are printed beside their aims and not asserted.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from lib.core import paths, rounds, runtime
from lib.data import busi, phantoms, splits
from lib.experiments import input_ablation as ablation
from lib.models import backbones
from lib.models.head import build_head
from lib.two_stage import classification


def timed(function):
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def bench_decoding(folder: Path) -> None:
    if paths.find_data("busi") is None:
        print("BUSI decoded: skipped, BUSI is not on this machine")
        return
    _, decoded = timed(lambda: busi.load(cache=folder))
    _, cached = timed(lambda: busi.load(cache=folder))
    print(f"BUSI decoded: {decoded:.1f} s (aim 30), from cache {cached:.2f} s (aim 1)")


def bench_head(n: int = 780, epochs: int = 20) -> None:
    """20 epochs of the head on stored features against 20 epochs through the frozen backbone (2 are timed)."""
    import keras  # after lib has set the environment that it reads

    name = "VGG16"
    weights = "imagenet" if backbones.weights_file(name) else "random"
    settings = classification.Settings(name, weights, epochs=epochs)
    data = phantoms.make(n, 128)
    split = splits.stratified(data.labels, 0)
    backbone = backbones.build(name, 128, weights)
    inputs = classification.stack_inputs(data.images, data.masks, "image+mask")
    x, extracting = timed(lambda: classification.extract(backbone, inputs, settings))
    _, training = timed(lambda: classification.train_head(x, data.labels, 3, split, settings, 0))

    whole = keras.Sequential([backbone, keras.layers.Flatten(), build_head(x.shape[1])])
    whole.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
    one_hot = np.eye(3, dtype=np.float32)[data.labels]
    validation = (inputs[split.validation], one_hot[split.validation])

    def fit():
        whole.fit(
            inputs[split.train],
            one_hot[split.train],
            batch_size=settings.batch_size,
            validation_data=validation,
            epochs=2,
            verbose=0,
        )

    _, two_epochs = timed(fit)
    through = two_epochs / 2 * epochs
    print(
        f"{name} ({weights} weights), {n} images, {epochs} epochs: head on cached features {training:.1f} s, "
        f"through the frozen backbone {through:.0f} s: {through / training:.0f} times faster (aim 10); "
        f"features once {extracting:.1f} s; the paper's classifier: 371.90 s on an RTX 2080 Ti"
    )


def bench_table_i(folder: Path, n_rounds: int = 10, n_jobs: int = 2) -> None:
    """Table I whose masks are there already: all inputs, the paper's ten rounds, features and heads from nothing.

    The time does not depend on who drew the masks, so true and blurred ones stand in for drawn ones.
    """
    name = "MobileNetV2"
    weights = "imagenet" if backbones.weights_file(name) else "random"
    data = busi.load(cache=folder) if paths.find_data("busi") else phantoms.make(780, 128)
    masks = ndimage.gaussian_filter(data.masks, (0, 4, 4, 0))
    common = {
        "data": data,
        "drawn": {"predicted": masks, "out-of-fold": np.sqrt(masks)},
        "split": splits.stratified(data.labels, 0),
        "settings": classification.Settings(name, weights),
        "cache": folder,
    }
    jobs = [{"inputs": inputs, "seed": seed} for inputs in ablation.INPUTS for seed in range(n_rounds)]
    key = {"step": "bench-table-i", "data": data.digest}
    frame, seconds = timed(lambda: rounds.run(ablation.score_input, jobs, common, key, folder, n_jobs))
    assert (frame.error == "").all()
    print(
        f"Table I from cached masks, {name} ({weights} weights), {data.source}: {len(ablation.INPUTS)} inputs x "
        f"{n_rounds} rounds in {n_jobs} processes: {seconds:.0f} s (aim 600)"
    )


def bench_smoke() -> None:
    """A smoke run of all notebooks into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PAPER_ARTIFACTS": folder}
        command = [sys.executable, "-m", "lib.pipeline.driver", "smoke"]
        _, seconds = timed(lambda: subprocess.run(command, check=True, cwd=paths.ROOT, env=environment))
    print(f"smoke run of all notebooks: {seconds:.0f} s (aim 300)")


def main() -> None:
    print(runtime.machine())
    with tempfile.TemporaryDirectory() as folder:
        bench_decoding(Path(folder))
        bench_table_i(Path(folder))
    bench_head()
    bench_smoke()


if __name__ == "__main__":
    main()
