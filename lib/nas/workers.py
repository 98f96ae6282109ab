"""One child's training as an independent job, run here or in worker processes through joblib.

A worker process computes on one thread: with as many workers as cores nothing is fought over, and a
child comes out the same however many of them there are.  ``joblib.parallel_config(backend="dask")``
around a search sends the same jobs to a cluster whose machines share the search's folder.
"""

import gc
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import keras
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError

from lib import artifacts, runtime
from lib.nas import inheritance
from lib.nas.notation import parse
from lib.nas.training import Data, Recipe, train

# loky renews a worker that has grown and gives its jobs to the new one: nothing is lost.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")

_prepared = False


@dataclass(frozen=True)
class Job:
    """Everything one training needs, beside the data.

    Attributes
    ----------
    text : the architecture.
    parent : text of the architecture whose weights are inherited, or empty.
    weights, parent_weights : files that the trained weights go to and the parent's come from.
    alone : whether the job runs in a process of its own, to be kept to one thread.
    """

    hash: str
    text: str
    seed: int
    recipe: Recipe
    weights: Path
    parent: str = ""
    parent_weights: Path | None = None
    alone: bool = False


def child_seed(search_seed: int, architecture_hash: str) -> int:
    """The seed of one child: the same in every order, process and resumed run."""
    return int.from_bytes(hashlib.sha256(f"{search_seed}:{architecture_hash}".encode()).digest()[:4], "big")


def train_child(job: Job, data: Data) -> dict:
    """Train one child, keep its weights, and say how it went; a failure is an answer, not an exception."""
    if job.alone:
        _prepare()
    began = time.time()
    answer = {"hash": job.hash, "status": "ok", "error": "", "inherited": "", "began": began}
    try:
        architecture = parse(job.text)
        start = None
        if job.parent_weights:
            inherited = inheritance.inherit(
                parse(job.parent), load_weights(job.parent_weights), architecture, data.input_shape, job.seed
            )
            start, answer["inherited"] = inherited.weights, "exact" if inherited.exact else "in part"
        model, outcome = train(architecture, data, job.recipe, job.seed, start)
        save_weights(job.weights, model.get_weights())
        answer |= {"accuracy": outcome.accuracy, "loss": outcome.loss, "epochs": outcome.epochs}
    except Exception as error:  # whatever is wrong with one child, the search goes on
        first_line = next(iter(str(error).splitlines()), "")[:300]
        answer |= failure(f"{type(error).__name__}: {first_line}")
    keras.utils.clear_session()
    gc.collect()
    return answer | {"seconds": time.time() - began}


def failure(why: str) -> dict:
    """The part of a record that a child has which could not be trained."""
    return {"status": "failed", "error": why, "accuracy": None, "loss": None, "epochs": None}


def run(
    jobs: Iterable[Job], data: Data, workers: int, trainer: Callable[[Job, Data], dict] = train_child
) -> Iterator[dict]:
    """Answers of ``trainer`` in the order in which the jobs finish.

    Parameters
    ----------
    jobs : taken one by one as workers get free, so the iterable can stop when a budget is used up.
    workers : 0 runs all in this process (one GPU), else that many processes.

    A worker process that dies (killed for its memory, say) makes its child a failed one.
    """
    if workers == 0:
        for job in jobs:
            yield trainer(job, data)
        return
    jobs = iter(jobs)  # after a death the rest goes on, not all of them again
    open_jobs: dict[str, Job] = {}

    def taken() -> Iterator:
        for job in jobs:
            open_jobs[job.hash] = job
            yield joblib.delayed(trainer)(job, data)

    try:
        for answer in _parallel(workers)(taken()):
            open_jobs.pop(answer["hash"])
            yield answer
    except TerminatedWorkerError:
        # Which child killed its worker is unknown: each open one gets a second try alone, then the rest go on.
        yield from _one_by_one(open_jobs, data, trainer)
        yield from run(jobs, data, workers, trainer)


def _one_by_one(jobs: dict[str, Job], data: Data, trainer: Callable[[Job, Data], dict]) -> Iterator[dict]:
    for job in jobs.values():
        began = time.time()
        try:
            yield from _parallel(1)([joblib.delayed(trainer)(job, data)])
        except TerminatedWorkerError:
            why = failure("its process died, most likely for want of memory")
            yield {"hash": job.hash, "inherited": "", "began": began, "seconds": time.time() - began, **why}


def _parallel(workers: int) -> joblib.Parallel:
    # One worker would make joblib run the job in this process: so two, of which one gets work.
    return joblib.Parallel(
        n_jobs=max(2, workers), pre_dispatch=workers, batch_size=1, return_as="generator_unordered", max_nbytes="1M"
    )


def _prepare() -> None:
    """Once a worker process: one thread, repeatable operations.

    Every backend sizes its pool of threads by the cores that the process may use at its first
    operation; so that is run on one core, and then all threads may go where there is room.
    """
    global _prepared
    if _prepared:
        return
    _prepared = True
    if hasattr(os, "sched_setaffinity"):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        keras.ops.convert_to_numpy(keras.ops.ones((2, 2)) @ keras.ops.ones((2, 2)))
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)
    runtime.use_deterministic_operations()


def save_weights(path: Path, weights: list[np.ndarray]) -> None:
    with artifacts.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *weights)


def load_weights(path: Path) -> list[np.ndarray]:
    """The weights in Keras' order, as :func:`save_weights` wrote them."""
    with np.load(path) as stored:
        return [stored[f"arr_{index}"] for index in range(len(stored.files))]
