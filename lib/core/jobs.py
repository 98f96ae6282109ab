"""Jobs: frozen descriptions of what is computed once, and the one runner for all of them.

A step is a function with a name and a version; calling it describes a job instead of running it.  A job's
key names its inputs by meaning: the keys of the jobs that made them, the content of raw files, settings
that differ from their defaults, index arrays as they are, seeds, the step's version.  Nothing computed
in floating point and no source code enters it: the same job has the same key on every machine, and an
edited comment repeats nothing.
"""

import hashlib
import inspect
import json
import pkgutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lib.core import cluster, keys, runtime
from lib.core.store import Store, StoreError, as_plain, read_about


class JobError(RuntimeError):
    """A job that cannot give a result however often it is tried, such as a training whose loss is no number."""


@dataclass(frozen=True, eq=False)
class Step:
    """A function whose calls are jobs; make one with :func:`step`.

    Attributes
    ----------
    working_only : names of values too big to publish.
    needs : working-only values that an argument's job has to bring, by the argument's name.
    raw : from the arguments to the identities of raw files that the function reads beside them.
    quick : takes seconds, so that a profile which trains nothing runs it where its inputs are done.
    """

    function: Callable[..., Mapping[str, Any]]
    name: str
    version: int
    working_only: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    raw: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None
    quick: bool = False

    def __call__(self, **arguments: Any) -> "Job":
        inspect.signature(self.function).bind(**arguments, **({"state": None} if self.resumes else {}))
        return Job(self, arguments)

    def __reduce__(self):
        return pkgutil.resolve_name, (f"{self.function.__module__}:{self.function.__qualname__}",)

    @cached_property
    def resumes(self) -> bool:
        """Whether the function keeps the state of unfinished work in a file, its argument ``state``."""
        return "state" in inspect.signature(self.function).parameters


def step(name: str, version: int, **options: Any) -> Callable[[Callable], Step]:
    """Make a module-level function a step; raise ``version`` whenever its mathematics changes.

    The function takes settings, seeds, index arrays and data as they are, jobs as the values that they
    return, and returns values by name: arrays, lists of arrays, or what JSON can hold.
    """
    return lambda function: Step(function, name, version, **options)


@dataclass(frozen=True, eq=False)
class Job:
    """One call of a step, to be run or found; equal if its key is."""

    step: Step
    arguments: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits that stand for everything the result depends on."""
        text = json.dumps(self.meaning(), sort_keys=True, default=as_plain)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def meaning(self) -> dict[str, Any]:
        """What the key is made of, as JSON can hold it."""
        defaults = {name: one.default for name, one in inspect.signature(self.step.function).parameters.items()}
        arguments = keys.differing(self.arguments, defaults)
        raw = {"raw": dict(self.step.raw(self.arguments))} if self.step.raw else {}
        return {"step": self.step.name, "version": self.step.version, **raw, "arguments": arguments}

    def describe(self) -> dict[str, str]:
        """What stands for it in the keys of jobs that need it."""
        return {"job": self.key}

    def inputs(self) -> Iterator[tuple["Job", tuple[str, ...]]]:
        """The jobs among the arguments, each with the working-only values that are needed of it."""
        for name, value in self.arguments.items():
            for job in _jobs_in(value):
                yield job, self.step.needs.get(name, ())

    def __str__(self) -> str:
        return f"{self.step.name} {self.key}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True)
class Result:
    """What became of a job: its values by name, or in ``error`` why there are none."""

    job: Job
    values: Mapping[str, Any]
    error: str = ""

    def __getitem__(self, name: str) -> Any:
        if self.error:
            raise JobError(f"{self.job}: {self.error}")
        return self.values[name]

    def __bool__(self) -> bool:
        return not self.error


NOT_DONE = "not done yet"


def run(
    jobs: Iterable[Job],
    store: Store,
    *,
    workers: int = 0,
    train: bool = True,
    extras: Sequence[str] = (),
    start: Callable[[Job], bool] = lambda job: True,
    report: Callable[[str], None] = lambda line: None,
    failed: dict[Job, str] | None = None,
) -> list[Result]:
    """The results of ``jobs`` in their order; those that are not in the store yet are run first.

    Parameters
    ----------
    workers : 0 runs here; else that many processes of one thread, or those of a dask cluster (``PAPER_DASK``).
        Results are the same.
    train : False runs quick steps only: other jobs that are not done have :data:`NOT_DONE` for an error.
    extras : working-only values that the results should bring.
    start : asked before each job is started; one that it refuses is not done.
    report : called with one line for each job that ran.
    failed : jobs that are not tried again, with their reasons; those that fail now are added.

    A job that raises, or whose process dies, spoils only itself and those that need it.  A :class:`JobError`
    is kept as its result; anything else is tried again by the next call.
    """
    jobs = list(jobs)
    errors = {} if failed is None else failed
    for level in _levels(jobs, store, extras):
        for job in level:
            broken = [one for one, needed in job.inputs() if one in errors and not store.holds(one, needed)]
            errors |= {job: f"its input {broken[0]} failed: {errors[broken[0]]}"} if broken else {}
        ready = [job for job in level if job not in errors and (train or job.step.quick)]
        ready = [job for job in ready if all(store.holds(*one) for one in job.inputs())]
        for job, seconds, error in cluster.run(_attempt, filter(start, ready), store, workers):
            errors |= {job: error} if error else {}
            report(f"{job}: {error or f'done in {seconds:.0f} s'}")
    return [_result(job, store, errors, extras) for job in jobs]


def _result(job: Job, store: Store, errors: Mapping[Job, str], extras: Sequence[str]) -> Result:
    if not store.holds(job, extras):
        return Result(job, {}, errors.get(job, NOT_DONE))
    values = store.load(job, extras)
    return Result(job, values, values.get("error", ""))


def waiting(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs that a run would have to do, inputs first."""
    return [job for level in _levels(jobs, store) for job in level]


