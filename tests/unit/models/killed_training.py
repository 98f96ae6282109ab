"""Trainings that are killed again and again, in processes forked from one that has only imported Keras.

``python -m tests.unit.models.killed_training FOLDER``: writes ``undisturbed.npz``, ``killed.npz`` and
``second.npz`` (after another training of the same network) into the folder, and prints where the kills came.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

from lib.core import runtime, store
from lib.models import augmentation, training

N_KILLS, EPOCHS = 20, 60


def build() -> keras.Model:
    image = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.Dropout(0.3, seed=0)(keras.layers.BatchNormalization()(x))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return model


def train(target: Path, seed: int, state: Path | None = None, callbacks=()) -> None:
    generator = np.random.default_rng(0)
    images = generator.random((24, 16, 16, 1)).astype(np.float32)
    masks = (images > 0.5).astype(np.float32)
    model = training.network("tiny", build, seed)
    history = training.fit(
        model,
        images[:16],
        masks[:16],
        (images[16:], masks[16:]),
        SimpleNamespace(epochs=EPOCHS, batch_size=8),
        seed,
        augment=augmentation.ultrasound,
        state=state,
        callbacks=callbacks,
    )
    arrays = {f"w{number}": value for number, value in enumerate(model.get_weights())}
    np.savez(target, **arrays, **{name: history[name].to_numpy() for name in history})


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """A child that does ``work`` with an end of a pipe to write to; its number and our end of the pipe."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            runtime.use_deterministic_operations()
            work(writing)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    os.close(writing)
    return pid, reading


def done(pid: int) -> bool:
    return os.waitpid(pid, 0)[1] == 0


def killed_training(target: Path, state: Path) -> dict[str, int]:
    """Train to the end in spite of kills, in turn at a random moment and within the writing of the state."""
    chance, kills = random.Random(0), {"epoch": 0, "writing": 0}

    def work(pipe: int) -> None:
        fsync = os.fsync

        def slow(file: int) -> None:
            os.write(pipe, b"w")
            time.sleep(0.01)
            fsync(file)

        store.os.fsync = slow
        begun = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: os.write(pipe, b"e"))
        train(target, 1, state, [begun])

    while True:
        where = min(kills, key=kills.get) if sum(kills.values()) < N_KILLS else ""
        pid, pipe = fork(work)
        skip = chance.randrange(3)  # events that pass unharmed
        while event := os.read(pipe, 1):
            skip -= event.decode() == where[:1]
            if where and skip < 0:
                time.sleep(chance.uniform(0, 0.012 if where == "writing" else 0.03))
                os.kill(pid, signal.SIGKILL)
                kills[where] += 1
                break
        os.close(pipe)
        if done(pid):
            return kills
        if not where:
            raise RuntimeError("the training failed though nobody killed it")


def main(folder: Path) -> None:
    undisturbed, _ = fork(lambda pipe: train(folder / "undisturbed.npz", 1))
    assert done(undisturbed)
    second, _ = fork(lambda pipe: (train(folder / "first.npz", 0), train(folder / "second.npz", 1)))
    assert done(second)
    print(killed_training(folder / "killed.npz", folder / "training.state"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
