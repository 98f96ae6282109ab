"""One ``fit`` for every network: best epoch kept, resumed exactly after a kill; compiled networks used again."""

import logging
import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from lib.core import runtime, store
from lib.core.config import check_choice
from lib.core.jobs import JobError

_STATE_KEY = "training state"
_log = logging.getLogger(__name__)

# A generator, inputs and targets; returns both, changed at random.
Augmentation = Callable[[np.random.Generator, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _batches(x, y, chosen: np.ndarray, size: int, seed: int, augment: Augmentation | None, epoch: int) -> Iterator:
    """Batches from ``epoch`` on, whose order and augmentation depend on seed and epoch only: resuming repeats them."""
    while True:
        order = chosen[np.random.default_rng([seed, epoch]).permutation(len(chosen))]
        for index, start in enumerate(range(0, len(order), size)):
            part = order[start : start + size]
            batch = x[part], y[part]
            yield augment(np.random.default_rng([seed, epoch, index]), *batch) if augment else batch
        epoch += 1


class _Keeper(keras.callbacks.Callback):
    """Keeps history, best weights and, after each epoch, the state to go on from; stops a training without gain."""

    def __init__(self, monitor: str, keep: str, patience: int, state: Path | None):
        super().__init__()
        self.monitor, self.keep, self.patience, self.state = monitor, keep, patience, state
        self.rows: list[dict] = []
        self.best: list[np.ndarray] = []
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        if not math.isfinite(row["loss"]):
            raise JobError("the loss is not a number any more")
        self.rows.append(row)
        if self.keep == "best" and self.best_epoch() == epoch:
            self.best = self.model.get_weights()
        self.model.stop_training = self.is_over()
        if self.state:
            values = {"rows": self.rows, "best": self.best, "variables": _values(self.model)}
            values["seconds"] = time.perf_counter() - self.began
            # Written whole or not at all: a kill leaves the state of this epoch or of the one before.
            store.write(self.state, values, {"key": _STATE_KEY})
        _log.info(" · ".join([f"epoch {epoch + 1}", *(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch")]))

    def best_epoch(self) -> int:
        """Index of the epoch with the best monitored value; of equals the earliest."""
        return int(np.argmin([row[self.monitor] for row in self.rows]))

    def is_over(self) -> bool:
        """Whether the last ``patience`` epochs brought no better one."""
        return bool(self.patience and self.rows) and len(self.rows) - 1 - self.best_epoch() >= self.patience

    def resume(self) -> None:
        """Go on from the state that a killed training left; one that cannot be read is set aside."""
        if self.state is None or not self.state.exists():
            return
        try:
            values = store.read(self.state, _STATE_KEY)
            if [value.shape for value in values["variables"]] != [tuple(one.shape) for one in _variables(self.model)]:
                raise store.StoreError(f"{self.state.name} is the state of another network")
        except store.StoreError as error:
            store.set_aside(self.state, error)
            return
        _assign(self.model, values["variables"])
        self.rows, self.best = values["rows"], values["best"]
        self.began -= values.get("seconds", 0)


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    settings: Any,
    seed: int,
    *,
    monitor: str = "val_loss",
    keep: str = "best",
    patience: int = 0,
    augment: Augmentation | None = None,
    state: Path | None = None,
    chosen: np.ndarray | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> pd.DataFrame:
    """Train a compiled model in place, leave it with the weights of the kept epoch, return the history.

    Parameters
    ----------
    x, y : training arrays, same length; ``validation`` the same for the data that choose the epoch, or
        None if the last epoch is kept.
    settings : with ``epochs`` and ``batch_size``.
    seed : of the order of batches and their augmentation.
    monitor : quantity of ``validation`` that is best at its minimum; of equals the earliest epoch is kept.
    keep : ``"best"`` epoch as in the paper, or ``"last"`` as the authors' code does.
    patience : epochs without a better ``monitor`` after which the training ends; 0: never.
    augment : changes each batch before it is trained on (:mod:`lib.models.augmentation`), anew in each epoch.
    state : file of the state after each epoch while the training runs.  A killed training that is called
        again with the same file goes on after its last whole epoch and ends as if it had not been killed.
    chosen : indices of ``x`` to train on, which may repeat; None: all.

    Returns
    -------
    One row per epoch: ``epoch`` from 1, the training and ``val_`` quantities, and ``kept``.
    """
    check_choice("keep", keep, ("best", "last"))
    if validation is None and (keep == "best" or patience):
        raise ValueError("the best epoch is chosen on validation data, and there are none")
    keeper = _Keeper(monitor, keep, patience, state)
    keeper.set_model(model)
    keeper.resume()
    chosen = np.arange(len(x)) if chosen is None else chosen
    if len(keeper.rows) < settings.epochs and not keeper.is_over():
        model.fit(
            _batches(x, y, chosen, settings.batch_size, seed, augment, len(keeper.rows)),
            shuffle=False,
            steps_per_epoch=math.ceil(len(chosen) / settings.batch_size),
            validation_data=validation,
            validation_batch_size=64,
            initial_epoch=len(keeper.rows),
            epochs=settings.epochs,
            callbacks=[keeper, *callbacks],
            verbose=0,
        )
    # Keras ends a training so, but not one that was killed after its last epoch.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    if keep == "best":
        model.set_weights(keeper.best)
    frame = pd.DataFrame(keeper.rows)
    return frame.assign(kept=frame.index == (keeper.best_epoch() if keep == "best" else len(frame) - 1))


def n_steps(settings: Any, n: int) -> int:
    """Batches of a whole training on ``n`` images with the ``epochs`` and ``batch_size`` of the settings."""
    return settings.epochs * math.ceil(n / settings.batch_size)


_kept: dict[Hashable, Any] = {}  # the latest used at the end


def keep(key: Hashable, build: Callable[[], Any]) -> Any:
    """What ``build`` makes, once per process for each ``key``; of seven the one that was unused longest is let go."""
    _kept[key] = _kept.pop(key) if key in _kept else build()
    if len(_kept) > 6:
        del _kept[next(iter(_kept))]
    return _kept[key]


def network(key: Hashable, build: Callable[[], keras.Model], seed: int) -> keras.Model:
    """The compiled network that ``build`` makes, in the state that ``seed`` draws.

    A backend traces each new network for seconds, so one is built once per process for each ``key`` and used
    again: only its latest user may hold on to it.  All kernels are drawn anew, those of a nested (pretrained)
    model are set back to what ``build`` gave them.
    """

    def fresh() -> tuple[keras.Model, list[np.ndarray]]:
        runtime.seed_everything(0)
        model = build()
        # Variables that come into being in the first step would make TensorFlow trace it twice.
        model.optimizer.build(model.trainable_variables)
        return model, _values(model)

    model, initial = keep(key, fresh)
    _assign(model, initial)
    model.stop_training = False
    _draw(model, seed)
    return model


def _variables(model: keras.Model) -> list:
    # Weights and running statistics, the generators of dropout, the optimizer's moments and step.
    return [*model.variables, *model.optimizer.variables]


def _values(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in _variables(model)]


def _assign(model: keras.Model, values: list[np.ndarray]) -> None:
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)


def _draw(model: keras.Model, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        kernels = [] if isinstance(layer, keras.Model) else [v for v in layer.trainable_weights if v.name == "kernel"]
        initializer = getattr(layer, "kernel_initializer", None) or keras.initializers.GlorotUniform()
        for kernel in kernels:
            options = {**initializer.get_config(), "seed": int(generator.integers(2**31))}
            kernel.assign(type(initializer).from_config(options)(kernel.shape))
    # Of dropout, whose layers need a ``seed`` for that: without one PyTorch's draws come from no state that is kept.
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.array([generator.integers(2**31), 0], np.uint32))