def _levels(jobs: Iterable[Job], store: Store, extras: Sequence[str] = ()) -> list[list[Job]]:
    """Jobs that are not done, each after its inputs; inputs of finished jobs are not asked for."""
    wanted: defaultdict[Job, set[str]] = defaultdict(set)
    depths: dict[Job, int] = {}  # 0: done

    def visit(job: Job, needed: Sequence[str]) -> int:
        if job not in depths or not wanted[job].issuperset(needed):
            wanted[job].update(needed)
            done = store.holds(job, wanted[job])
            depths[job] = 0 if done else 1 + max((visit(*one) for one in job.inputs()), default=0)
        return depths[job]

    deepest = max((visit(job, extras) for job in jobs), default=0)
    return [[job for job, depth in depths.items() if depth == level] for level in range(1, deepest + 1)]


def _attempt(job: Job, store: Store, alone: bool) -> tuple[float, str]:
    """Run one job and keep its result; seconds, and why there is none."""
    began = time.perf_counter()
    try:
        if alone:
            runtime.prepare_worker()
        with store.locked(job):
            # Another run may have done it meanwhile; whoever asks for weights asks for a new training.
            if not store._readable(job):
                _perform(job, store)
        return time.perf_counter() - began, ""
    except StoreError:
        raise
    except Exception as error:  # whatever is wrong with one job, the others go on
        first_line = next(iter(str(error).splitlines()), "")[:300]
        return time.perf_counter() - began, f"{type(error).__name__}: {first_line}"


def _perform(job: Job, store: Store) -> None:
    arguments = {name: _resolve(value, store, job.step.needs.get(name, ())) for name, value in job.arguments.items()}
    state = store.file(job).with_suffix(".state")
    if job.step.resumes:
        arguments["state"] = state
    began = time.perf_counter()
    with suppress(StoreError, FileNotFoundError):  # the calls that left the state of unfinished work took time, too
        began -= read_about(state)["values"].get("seconds", 0)
    try:
        values = dict(job.step.function(**arguments))
    except JobError as error:
        values = {"error": str(error)}
    seconds = round(time.perf_counter() - began, 3)
    made = {"seconds": seconds, "date": time.strftime("%Y-%m-%d", time.gmtime()), **runtime.made_by()}
    store.keep(job, values, made)
    state.unlink(missing_ok=True)


def _resolve(value: Any, store: Store, extras: tuple[str, ...]) -> Any:
    """Jobs as their values, data sets as their images; in lists and tuples too."""
    if isinstance(value, Job):
        values = store.load(value, extras)
        if "error" in values:
            raise JobError(f"its input {value} failed: {values['error']}")
        return values
    if isinstance(value, list | tuple):
        return type(value)(_resolve(one, store, extras) for one in value)
    return value.load() if hasattr(value, "load") else value


def _jobs_in(value: Any) -> list[Job]:
    if isinstance(value, list | tuple):
        return [job for one in value for job in _jobs_in(one)]
    return [value] if isinstance(value, Job) else []
