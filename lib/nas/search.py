"""BbNAS and SE-BbNAS (III-D): transform, train, select, until the best model declines or a budget ends.

A search is a pure function of settings and data.  What it has trained lies in a journal
(:mod:`lib.nas.journal`), so a search that is called again goes on where it was killed, decides
everything as before and gives the same result.  Only validation data are seen.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lib import artifacts
from lib.data.record import DataError
from lib.nas import selection, transforms, workers
from lib.nas.journal import Journal, identity
from lib.nas.notation import Architecture, parse
from lib.nas.training import Data, Recipe
from lib.nas.transforms import NAMES, Space
from lib.profiles import check_choice

# What a child's scores depend on.  Journals of other code are refused; selecting and storing is not in it.
CODE = ("lib.nas.notation", "lib.nas.transforms", "lib.nas.training")


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
        return workers.load_weights(_weights(self.folder, wanted or self.best))


@dataclass(frozen=True)
class _Child:
    """A planned model: where it comes from and what it is."""

    architecture: Architecture
    iteration: int
    transformation: str
    parent: Architecture | None


class _BudgetEndError(Exception):
    """The budget is used up; the text says which."""


def search(
    data: Data,
    settings: Settings,
    folder: Path,
    budget: Budget | None = None,
    n_jobs: int = 0,
    trainer: Callable[[workers.Job, Data], dict] = workers.train_child,
) -> Result:
    """Run a search, or go on with the one whose journal lies in ``folder``.

    Parameters
    ----------
    data : training and validation images.
    folder : ``journal.jsonl`` and the children's weights lie here.
    n_jobs : children trained at the same time: 0 in this process, else in so many processes of one
        thread each, with equal results for every number.
    trainer : trains one job; tests put in others.

    Raises
    ------
    lib.data.record.DataError
        For images of mixed sizes, fewer than two classes, or a class without training images.
    BudgetError
        If the budget does not allow the initial model.
    lib.nas.journal.JournalError
        If the journal in ``folder`` is another search's, damaged or in use.
    """
    began = time.perf_counter()
    budget = budget or Budget()
    check_data(data)
    check_choice("strategy", settings.strategy, ("evolve", "random"))
    initial = parse(settings.space.initial)
    _check_budget(initial, data, settings, budget)
    code = (*CODE, "lib.nas.inheritance") if settings.inherit else CODE
    this = identity(settings, data_digest(data), code)
    with Journal(Path(folder) / "journal.jsonl", this) as journal:
        known = len(journal.records)
        state = _Search(data, settings, budget, n_jobs, trainer, journal, Path(folder))
        plan = state.evolve if settings.strategy == "evolve" else state.sample
        try:
            stopped = plan(initial)
        except _BudgetEndError as end:
            stopped = str(end)
        frame = state.frame()
        best = selection.best(list(journal.records.values()))
        if best is None:
            errors = sorted({record["error"] for record in journal.records.values()})
            raise RuntimeError(f"no child could be trained; {'; '.join(errors)}")
        return Result(
            frame,
            best["hash"],
            stopped,
            tuple(journal.notes + state.notes),
            len(journal.records) - known,
            time.perf_counter() - began,
            Path(folder),
        )


class _Search:
    """One call of :func:`search`: the plan so far, and what trains and journals it."""

    def __init__(self, data, settings, budget, n_jobs, trainer, journal, folder) -> None:
        self.data, self.settings, self.budget, self.n_jobs = data, settings, budget, n_jobs
        self.trainer, self.journal, self.folder = trainer, journal, folder
        self.children: dict[str, _Child] = {}
        self.survivors: set[str] = set()
        self.notes: list[str] = []

    def evolve(self, initial: Architecture) -> str:
        """The paper's search; the reason why it stopped.

        Decline is judged between iterations of children: the first is never the last one for it.
        """
        self.train([_Child(initial, 0, "initial", None)])
        parents, reached = [initial], None
        for iteration in range(1, self.settings.iterations + 1):
            children = [
                child
                for parent in parents
                for number, name in enumerate(NAMES)
                if (child := self.child(parent, name, iteration, [iteration, int(parent.hash, 16), number]))
            ]
            records = self.train(children)
            best = selection.best(records)
            if best is None:
                return f"iteration {iteration} gave no model that could be trained"
            if reached is not None and best["accuracy"] < reached:
                return f"the best of iteration {iteration} is worse than the best of iteration {iteration - 1}"
            reached = best["accuracy"]
            chosen = selection.survivors(records)
            self.survivors.update(record["hash"] for record in chosen)
            parents = [self.children[record["hash"]].architecture for record in chosen]
        return f"all {self.settings.iterations} iterations done"

    def sample(self, initial: Architecture) -> str:
        """Random search; the reason why it stopped."""
        if self.budget.models is None:
            raise BudgetError("a random search needs a budget of models: nothing else ends it")
        self.train([_Child(initial, 0, "initial", None)])
        chosen = []
        for number in range(1, self.budget.models):
            generator = np.random.default_rng([self.settings.seed, number])
            steps = 1 + int(generator.integers(self.settings.iterations))
            parent, last = initial, None
            for step in range(1, steps + 1):
                name = str(generator.choice(NAMES))
                # Steps on the way are not trained, so only what the chain ends in must be new.
                known = set(self.children) if step == steps else set()
                architecture = self.draw(parent, name, [number, step], known)
                if architecture is not None:
                    last, parent = _Child(architecture, step, name, initial), architecture
            if last is None or last.architecture.hash in self.children:
                self.notes.append(f"chain {number} ended in a model met before")
            else:
                self.children[last.architecture.hash] = last
                chosen.append(last)
        self.train(chosen)
        return f"all {len(chosen) + 1} models done"

    def child(self, parent: Architecture, name: str, iteration: int, seed: list[int]) -> _Child | None:
        architecture = self.draw(parent, name, seed, set(self.children))
        if architecture is None:
            self.notes.append(f"iteration {iteration}: {name} gives nothing new from {parent}")
            return None
        self.children[architecture.hash] = _Child(architecture, iteration, name, parent)
        return self.children[architecture.hash]

    def draw(self, parent: Architecture, name: str, seed: list[int], known: set[str]) -> Architecture | None:
        shape, limit = self.data.input_shape, self.settings.max_parameters
        return transforms.child(parent, name, self.settings.space, [self.settings.seed, *seed], shape, known, limit)

    def train(self, children: list[_Child]) -> list[dict]:
        """Train the children that the journal does not hold; the records of all."""
        for child in children:
            self.children[child.architecture.hash] = child
        waiting = [child for child in children if child.architecture.hash not in self.journal.records]
        ended: list[str] = []
        for answer in workers.run(self._jobs(waiting, ended), self.data, self.n_jobs, self.trainer):
            self.journal.append(self._record(answer))
        if ended:
            raise _BudgetEndError(ended[0])
        return [self.journal.records[child.architecture.hash] for child in children]

    def _jobs(self, children: list[_Child], ended: list[str]) -> Iterator[workers.Job]:
        allowed = len(children) if self.budget.models is None else self.budget.models - len(self.journal.records)
        for number, child in enumerate(children):
            if number >= allowed:
                ended.append(f"the budget of {self.budget.models} models is used up")
                return
            if self.budget.seconds is not None and self.journal.seconds >= self.budget.seconds:
                ended.append(f"the budget of {self.budget.seconds:g} seconds of training is used up")
                return
            yield self._job(child)

    def _job(self, child: _Child) -> workers.Job:
        own = child.architecture.hash
        inherits = self.settings.inherit and child.parent is not None and self.settings.strategy == "evolve"
        return workers.Job(
            own,
            str(child.architecture),
            workers.child_seed(self.settings.seed, own),
            self.settings.recipe,
            _weights(self.folder, own),
            str(child.parent) if inherits else "",
            _weights(self.folder, child.parent.hash) if inherits else None,
            alone=self.n_jobs > 0,
        )

    def _record(self, answer: dict) -> dict:
        child = self.children[answer["hash"]]
        shape = self.data.input_shape
        return {
            "text": str(child.architecture),
            "iteration": child.iteration,
            "transformation": child.transformation,
            "parent": child.parent.hash if child.parent else "",
            "parameters": child.architecture.count_params(shape),
            "multiply_adds": child.architecture.count_multiply_adds(shape),
            **answer,
        }

    def frame(self) -> pd.DataFrame:
        """All journalled children of the plan, in its order, named as in Fig. 4."""
        rows, names, counts = [], {"": ""}, {}
        for own in self.children:
            if own not in self.journal.records:
                continue
            record = dict(self.journal.records[own])
            number = counts[record["iteration"]] = counts.get(record["iteration"], -1) + 1
            names[own] = f"{record['iteration']}-{number}"
            record |= {"name": names[own], "parent": names.get(record["parent"], "")}
            rows.append(record | {"parent_of_next": own in self.survivors})
        frame = pd.DataFrame(rows)
        frame["accuracy"], frame["loss"] = frame.accuracy.astype(float), frame.loss.astype(float)
        frame["pareto"] = selection.pareto(frame)
        columns = ["name", "iteration", "parent", "transformation", "text", "hash", "parameters", "multiply_adds"]
        columns += ["status", "accuracy", "loss", "epochs", "inherited", "error", "pareto", "parent_of_next"]
        return frame[[*columns, "seconds", "began"]]


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


def _check_budget(initial: Architecture, data: Data, settings: Settings, budget: Budget) -> None:
    size = initial.count_params(data.input_shape)
    if budget.models is not None and budget.models < 1:
        raise BudgetError(f"a budget of {budget.models} models allows no model")
    if budget.seconds is not None and budget.seconds <= 0:
        raise BudgetError(f"a budget of {budget.seconds:g} seconds allows no model")
    if settings.max_parameters is not None and settings.max_parameters < size:
        raise BudgetError(
            f"at most {settings.max_parameters} parameters allow no model: the initial one has {size} on this input"
        )


def _weights(folder: Path, own: str) -> Path:
    return folder / "weights" / f"{own}.npz"
