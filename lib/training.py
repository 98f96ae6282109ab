"""One ``fit`` for every network: best epoch kept, history as a frame, resumed after a kill."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib import runtime

KEEPS = ("best", "last")


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
    validation: tuple[np.ndarray, np.ndarray],
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    monitor: str = "val_loss",
    mode: str = "min",
    keep: str = "best",
    folder: Path | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Train a compiled model in place, leave it with the weights of the kept epoch, return the history.

    Parameters
    ----------
    x, y : training arrays, same length; ``validation`` the same for the data that choose the epoch.
    monitor, mode : quantity of ``validation`` that is best at its ``"min"`` or ``"max"``; of equals
        the earliest epoch is kept.
    keep : ``"best"`` epoch as the paper says, or ``"last"`` as the authors' code does.
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
    model.fit(x, y, validation_data=validation, epochs=epochs, batch_size=batch_size, callbacks=callbacks, verbose=0)
    if keep == "best" and folder:
        model.load_weights(folder / "best.weights.h5")
    frame = pd.DataFrame(log.rows)
    best = frame[monitor].idxmin() if mode == "min" else frame[monitor].idxmax()
    frame["kept"] = frame.index == (best if keep == "best" else len(frame) - 1)
    return frame


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
