"""The tuning loop of paper A, III-B: one component changed at a time, kept if the validation loss falls.

The paper names the components and what it ended with, not the choices it tried nor where it began:
those here are guesses, and begin away from the paper's answer.  The number of epochs, which the paper
tunes too, is no component: the epoch of least validation loss is kept, so more can only help.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Of each stage: choices by name of the component, and the combination that the loop starts from.
STAGES: dict[str, tuple[dict[str, Sequence], dict[str, Any]]] = {
    "unet": (
        {
            "learning_rate": (1e-2, 1e-3, 1e-4),
            "dropout": (0.0, 0.1, 0.2),
            "upsampling": ("bilinear", "transposed"),
            "regularizer": ("l2", "l1", "none"),
            "batch_norm": (False, True),
        },
        {"learning_rate": 1e-4, "dropout": 0.2, "upsampling": "bilinear", "regularizer": "l2", "batch_norm": True},
    ),
    "head": (
        {
            "learning_rate": (1e-2, 1e-3, 1e-4),
            "dropout": (0.0, 0.05, 0.2),
            "n_layers": (1, 2, 3, 4),
            "units": (32, 64, 128),
        },
        {"learning_rate": 1e-4, "dropout": 0.2, "n_layers": 1, "units": 32},
    ),
}


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
    passes = range(1, n_passes + 1)
    changes = [(number, name, choice) for number in passes for name in components for choice in components[name]]
    current, best, last_change = {name: start[name] for name in components}, np.inf, 0
    scored, rows, finished = [], [], True
    for number, name, choice in [(0, "start", ""), *changes]:
        trial = {**current, name: choice} if number else current
        if trial in scored:
            continue
        if number > last_change + 1:
            break
        value = loss(trial)
        if value is None:
            finished = False
            break
        kept = value < best or number == 0
        if kept:
            current, last_change, best = trial, number, np.fmin(value, best)
        scored.append(trial)
        row = {"pass": number, "component": name, "choice": choice, "loss": value, "best": best, "kept": kept}
        rows.append({**row, **trial})
    columns = ["pass", "component", "choice", "loss", "best", "kept", *components]
    path = pd.DataFrame(rows, columns=columns)
    path.attrs["finished"] = finished
    return path
