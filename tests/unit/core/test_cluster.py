import numpy as np
import pytest

from lib.core import cluster, jobs
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


def test_the_same_on_a_dask_cluster(store, alone):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as machines,
        distributed.Client(machines),
    ):
        _check(jobs.run(WANTED, store), alone)
