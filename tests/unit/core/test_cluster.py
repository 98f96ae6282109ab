import os
import signal

import numpy as np
import pytest

from lib.core import cluster, jobs, runtime
from lib.core.config import SettingsError
from lib.core.store import Store
from tests.unit.core.steps import diverging, killed, numbers, total

DEADLY = killed()
WANTED = [numbers(seed=1), DEADLY, diverging(), *(numbers(seed=seed) for seed in (2, 3, 4)), total(parts=[DEADLY])]


@pytest.fixture
def alone(tmp_path):
    """What the jobs that survive give in this process, one by one."""
    survivors = [job for job in WANTED if job != DEADLY and job.step.name != "total"]
    return jobs.run(survivors, Store(tmp_path / "alone"))


def _check(results, alone):
    by_job = {result.job: result for result in results}
    assert by_job[DEADLY].error == cluster.DIED
    assert cluster.DIED in results[-1].error
    for expected in alone:
        found = by_job[expected.job]
        assert found.error == expected.error
        if expected:
            assert np.array_equal(found["values"], expected["values"])


def test_a_worker_process_that_dies_spoils_its_job_only(store, alone):
    _check(jobs.run(WANTED, store, workers=2), alone)


def test_a_result_says_that_its_process_had_one_thread(store):
    beside, here = numbers(seed=1), numbers(seed=2)
    jobs.run([beside], store, workers=2)
    jobs.run([here], store)
    assert store.about(beside)["machine"] == f"{store.about(here)['machine']} · {runtime.ONE_THREAD}"


@pytest.fixture
def machines(monkeypatch):
    """A cluster of two worker processes, named by its address as a user names it."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as machines:
        monkeypatch.setenv(cluster.DASK, machines.scheduler_address)
        yield machines
        cluster._dask_client(machines.scheduler_address).close()


def test_the_same_on_a_dask_cluster(store, alone, machines):
    _check(jobs.run(WANTED, store), alone)


def test_five_workers_that_die_cost_no_job(tmp_path, machines):
    wanted = [numbers(seed=seed, n=5) for seed in range(200)]
    finished = []

    def kill_now_and_then(line):
        finished.append(line)
        if len(finished) in (20, 50, 80, 110, 140):
            worker = next(one for one in machines.workers.values() if one.process and one.process.process.pid)
            os.kill(worker.process.process.pid, signal.SIGKILL)

    results = jobs.run(wanted, Store(tmp_path / "cluster"), report=kill_now_and_then)
    assert not any(result.error for result in results)
    expected = [job.step.function(**job.arguments) for job in wanted]
    assert all(np.array_equal(one["values"], two["values"]) for one, two in zip(results, expected, strict=True))


def test_a_scheduler_that_is_not_there_is_named(store, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv(cluster.DASK, "tcp:/nowhere")
    with pytest.raises(SettingsError, match="PAPER_DASK=tcp:/nowhere: no scheduler answers there"):
        jobs.run(WANTED, store)
