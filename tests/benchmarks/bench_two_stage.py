"""Prints the figures that paper A's notebooks must reach: ``python tests/benchmarks/bench_two_stage.py``.

Times depend on the machine, so they are printed beside their aims and not asserted.
"""

import os
import subprocess
import sys
import tempfile
import time

from lib.core import paths, raw, runtime
from lib.data import phantoms, splits
from lib.data.sources import Busi
from lib.models import backbones
from lib.two_stage import classification
from lib.two_stage.classification import BackboneSettings, HeadSettings


def timed(function):
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def bench_decoding() -> None:
    if paths.find_data("busi") is None:
        print("BUSI decoded: skipped, BUSI is not on this machine")
        return
    print(f"BUSI decoded: {timed(Busi().load)[1]:.1f} s (aim 30)")


def bench_heads(n: int = 780, n_kinds: int = 4, n_seeds: int = 3) -> None:
    """Twelve heads of one round trained side by side, as Table I needs them, and features once."""
    name = "VGG16"
    weights = "imagenet" if raw.weights_file(backbones.pattern(name)) else "random"
    settings = BackboneSettings(name, weights)
    data = phantoms.make(n, 128)
    split = splits.stratified(data.labels, 0)
    inputs = classification.stack_inputs(data.images, data.masks, "image+mask")
    backbone = classification.frozen_backbone(128, settings)
    x, extracting = timed(lambda: classification.extract(backbone, inputs, settings))
    x = x[:, None].repeat(n_kinds, axis=1)
    parts, seeds = (split.train, split.validation), list(range(n_seeds))
    _, training = timed(lambda: classification.fit_heads(x, data.labels, 3, *parts, HeadSettings(), seeds))
    print(
        f"{name} ({weights} weights), {n} images: features {extracting:.1f} s, {n_kinds * n_seeds} heads of 20 epochs "
        f"side by side {training:.1f} s (aim 60); the paper's classifier: 371.90 s on an RTX 2080 Ti"
    )


def bench_smoke() -> None:
    """A smoke run of all notebooks into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PAPER_ARTIFACTS": folder}
        command = [sys.executable, "-m", "lib.pipeline.driver", "smoke"]
        _, seconds = timed(lambda: subprocess.run(command, check=True, cwd=paths.ROOT, env=environment))
    print(f"smoke run of all notebooks: {seconds:.0f} s (aim 180)")


if __name__ == "__main__":
    print(runtime.machine())
    bench_decoding()
    bench_heads()
    bench_smoke()
