"""The tuning loop of paper A, III-B: one component changed at a time, kept if the validation loss falls.

The paper names the components and what it ended with, not the choices it tried nor where it began:
those here are guesses, and begin away from the paper's answer.  The number of epochs, which the paper
tunes too, is no component: the epoch of least validation loss is kept, so more can only help.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.core import artifacts
from lib.core.config import check_choice
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.two_stage import classification, segmentation

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
    loss: Callable[[dict], float],
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
    loss : validation loss of a configuration, smaller is better.  NaN is never kept.
    n_passes : at most.

    Returns
    -------
    One row a scored configuration, in order: ``pass`` (0: the start), ``component`` and ``choice``
    that were changed, ``loss``, ``best`` (the lowest loss so far), ``kept`` (whether the change was),
    and the whole configuration in columns named as the components.
    """
    if missing := set(components) - set(start):
        raise ValueError(f"the start lacks {', '.join(sorted(missing))}")
    current = {name: start[name] for name in components}
    scored = {tuple(current.values())}
    best = loss(dict(current))
    rows = [{"pass": 0, "component": "start", "choice": "", "loss": best, "best": best, "kept": True, **current}]
    for number in range(1, n_passes + 1):
        changed = False
        for name, choices in components.items():
            for choice in choices:
                trial = {**current, name: choice}
                if tuple(trial.values()) in scored:
                    continue
                scored.add(tuple(trial.values()))
                value = loss(dict(trial))
                kept = value < best
                if kept:
                    current, best, changed = trial, value, True
                row = {"pass": number, "component": name, "choice": choice, "loss": value, "best": best, "kept": kept}
                rows.append({**row, **trial})
        if not changed:
            break
    return pd.DataFrame(rows)


def chosen(path: pd.DataFrame, components: Sequence[str]) -> pd.Series:
    """The configuration that a search ended with."""
    return path[path.kept].iloc[-1][list(components)].rename("chosen")


def only(components: Mapping[str, Sequence[Any]], names: str) -> dict[str, Sequence[Any]]:
    """The components that ``names`` (separated by blanks) lists; ``"all"`` for all of them."""
    known = (*UNET_COMPONENTS, *HEAD_COMPONENTS)
    wanted = known if names == "all" else [check_choice("component", name, known) for name in names.split()]
    return {name: choices for name, choices in components.items() if name in wanted}


def unet_loss(
    data: ImageSet, split: Split, base: segmentation.Settings, seed: int, cache: Path
) -> Callable[[dict], float]:
    """Validation cross-entropy, without penalties, of the kept epoch of a U-Net with some settings replaced.

    Each finished training is kept in ``cache``.
    """

    def loss(configuration: dict) -> float:
        _, history = segmentation.train(data, split, replace(base, **configuration), seed, cache)
        return float(history[history.kept].val_bce.iloc[0])

    return loss


def head_loss(
    x: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    split: Split,
    base: classification.Settings,
    seed: int,
    cache: Path,
) -> Callable[[dict], float]:
    """Least validation cross-entropy over the epochs of a head on features ``x``, some settings replaced."""
    parts = {part: indices.tolist() for part, indices in split.parts().items() if part != "test"}
    key = {"step": "tuned-head", "features": artifacts.digest(x, labels), **parts, "seed": seed}

    def loss(configuration: dict) -> float:
        settings = replace(base, **configuration)

        def train() -> float:
            _, history = classification.train_head(x, labels, n_classes, split, settings, seed)
            return float(history.val_loss.min())

        return artifacts.cached({**key, "settings": settings}, train, cache, ("lib.two_stage.classification",))

    return loss
