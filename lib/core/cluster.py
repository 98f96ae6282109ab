"""Where jobs run: in this process, in processes of this machine through joblib, or on a dask cluster.

A worker process computes on one thread: with as many workers as cores nothing is fought over, and a job
comes out the same however many of them there are.  The machines of a cluster share the store's folders;
a job's description is all that is sent to them.
"""

import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from lib.core.config import SettingsError

# loky renews a worker that has grown and gives its jobs to the new one: nothing is lost.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")

# Environment variable: the address of a dask scheduler (tcp://host:8786), or its scheduler file.
DASK = "PAPER_DASK"
Task = Callable[[Any, Any, bool], tuple[float, str]]  # job, store, whether alone: seconds and error
DIED = "its process died, most likely for want of memory"


def run(task: Task, jobs: Iterable, store: Any, workers: int = 0) -> Iterator[tuple[Any, float, str]]:
    """Each job with what ``task`` returned, in the order in which they finish.

    Parameters
    ----------
    jobs : taken one by one as workers get free, so the iterable can stop when time is up.
    workers : 0 runs all in this process, else that many processes; with a dask cluster (``PAPER_DASK``, or the
        default client of this process) all of its workers.

    A worker process that dies makes its job a failed one.
    """
    jobs = iter(jobs)  # after a death the rest goes on, not all of them again
    client = _dask_client()
    if client is not None:
        yield from _on_cluster(client, task, jobs, store)
    elif workers == 0:
        yield from ((job, *task(job, store, False)) for job in jobs)
    else:
        yield from _in_processes(task, jobs, store, workers)


def _in_processes(task: Task, jobs: Iterator, store: Any, workers: int) -> Iterator[tuple[Any, float, str]]:
    running: dict[str, Any] = {}

    def taken() -> Iterator:
        for job in jobs:
            running[job.key] = job
            yield joblib.delayed(_answer)(task, job, store)

    try:
        for key, seconds, error in _parallel(workers)(taken()):
            yield running.pop(key), seconds, error
    except TerminatedWorkerError:
        # Which job killed its worker is unknown: each open one gets a second try alone, then the rest go on.
        for job in list(running.values()):
            try:
                ((_, seconds, error),) = _parallel(1)([joblib.delayed(_answer)(task, job, store)])
                yield job, seconds, error
            except TerminatedWorkerError:
                yield job, float("nan"), DIED
        yield from _in_processes(task, jobs, store, workers)


def _on_cluster(client: Any, task: Task, jobs: Iterator, store: Any) -> Iterator[tuple[Any, float, str]]:
    # Not through joblib.Parallel: on dask it waits for ever for a job whose worker died.
    from dask.distributed import KilledWorker, as_completed

    threads = client.nthreads().values()
    if max(threads, default=1) > 1:
        raise SettingsError("cluster workers need one thread each (dask worker --nthreads 1): seeds are global")
    finished, running, suspects = as_completed(), {}, []

    def start(number: int) -> None:
        for job in itertools.islice(jobs, number):
            future = client.submit(_answer, task, job, store, pure=False)
            running[future] = job
            finished.add(future)

    start(max(1, len(threads)))
    try:
        for future in finished:
            job = running.pop(future)
            if isinstance(future.exception(), KilledWorker):
                suspects.append(job)
            else:
                yield job, *future.result()[1:]
            start(1)
    finally:
        client.cancel(list(running))
    for job in suspects:  # a job that waited for a dying worker is blamed as well: a second try alone tells
        future = client.submit(_answer, task, job, store, pure=False)
        died = isinstance(future.exception(), KilledWorker)
        yield (job, float("nan"), DIED) if died else (job, *future.result()[1:])


def _answer(task: Task, job: Any, store: Any) -> tuple[str, float, str]:
    return job.key, *task(job, store, True)


def _dask_client() -> Any:
    """The client of the cluster that ``PAPER_DASK`` names, else this process' default one if it made one."""
    if address := os.environ.get(DASK):
        return _connected(address)
    if "distributed" not in sys.modules:  # dask is not imported to find out
        return None
    from dask.distributed import default_client

    with suppress(ValueError):
        return default_client()


@cache
def _connected(address: str) -> Any:
    try:
        from dask.distributed import Client

        where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        return Client(**where, timeout=30)
    except (ImportError, OSError, ValueError) as error:
        raise SettingsError(
            f"{DASK}={address}: no scheduler answers there ({error or type(error).__name__})"
        ) from error


def _parallel(workers: int) -> joblib.Parallel:
    # One worker would make joblib run the job in this process: so two, of which one gets work.
    return joblib.Parallel(n_jobs=max(2, workers), pre_dispatch=workers, batch_size=1, return_as="generator_unordered")
