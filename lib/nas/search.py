"""BbNAS and SE-BbNAS (III-C, III-D): transform, train, select, until the best model declines or the budget ends.

A search is a function of its settings and of its children's results: called again with the same results it
plans the same children, so whoever keeps results (:mod:`lib.core.store`) can go on with it anywhere.  Only
validation scores are seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.core.config import check_choice
from lib.core.jobs import NOT_DONE, Job, Result
from lib.nas import transforms
from lib.nas.layers import Shape
from lib.nas.notation import Architecture, parse
from lib.nas.transforms import NAMES, Space

STRATEGIES = ("evolve", "random")
_TRIES = 50  # chains of a random search that end in a model met before are drawn anew so often


@dataclass(frozen=True)
class SearchSettings:
    """Which search it is."""

    space: Space
    input_shape: Shape
    strategy: str = "evolve"  # as the paper does; random: chains of transformations without selection
    seed: int = 0
    iterations: int = 3  # at most; of a random search the length of its longest chain
    models: int = 21  # at most, the initial one included: 1 + 4 + 8 + 8
    stop_early: bool = True  # when the best model declines; False: this is recorded and changes nothing


@dataclass(frozen=True)
class _Model:
    architecture: Architecture
    iteration: int
    transformation: str
    parent: str = ""  # its hash
    result: Result | None = None


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes
    ----------
    frame : one row a model in the order of the plan: ``name`` (iteration-number as in Fig. 4), ``iteration``,
        ``parent`` (a name), ``transformation``, ``text``, ``hash``, ``parameters``, ``status`` (ok or
        failed), ``error``, ``accuracy`` and ``cross_entropy`` (validation; NaN where it failed), ``epochs``,
        ``selected`` (a parent of the next iteration), ``pareto``.
    jobs : of these models.
    ended : why it ended; :data:`lib.core.jobs.NOT_DONE` if results are missing.
    stop_rule : where the paper's rule ends it, or empty.
    """

    frame: pd.DataFrame
    jobs: tuple[Job, ...]
    ended: str
    stop_rule: str

    @property
    def complete(self) -> bool:
        return self.ended != NOT_DONE

    @property
    def best(self) -> pd.Series | None:
        """Highest validation accuracy; of equals the smallest, then the first by hash; None without a trained model."""
        return best(self.frame)


class _NotDoneError(Exception):
    """A child's result is missing: nothing further can be planned."""


def search(
    settings: SearchSettings,
    make_job: Callable[[Architecture], Job],
    results: Callable[[Sequence[Job]], Sequence[Result]],
) -> Search:
    """Plan children, ask for their results, select and go on.

    Parameters
    ----------
    make_job : the training of an architecture.
    results : gives the results of one wave of jobs, as :meth:`lib.core.run.Run.results` does.  A child that
        failed is recorded and passed over; one that is not done yet ends the search for now.
    """
    check_choice("strategy", settings.strategy, STRATEGIES)
    if settings.models < 1:
        raise ValueError(f"a budget of {settings.models} models allows no model")
    state = _State(settings, make_job, results)
    try:
        ended = state.evolve() if settings.strategy == "evolve" else state.sample()
    except _NotDoneError:
        ended = NOT_DONE
    models = state.done.values()
    return Search(
        _frame(models, settings.input_shape, state.selected),
        tuple(m.result.job for m in models),
        ended,
        state.stop_rule,
    )


