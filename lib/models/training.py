"""One ``fit`` for every network: best epoch kept, history as a frame, resumed after a kill."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import runtime

KEEPS = ("best", "last")


# A generator, inputs and targets; returns both, changed at random.
Augmentation = Callable[[np.random.Generator, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class _Batches(keras.utils.PyDataset):
    """Augmented batches in an order that depends on seed and epoch only, so a resumed training repeats them."""

    def __init__(self, x, y, batch_size: int, seed: int, augment: Augmentation, epoch: int):
        super().__init__()
        self.x, self.y, self.batch_size, self.augment = x, y, batch_size, augment
        self.seed, self.epoch = seed, epoch
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        generator = np.random.default_rng([self.seed, self.epoch, index])
        return self.augment(generator, self.x[chosen], self.y[chosen])

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.x))


class _Log(keras.callbacks.Callback):
    """Append each finished epoch to ``history.csv`` and print one line; quiet without a folder."""

    def __init__(self, path: Path | None, verbose: bool):
        super().__init__()
        self.path, self.verbose = path, verbose
        self.rows: list[dict] = _read_history(path).to_dict("records") if path else []

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        self.rows = [old for old in self.rows if old["epoch"] <= epoch] + [row]
        if self.path:
            pd.DataFrame(self.rows).to_csv(self.path, index=False)
        if self.verbose:
            print(" · ".join([f"epoch {epoch + 1}", *(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch")]))


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    monitor: str = "val_loss",
    mode: str = "min",
    keep: str = "best",
    augment: Augmentation | None = None,
    folder: Path | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Train a compiled model in place, leave it with the weights of the kept epoch, return the history.

    Parameters
    ----------
    x, y : training arrays, same length; ``validation`` the same for the data that choose the epoch, or
        None if the last epoch is kept.
    monitor, mode : quantity of ``validation`` that is best at its ``"min"`` or ``"max"``; of equals
        the earliest epoch is kept.
    keep : ``"best"`` epoch as the paper says, or ``"last"`` as the authors' code does.
    augment : changes each batch before it is learnt from (:mod:`lib.models.augmentation`), anew in each epoch.
    folder : where the state after each epoch lies while the training runs.  A killed training that
        is called again with the same folder goes on after its last whole epoch.
    seed : of weights' dropout and the order of batches.
    verbose : print one line an epoch.

    Returns
    -------
    One row an epoch: ``epoch`` from 1, the training and ``val_`` quantities, and ``kept``.
    """
    if keep not in KEEPS:
        raise ValueError(f"keep must be one of {KEEPS}, not {keep!r}")
    if keep == "best" and validation is None:
        raise ValueError("the best epoch is chosen on validation data, and there are none")
    runtime.seed_everything(seed)
    history = folder / "history.csv" if folder else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    log = _Log(history, verbose)
    callbacks: list[keras.callbacks.Callback] = [log]
    if keep == "best" and folder:
        callbacks.append(_checkpoint(folder / "best.weights.h5", monitor, mode, log.rows))
    elif keep == "best":
        callbacks.append(keras.callbacks.EarlyStopping(monitor, mode=mode, patience=epochs, restore_best_weights=True))
    if folder:  # last, so that an epoch counts as done only when its history and checkpoint are written
        callbacks.append(keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False))
    if augment:
        batches = {"x": _Batches(x, y, batch_size, seed, augment, len(log.rows)), "shuffle": False}
    else:
        batches = {"x": x, "y": y, "batch_size": batch_size}
    model.fit(**batches, validation_data=validation, epochs=epochs, callbacks=callbacks, verbose=0)
    if keep == "best" and folder:
        model.load_weights(folder / "best.weights.h5")
    frame = pd.DataFrame(log.rows)
    frame["kept"] = frame.index == (_best(frame[monitor], mode) if keep == "best" else len(frame) - 1)
    return frame


def _best(values: pd.Series, mode: str) -> int:
    return values.idxmin() if mode == "min" else values.idxmax()


def forget(folder: Path) -> None:
    """Remove the state of a finished training, whose result lies elsewhere by now."""
    shutil.rmtree(folder, ignore_errors=True)


def _checkpoint(path: Path, monitor: str, mode: str, rows: list[dict]) -> keras.callbacks.Callback:
    # A resumed training must not take its first epoch for the best: the threshold is what was reached.
    reached = [row[monitor] for row in rows]
    threshold = (min(reached) if mode == "min" else max(reached)) if reached else None
    return keras.callbacks.ModelCheckpoint(
        path, monitor=monitor, mode=mode, save_best_only=True, save_weights_only=True, initial_value_threshold=threshold
    )


def _read_history(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame()
