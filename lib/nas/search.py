"""BbNAS and SE-BbNAS (III-C, III-D): transform, train, select, until the budget of models is spent.

A search is a function of its settings and of its children's results: called again with the same results it
plans the same children, so whoever keeps results (:mod:`lib.core.store`) can go on with it anywhere.  Only
validation scores are seen.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lib.core.jobs import NOT_DONE, Job, Result
from lib.nas import transforms
from lib.nas.notation import Architecture, parse
from lib.nas.transforms import NAMES, Space

_SCORES = ["accuracy", "cross_entropy", "epochs"]
_COLUMNS = ["iteration", "parent", "transformation", "text", "hash", "parameters", "status", "error", *_SCORES]
_TRIES = 50  # chains of a random search that end in a model met before are drawn anew so often
Results = Callable[[Sequence[Job]], Sequence[Result]]
_Child = tuple[Architecture, int, str, str]  # iteration, hash of its parent, transformation


@dataclass(frozen=True)
class SearchSettings:
    """Which search it is."""

    space: Space
    input_shape: tuple[int, ...]
    strategy: str = "evolve"  # as the paper does; random: chains of transformations without selection
    seed: int = 0
    iterations: int = 3  # at most; of a random search the length of its longest chain
    models: int = 21  # at most, the initial one included: 1 + 4 + 8 + 8


class Search:
    """A search as far as results are there: plans children, asks for their results, selects and goes on.

    Parameters
    ----------
    make_job : from an architecture to its training.
    results : gives the results of one wave of jobs, as :meth:`lib.core.run.Run.results` does.  A child that
        failed is recorded and passed over; one that is not done yet ends the search for now.

    Attributes
    ----------
    rows : its models, the columns of :attr:`frame` from ``iteration`` to ``epochs``.
    jobs : of these models.
    complete : whether no result is missing.
    stop_rule : where the paper's rule would end it, or empty; the budget is spent all the same.
    """

    def __init__(self, settings: SearchSettings, make_job: Callable[[Architecture], Job], results: Results):
        self.settings, self.make_job, self.results = settings, make_job, results
        self.initial = parse(settings.space.initial)
        self.known, self.selected = {self.initial.hash}, set[str]()
        self.rows, self.jobs = list[list](), list[Job]()
        self.complete, self.stop_rule = False, ""
        with suppress(_NotDoneError):
            {"evolve": self.evolve, "random": self.sample}[settings.strategy]()
            self.complete = True

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model in the order of the plan.

        ``name`` (iteration-number as in Fig. 4), ``iteration``, ``parent`` (a name), ``transformation``, ``text``,
        ``hash``, ``parameters``, ``status`` (ok or failed), ``error``, ``accuracy`` and ``cross_entropy`` (validation;
        NaN where it failed), ``epochs``, ``selected`` (a parent of the next iteration), ``pareto``.
        """
        frame = pd.DataFrame(self.rows, columns=_COLUMNS)
        numbers = frame.groupby("iteration").cumcount()
        frame.insert(0, "name", frame.iteration.astype(str) + "-" + numbers.astype(str))
        frame["parent"] = frame.parent.map(frame.set_index("hash")["name"]).fillna("")
        return frame.assign(selected=frame.hash.isin(self.selected), pareto=pareto(frame))

    def evolve(self) -> None:
        """The paper's search.  Its rule compares iterations of children: the first is never the last one for it."""
        self.train([(self.initial, 0, "", "initial")])
        parents, top = [self.initial], None
        for iteration in range(1, self.settings.iterations + 1):
            frame = self.train(self.children(parents, iteration))
            before, top = top, best(frame)
            if top is not None and before is not None and top.accuracy < before.accuracy and not self.stop_rule:
                self.stop_rule = f"the best of iteration {iteration} is worse than that of iteration {iteration - 1}"
            if top is None or len(self.rows) >= self.settings.models:
                return
            chosen = survivors(frame)
            self.selected.update(chosen.hash)
            parents = [parse(text) for text in chosen.text]

    def children(self, parents: list[Architecture], iteration: int) -> list[_Child]:
        """A child with each transformation from each parent; one that gives nothing new is replaced by the next."""
        children = []
        for parent in parents:
            for number in range(len(NAMES)):
                for name in (*NAMES[number:], *NAMES[:number]):
                    if child := self.draw(parent, name, [iteration, int(parent.hash, 16), number]):
                        children.append((child, iteration, parent.hash, name))
                        break
        return children

    def sample(self) -> None:
        """Random search: chains of 1 to ``iterations`` transformations; only what they end in is trained."""
        chains = (self.chain(number) for number in range(1, self.settings.models))
        self.train([(self.initial, 0, "", "initial"), *(chain for chain in chains if chain)])

    def chain(self, number: int) -> _Child | None:
        for attempt in range(_TRIES):
            generator = np.random.default_rng([self.settings.seed, number, attempt])
            steps = 1 + int(generator.integers(self.settings.iterations))
            child: Architecture | None = self.initial
            for step in range(1, steps + 1):
                name = NAMES[generator.integers(len(NAMES))]
                child = child and self.draw(child, name, [number, attempt, step], last=step == steps)
            if child:
                return child, steps, self.initial.hash, name
        return None

    def draw(self, parent: Architecture, name: str, seed: list[int], last: bool = True) -> Architecture | None:
        """A child of ``parent``; a new one, unless it is only on the way to the last one of a chain."""
        known, settings = self.known if last else set(), self.settings
        return transforms.child(parent, name, settings.space, [settings.seed, *seed], settings.input_shape, known)

    def train(self, children: list[_Child]) -> pd.DataFrame:
        """The wave's models with their results, as many as the budget allows."""
        wave = children[: self.settings.models - len(self.rows)]
        results = self.results([self.make_job(architecture) for architecture, *_ in wave])
        for (architecture, *origin), result in zip(wave, results, strict=True):
            if result.error != NOT_DONE:
                model = str(architecture), architecture.hash, architecture.count_params(self.settings.input_shape)
                scores = [result[name] if result else np.nan for name in _SCORES]
                self.rows.append([*origin, *model, "ok" if result else "failed", result.error, *scores])
                self.jobs.append(result.job)
        if any(result.error == NOT_DONE for result in results):
            raise _NotDoneError
        return pd.DataFrame(self.rows[len(self.rows) - len(wave) :], columns=_COLUMNS)


class _NotDoneError(Exception):
    """A child's result is missing: nothing further can be planned."""


def best(frame: pd.DataFrame) -> pd.Series | Any:
    """The row of highest accuracy; of equals the smallest, then the first by hash; None without a trained model."""
    trained = frame[frame.status == "ok"]
    ranked = trained.sort_values(["accuracy", "parameters", "hash"], ascending=[False, True, True])
    return ranked.iloc[0] if len(ranked) else None


def survivors(frame: pd.DataFrame) -> pd.DataFrame:
    """Parents of the next iteration (III-C): the best model and the smallest other one."""
    trained = frame[frame.status == "ok"].sort_values(["parameters", "accuracy", "hash"], ascending=[True, False, True])
    top = trained.hash == best(frame).hash
    return pd.concat([trained[top], trained[~top].head(1)])


def pareto(frame: pd.DataFrame) -> pd.Series:
    """Whether no other row is better in ``parameters`` or ``accuracy`` and no worse in both; failed models are not."""
    size, score = (frame[name].to_numpy(float)[:, None] for name in ("parameters", "accuracy"))
    beaten = (size >= size.T) & (score <= score.T) & ((size > size.T) | (score < score.T))
    return ~pd.Series(beaten.any(axis=1), frame.index) & frame.accuracy.notna()