class _State:
    """One call of :func:`search`: what is planned and what has a result."""

    def __init__(self, settings: SearchSettings, make_job: Callable, results: Callable):
        self.settings, self.make_job, self.results = settings, make_job, results
        self.initial = parse(settings.space.initial)
        self.known: set[str] = set()
        self.done: dict[str, _Model] = {}
        self.selected: set[str] = set()
        self.stop_rule = ""

    def evolve(self) -> str:
        """The paper's search.  Its rule compares iterations of children: the first is never the last one for it."""
        self.train([_Model(self.initial, 0, "initial")])
        parents, reached = [self.initial], None
        for iteration in range(1, self.settings.iterations + 1):
            frame = self.train(self.children(parents, iteration))
            top = best(frame)
            if top is None:
                return f"iteration {iteration} gave no model that could be trained"
            if reached is not None and top.accuracy < reached and not self.stop_rule:
                self.stop_rule = f"the best of iteration {iteration} is worse than that of iteration {iteration - 1}"
            if self.stop_rule and self.settings.stop_early:
                return self.stop_rule
            if len(self.done) >= self.settings.models:
                break
            reached = top.accuracy
            chosen = survivors(frame)
            self.selected.update(chosen)
            parents = [self.done[one].architecture for one in chosen]
        return f"{len(self.done)} models done"

    def children(self, parents: list[Architecture], iteration: int) -> list[_Model]:
        """A child with each transformation from each parent; one that gives nothing new is replaced by the next."""
        models = []
        for parent in parents:
            for number in range(len(NAMES)):
                for name in (*NAMES[number:], *NAMES[:number]):
                    if drawn := self.draw(parent, name, [iteration, int(parent.hash, 16), number]):
                        models.append(_Model(drawn, iteration, name, parent.hash))
                        break
        return models

    def sample(self) -> str:
        """Random search: chains of 1 to ``iterations`` transformations; only what they end in is trained."""
        self.known.add(self.initial.hash)
        chains = (self.chain(number) for number in range(1, self.settings.models))
        models = [_Model(self.initial, 0, "initial"), *(chain for chain in chains if chain)]
        self.train(models)
        return f"{len(self.done)} models done"

    def chain(self, number: int) -> _Model | None:
        for attempt in range(_TRIES):
            generator = np.random.default_rng([self.settings.seed, number, attempt])
            steps = 1 + int(generator.integers(self.settings.iterations))
            architecture, name = self.initial, "initial"
            for step in range(1, steps + 1):
                name = str(generator.choice(NAMES))
                architecture = self.draw(architecture, name, [number, attempt, step], last=step == steps)
                if architecture is None:
                    break
            else:
                return _Model(architecture, steps, name, self.initial.hash)
        return None

    def draw(self, parent: Architecture, name: str, seed: list[int], last: bool = True) -> Architecture | None:
        """A child of ``parent``; a new one, unless it is only on the way to the last one of a chain."""
        known = self.known if last else set()
        drawn = transforms.child(
            parent, name, self.settings.space, [self.settings.seed, *seed], self.settings.input_shape, known
        )
        if drawn and last:
            self.known.add(drawn.hash)
        return drawn

    def train(self, models: list[_Model]) -> pd.DataFrame:
        """The wave's models with their results, as many as the budget allows."""
        self.known.update(model.architecture.hash for model in models)
        models = models[: self.settings.models - len(self.done)]
        results = self.results([self.make_job(model.architecture) for model in models])
        wave = [replace(model, result=result) for model, result in zip(models, results, strict=True)]
        self.done |= {model.architecture.hash: model for model in wave if model.result.error != NOT_DONE}
        if any(model.result.error == NOT_DONE for model in wave):
            raise _NotDoneError
        return _frame(wave, self.settings.input_shape, set())


def _frame(models: Sequence[_Model], input_shape: Shape, selected: set[str]) -> pd.DataFrame:
    rows, names, counts = [], {}, {}
    for model in models:
        own = model.architecture.hash
        number = counts[model.iteration] = counts.get(model.iteration, -1) + 1
        names[own] = f"{model.iteration}-{number}"
        scores = {
            name: model.result[name] if model.result else np.nan for name in ("accuracy", "cross_entropy", "epochs")
        }
        rows.append(
            {
                "name": names[own],
                "iteration": model.iteration,
                "parent": names.get(model.parent, ""),
                "transformation": model.transformation,
                "text": str(model.architecture),
                "hash": own,
                "parameters": model.architecture.count_params(input_shape),
                "status": "ok" if model.result else "failed",
                "error": model.result.error,
                **scores,
                "selected": own in selected,
            }
        )
    columns = (
        "name iteration parent transformation text hash parameters status error accuracy cross_entropy epochs selected"
    )
    frame = pd.DataFrame(rows, columns=columns.split())
    return frame.assign(pareto=pareto(frame))


def best(frame: pd.DataFrame) -> pd.Series | None:
    """The row of highest accuracy; of equals the one with fewest parameters, then the first by hash."""
    trained = frame[frame.status == "ok"]
    ranked = trained.sort_values(["accuracy", "parameters", "hash"], ascending=[False, True, True])
    return ranked.iloc[0] if len(ranked) else None


def survivors(frame: pd.DataFrame) -> list[str]:
    """Hashes of the parents of the next iteration (III-C): the best model and the smallest other one."""
    winner = best(frame).hash
    others = frame[(frame.status == "ok") & (frame.hash != winner)]
    ranked = others.sort_values(["parameters", "accuracy", "hash"], ascending=[True, False, True])
    return [winner, *ranked.hash[:1]]


def pareto(frame: pd.DataFrame) -> pd.Series:
    """Whether no other row is better in ``parameters`` or ``accuracy`` and no worse in both; failed models are not."""
    size, score = (frame[name].to_numpy(float)[:, None] for name in ("parameters", "accuracy"))
    beaten = (size >= size.T) & (score <= score.T) & ((size > size.T) | (score < score.T))
    return ~pd.Series(beaten.any(axis=1), frame.index) & frame.accuracy.notna()
