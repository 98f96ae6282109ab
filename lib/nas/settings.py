"""Which search it is, what ends it, what it returns, and what it refuses."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import artifacts
from lib.data.record import DataError
from lib.nas import workers
from lib.nas.notation import Architecture, parse
from lib.nas.training import Data, Recipe
from lib.nas.transforms import Space


class BudgetError(ValueError):
    """A budget that does not allow one model."""


@dataclass(frozen=True)
class Settings:
    """Which search this is; a journal belongs to one of them.

    Attributes
    ----------
    strategy : ``evolve`` as the paper does, or ``random``: chains of 1 to ``iterations`` random
        transformations of the initial model, the same space without selection.
    iterations : at most so many; the paper stops when the best model declines, or after 12 hours.
    max_parameters : larger children are not made.
    inherit : children start from their parent's weights (not in the paper).
    """

    space: Space
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    strategy: str = "evolve"
    iterations: int = 10
    max_parameters: int | None = None
    inherit: bool = False


@dataclass(frozen=True)
class Budget:
    """When to stop for its cost; a stopped search goes on when called with a larger budget.

    ``seconds`` counts training time over all children and all interrupted runs.
    """

    models: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes
    ----------
    frame : one row a child in the order of the plan: ``name`` (iteration-number as in Fig. 4),
        ``iteration``, ``parent`` (a name), ``transformation``, ``text``, ``hash``, ``parameters``,
        ``multiply_adds``, ``status``, ``accuracy`` and ``loss`` (validation), ``epochs``,
        ``inherited``, ``error``, ``pareto``, ``parent_of_next``, and what differs from run to run:
        ``seconds``, ``began`` (seconds since 1970).
    best : hash of the most accurate model on the validation images.
    stopped : why the search ended.
    notes : what else a reader must know: dropped lines, draws that gave no new model.
    trained : children trained in this call; the others came from the journal.
    wall : seconds that this call took.
    """

    frame: pd.DataFrame
    best: str
    stopped: str
    notes: tuple[str, ...]
    trained: int
    wall: float
    folder: Path

    def architecture(self, wanted: str | None = None) -> Architecture:
        """The best architecture, or the one with the hash ``wanted``."""
        return parse(self.frame.set_index("hash").text[wanted or self.best])

    def weights(self, wanted: str | None = None) -> list[np.ndarray]:
        """The trained weights of the best model, or of the one with the hash ``wanted``."""
        return workers.load_weights(weights_file(self.folder, wanted or self.best))


def check_data(data: Data) -> None:
    """Raise a :class:`DataError` for data that no search can learn from."""
    for what, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("validation", data.validation_images, data.validation_labels),
    ):
        if not isinstance(images, np.ndarray) or images.dtype == object or images.ndim != 4:
            raise DataError(f"{what} images of mixed sizes: a search needs one array (n, height, width, channels)")
        if len(images) != len(labels) or not len(labels):
            raise DataError(f"{len(images)} {what} images for {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= data.classes:
            raise DataError(
                f"{what} labels reach from {labels.min()} to {labels.max()}, the classes are {data.classes}"
            )
    if data.train_images.shape[1:] != data.validation_images.shape[1:]:
        raise DataError(f"images of mixed sizes: {data.train_images.shape[1:]}, {data.validation_images.shape[1:]}")
    counts = np.bincount(data.train_labels, minlength=data.classes)
    if data.classes < 2 or np.count_nonzero(counts) < 2:
        raise DataError("one class only: there is nothing to tell apart")
    if not counts.all():
        raise DataError(f"class {int(np.argmin(counts))} is empty: it has no training images")


def data_digest(data: Data) -> str:
    """Stands for the images and labels in the journal's first line."""
    arrays = (data.train_images, data.train_labels, data.validation_images, data.validation_labels)
    return artifacts.digest(*arrays, data.classes)


def check_budget(initial: Architecture, data: Data, settings: Settings, budget: Budget) -> None:
    size = initial.count_params(data.input_shape)
    if budget.models is not None and budget.models < 1:
        raise BudgetError(f"a budget of {budget.models} models allows no model")
    if budget.seconds is not None and budget.seconds <= 0:
        raise BudgetError(f"a budget of {budget.seconds:g} seconds allows no model")
    if settings.max_parameters is not None and settings.max_parameters < size:
        raise BudgetError(
            f"at most {settings.max_parameters} parameters allow no model: the initial one has {size} on this input"
        )


def weights_file(folder: Path, own: str) -> Path:
    """Where a search keeps the weights of the model with the hash ``own``."""
    return folder / "weights" / f"{own}.npz"
