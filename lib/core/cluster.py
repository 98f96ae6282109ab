"""Where jobs run: in this process, in processes of this machine through joblib's loky, or on a dask cluster.

A worker process computes on one thread: with as many workers as cores nothing is fought over, and a job
comes out the same however many of them there are.  The machines of a cluster share the store's folders;
a job's description is all that is sent to them.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from lib.core.config import SettingsError

# loky renews a worker that has grown and gives its jobs to the new one: nothing is lost.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")

# Environment variable: the address of a dask scheduler (tcp://host:8786), or its scheduler file.
DASK = "PAPER_DASK"
Task = Callable[[Any, Any, bool], tuple[float, str]]  # job, store, whether alone: seconds and error
DIED = "its process died, most likely for want of memory"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def run(task: Task, jobs: Iterable, store: Any, workers: int = 0) -> Iterator[tuple[Any, float, str]]:
    """Each job with what ``task`` returned, in the order in which they finish.

    Parameters
    ----------
    jobs : taken one by one as workers get free, so the iterable can stop when time is up.
    workers : 0 runs all in this process, else that many processes; with a dask cluster (``PAPER_DASK``) all of its
        workers.

    A worker process that dies makes its job a failed one.
    """
    address = os.environ.get(DASK)
    if not (address or workers):
        yield from ((job, *task(job, store, False)) for job in jobs)
        return
    submit, death, at_once = _on_dask(address) if address else _in_processes(workers)
    waiting = iter(jobs)
    running: dict[Future, Any] = {}
    suspects = []

    def refilled() -> dict[Future, Any]:
        running.update((submit(task, job, store, True), job) for job in islice(waiting, at_once - len(running)))
        return running

    try:
        while refilled():
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                if isinstance(future.exception(), death):
                    suspects.append(job)
                else:
                    yield job, *future.result()
    finally:
        for future in running:  # whoever asked is gone
            future.cancel()
    for job in suspects:  # a job that ran beside a dying worker is blamed as well: a second try alone tells
        future = submit(task, job, store, True)
        yield (job, float("nan"), DIED) if isinstance(future.exception(), death) else (job, *future.result())


def _in_processes(workers: int) -> tuple[Callable[..., Future], type[Exception], int]:
    def submit(*call: Any) -> Future:
        # A worker that dies takes the whole executor with it.
        return get_reusable_executor(workers, timeout=300, env=_ONE_THREAD).submit(*call)

    return submit, TerminatedWorkerError, workers


def _on_dask(address: str) -> tuple[Callable[..., Future], type[Exception], int]:
    client = _dask_client(address)
    threads = client.nthreads().values()
    if max(threads, default=1) > 1:
        raise SettingsError("cluster workers need one thread each (dask worker --nthreads 1): seeds are global")
    from dask.distributed import KilledWorker

    return client.get_executor(pure=False).submit, KilledWorker, max(1, len(threads))


@cache
def _dask_client(address: str) -> Any:
    try:
        from dask.distributed import Client

        where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        return Client(**where, timeout=30)
    except (ImportError, OSError, ValueError) as error:
        raise SettingsError(f"{DASK}={address}: no scheduler answers there ({error!r})") from error
