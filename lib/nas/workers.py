"""One child's training as an independent job, run here or in worker processes through joblib.

A worker process computes on one thread: with as many workers as cores nothing is fought over, and a
child comes out the same however many of them there are.  ``joblib.parallel_config(backend="dask")``
around a search sends the same jobs to a cluster whose machines share the search's folder and whose
workers have one thread each.
"""

import hashlib
import itertools
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import keras
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend

from lib.core import artifacts, runtime
from lib.nas import inheritance
from lib.nas.notation import parse
from lib.nas.training import Data, Recipe, train

# loky renews a worker that has grown and gives its jobs to the new one: nothing is lost.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
warnings.filterwarnings("ignore", message="Sending large graph")  # of dask, about the images


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
        runtime.prepare_worker()
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
    keras.utils.clear_session()  # collects the garbage as well
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
    workers : 0 runs all in this process (one GPU), else that many processes, or a dask cluster (all
        its workers) if that is joblib's backend.

    A worker process that dies (killed for its memory, say) makes its child a failed one.

    Raises
    ------
    ValueError
        If a worker of the cluster has several threads.
    """
    jobs = iter(jobs)  # after a death the rest goes on, not all of them again
    client = getattr(get_active_backend()[0], "client", None)  # joblib's dask backend alone has one
    if workers == 0:
        yield from (trainer(job, data) for job in jobs)
    elif client is not None:
        yield from _on_cluster(client, jobs, data, workers, trainer)
    else:
        yield from _in_processes(jobs, data, workers, trainer)


def _in_processes(jobs: Iterator[Job], data: Data, workers: int, trainer: Callable[[Job, Data], dict]) -> Iterator:
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
        yield from _in_processes(jobs, data, workers, trainer)


def _on_cluster(
    client, jobs: Iterator[Job], data: Data, workers: int, trainer: Callable[[Job, Data], dict]
) -> Iterator:
    # Not through joblib.Parallel: on dask it waits for ever for a child whose worker died.
    from dask.distributed import KilledWorker, as_completed

    threads = client.nthreads().values()
    if max(threads, default=1) > 1:
        raise ValueError("a search needs cluster workers of one thread each (threads_per_worker=1): seeds are global")
    # A task, not scattered: if the worker that holds them dies, the cluster can make them anew.
    everywhere = client.submit(_same, data, pure=False)
    finished, open_jobs, suspects = as_completed(), {}, []

    def start(number: int) -> None:
        for job in itertools.islice(jobs, number):
            future = client.submit(trainer, job, everywhere, pure=False)
            open_jobs[future] = job
            finished.add(future)

    start(max(workers, len(threads)))
    try:
        for future in finished:
            job = open_jobs.pop(future)
            if isinstance(future.exception(), KilledWorker):
                suspects.append(job)
            else:
                yield future.result()
            start(1)
    finally:
        client.cancel(list(open_jobs))
    for job in suspects:  # a job that waited for a dying worker is blamed as well: a second try alone tells
        began = time.time()
        future = client.submit(trainer, job, everywhere, pure=False)
        yield _dead(job, began) if isinstance(future.exception(), KilledWorker) else future.result()


def _same(data: Data) -> Data:
    return data


def _one_by_one(jobs: dict[str, Job], data: Data, trainer: Callable[[Job, Data], dict]) -> Iterator[dict]:
    for job in jobs.values():
        began = time.time()
        try:
            yield from _parallel(1)([joblib.delayed(trainer)(job, data)])
        except TerminatedWorkerError:
            yield _dead(job, began)


def _dead(job: Job, began: float) -> dict:
    why = failure("its process died, most likely for want of memory")
    return {"hash": job.hash, "inherited": "", "began": began, "seconds": time.time() - began, **why}


def _parallel(workers: int) -> joblib.Parallel:
    # One worker would make joblib run the job in this process: so two, of which one gets work.
    return joblib.Parallel(
        n_jobs=max(2, workers), pre_dispatch=workers, batch_size=1, return_as="generator_unordered", max_nbytes="1M"
    )


def save_weights(path: Path, weights: list[np.ndarray]) -> None:
    with artifacts.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *weights)


def load_weights(path: Path) -> list[np.ndarray]:
    """The weights in Keras' order, as :func:`save_weights` wrote them."""
    with np.load(path) as stored:
        return [stored[f"arr_{index}"] for index in range(len(stored.files))]
