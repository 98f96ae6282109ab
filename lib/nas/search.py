"""BbNAS and SE-BbNAS (III-D): transform, train, select, until the best model declines or a budget ends.

A search is a pure function of settings and data.  What it has trained lies in a journal
(:mod:`lib.nas.journal`), so a search that is called again goes on where it was killed, decides
everything as before and gives the same result.  Only validation data are seen.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core.config import check_choice
from lib.nas import selection, transforms, workers
from lib.nas.journal import Journal, identity
from lib.nas.notation import Architecture, parse
from lib.nas.settings import (
    Budget,
    BudgetError,
    Result,
    Settings,
    check_budget,
    check_data,
    data_digest,
    weights_file,
)
from lib.nas.training import Data
from lib.nas.transforms import NAMES

# What a child's scores depend on.  Journals of other code are refused; selecting and storing is not in it.
CODE = ("lib.nas.notation", "lib.nas.transforms", "lib.nas.training")


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
    check_budget(initial, data, settings, budget)
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
            weights_file(self.folder, own),
            str(child.parent) if inherits else "",
            weights_file(self.folder, child.parent.hash) if inherits else None,
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
