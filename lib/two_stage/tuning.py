"""The tuning loop of paper A, III-B: one component changed at a time, kept if the validation loss falls.

The paper names the components and what it ended with, not the choices it tried nor where it began:
those here are guesses, and begin away from the paper's answer.  The number of epochs, which the paper
tunes too, is no component: the epoch of least validation loss is kept, so more can only help.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.core.config import check_choice
from lib.core.jobs import NOT_DONE, Job, Result

UNET_COMPONENTS = {
    "learning_rate": (1e-2, 1e-3, 1e-4),
    "dropout": (0.0, 0.1, 0.2),
    "upsampling": ("bilinear", "transposed"),
    "regularizer": ("l2", "l1", "none"),
    "batch_norm": (False, True),
}
UNET_START = {
    "learning_rate": 1e-4,
    "dropout": 0.2,
    "upsampling": "bilinear",
    "regularizer": "l2",
    "batch_norm": True,
}
HEAD_COMPONENTS = {
    "learning_rate": (1e-2, 1e-3, 1e-4),
    "dropout": (0.0, 0.05, 0.2),
    "n_layers": (1, 2, 3, 4),
    "units": (32, 64, 128),
}
HEAD_START = {"learning_rate": 1e-4, "dropout": 0.2, "n_layers": 1, "units": 32}


def coordinate_search(
    components: Mapping[str, Sequence[Any]],
    start: Mapping[str, Any],
    loss: Callable[[dict], float | None],
    n_passes: int = 5,
) -> pd.DataFrame:
    """Coordinate search over ``components``, as the paper describes it.

    In each pass every component in turn is set to each of its other choices, all else unchanged; the
    choice with a lower loss replaces the current one at once.  A configuration is scored once.  The
    paper passes 5 times; a pass that changes nothing ends the search, since the next would repeat it.

    Parameters
    ----------
    components : choices by name of the component.
    start : the pre-defined combination, one choice for each component.
    loss : validation loss of a configuration, smaller is better.  NaN is never kept; None, where a
        training is not done yet, ends the search as it is.
    n_passes : at most.

    Returns
    -------
    One row per scored configuration, in order: ``pass`` (0: the start), ``component`` and ``choice``
    that were changed, ``loss``, ``best`` (the lowest loss so far), ``kept`` (whether the change was),
    and the whole configuration in columns named as the components.  ``attrs["finished"]``: whether it ended by itself.
    """
    if missing := set(components) - set(start):
        raise ValueError(f"the start lacks {', '.join(sorted(missing))}")
    rows = list(_steps(components, start, loss, n_passes))
    columns = ["pass", "component", "choice", "loss", "best", "kept", *components]
    path = pd.DataFrame([row for row in rows if row is not None], columns=columns)
    path.attrs["finished"] = rows[-1] is not None
    return path


def _steps(
    components: Mapping[str, Sequence[Any]],
    start: Mapping[str, Any],
    loss: Callable[[dict], float | None],
    n_passes: int,
) -> Iterator[dict[str, Any] | None]:
    """Rows of :func:`coordinate_search`; None, as the last, where a loss is not known yet."""
    current, best, scored = {name: start[name] for name in components}, np.inf, set()
    changes = [(0, "start", "")]
    changes += [(n, name, choice) for n in range(1, n_passes + 1) for name in components for choice in components[name]]
    last_change = 0
    for number, name, choice in changes:
        trial = current if number == 0 else {**current, name: choice}
        if number > last_change + 1:
            return
        if tuple(trial.values()) in scored:
            continue
        scored.add(tuple(trial.values()))
        value = loss(dict(trial))
        if value is None:
            yield None
            return
        kept = value < best or number == 0
        if kept:
            current, last_change, best = trial, number, value if value < best else best
        row = {"pass": number, "component": name, "choice": choice, "loss": value, "best": best, "kept": kept}
        yield {**row, **trial}


def search(
    components: Mapping[str, Sequence[Any]],
    start: Mapping[str, Any],
    trial: Callable[[dict], Job],
    result: Callable[[Job], Result],
    n_passes: int,
) -> pd.DataFrame:
    """:func:`coordinate_search` over trainings: the least validation loss of each ``trial``'s job counts.

    A training that fails, because its loss is no number any more, say, has the loss NaN.
    """

    def loss(configuration: dict) -> float | None:
        done = result(trial(configuration))
        if done.error == NOT_DONE:
            return None
        return least_loss(done) if done else np.nan

    return coordinate_search(components, start, loss, n_passes)


def least_loss(result: Result) -> float:
    """Least validation cross-entropy over the epochs of a U-Net, without penalties, or of a head, in nats."""
    is_head = result.job.step.name == "heads"
    return float(np.min(result["val_loss"] if is_head else result["history"]["val_bce"]))


def chosen(path: pd.DataFrame, components: Sequence[str]) -> pd.Series:
    """The configuration that a search ended with."""
    return path[path.kept].iloc[-1][list(components)].rename("chosen")


def only(components: Mapping[str, Sequence[Any]], names: str) -> dict[str, Sequence[Any]]:
    """The components that ``names`` (separated by blanks) lists; ``"all"`` for all of them."""
    known = (*UNET_COMPONENTS, *HEAD_COMPONENTS)
    wanted = known if names == "all" else [check_choice("component", name, known) for name in names.split()]
    return {name: choices for name, choices in components.items() if name in wanted}
