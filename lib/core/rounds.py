"""Independent repetitions as jobs: one JSON file a finished job, so a broken run goes on where it stopped.

The jobs go through joblib: ``joblib.parallel_config(backend="dask")`` around a call sends them to a
cluster whose machines share the folder, with the same results.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from lib.core import artifacts, runtime


def run(
    task: Callable[..., dict],
    jobs: Sequence[Mapping[str, Any]],
    common: Mapping[str, Any],
    key: Mapping[str, Any],
    folder: Path,
    n_jobs: int = 0,
    code: tuple[str, ...] = (),
) -> pd.DataFrame:
    """``task(**common, **job)`` for every job, each at most once.

    Parameters
    ----------
    task : module-level function; returns a dict that JSON can hold.
    jobs : plain arguments (numbers, texts, settings) in which the jobs differ.
    common : arguments that all share, data included; they enter the file names through ``key`` alone.
    key : what stands for ``common`` (digests, settings); must hold ``"step"``, which names the files.
    folder : where finished jobs lie, one ``<step>-<digest>.json`` each.
    n_jobs : 0 runs all in this process (one GPU), else in so many processes of one thread.
    code : names of lib modules whose code the results depend on (see :func:`lib.core.artifacts.cached`).

    Returns
    -------
    One row a job, in the order of ``jobs``: its arguments, what the task returned, ``seconds`` that it
    took when it ran, and ``error``: empty, or why there is no result.  A job that raises spoils no
    other; it is not kept, and so tried again by the next call.
    """
    state = {**key, "code": artifacts.source_digest(*code)}
    files = [Path(folder) / f"{key['step']}-{artifacts.digest({**state, 'job': dict(job)})}.json" for job in jobs]
    calls = [
        joblib.delayed(_one)(task, job, common, state, file, n_jobs > 0) for job, file in zip(jobs, files, strict=True)
    ]
    if n_jobs:
        rows = joblib.Parallel(n_jobs=n_jobs, batch_size=1, max_nbytes="1M")(calls)
    else:
        rows = [function(*arguments, **named) for function, arguments, named in calls]
    return pd.DataFrame(rows)


def _one(task: Callable, job: Mapping, common: Mapping, state: Mapping, file: Path, alone: bool) -> dict:
    if file.exists():
        return {**job, **artifacts.read_json(file)["answer"], "error": ""}
    if alone:
        runtime.prepare_worker()
    began = time.perf_counter()
    try:
        answer = task(**common, **job)
    except Exception as error:  # whatever is wrong with one job, the others go on
        first_line = next(iter(str(error).splitlines()), "")
        return {**job, "seconds": time.perf_counter() - began, "error": f"{type(error).__name__}: {first_line}"}
    answer = {**answer, "seconds": time.perf_counter() - began}
    try:
        artifacts.write_json(file, {**state, "job": dict(job), "answer": answer})
    except OSError as error:
        return {**job, **answer, "error": f"not kept: {error}"}
    return {**job, **answer, "error": ""}
