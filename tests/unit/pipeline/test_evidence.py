import os
import signal
import subprocess
import sys
import textwrap
import time
from unittest.mock import Mock

import pytest
from joblib.externals.loky import get_reusable_executor

from lib.core import cluster, config, jobs, paths
from lib.core.store import Store
from lib.pipeline import evidence
from tests.unit.core.steps import broken, counted, diverging, network, numbers, scored, total


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_COUNTS", str(tmp_path / "counts"))
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test would count into its file
    return Store(tmp_path / "working", tmp_path / "published", publish=True)


@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_until_the_plan_is_complete_and_names_failures(store, workers):
    bad = broken()
    plan = {
        "one": lambda: [total(parts=[numbers(seed=1)]), diverging(), total(parts=[bad])],
        "two": lambda: [numbers(seed=2)],
    }
    said = []
    failed = evidence.work(plan, store, time.time() + 60, workers, said.append)
    assert all(store.holds(job) for job in (numbers(seed=1), numbers(seed=2), diverging()))
    assert failed[plan["one"]()[2]]
    assert any("MemoryError: no more of it" in reason for reason in failed.values())
    assert said[0].startswith("one: 0 of 3 done; the whole plan still takes")
    evidence.work(plan, store, time.time() + 60, workers, said.append)
    assert counted("diverging") == 1, "a failed training is its result"


def test_a_plan_that_depends_on_results_is_asked_again(store):
    def next_trial():
        done = [network(seed=seed) for seed in range(3)]
        n = sum(store.holds(job) for job in done)
        return done[: n + 1]

    evidence.work({"loop": next_trial}, store, time.time() + 60, 0, lambda line: None)
    assert counted("network") == 3


def test_a_cluster_gets_all_jobs_of_a_module_at_once(store, monkeypatch):
    monkeypatch.setenv(cluster.DASK, "tcp://scheduler:8786")
    monkeypatch.setattr(cluster, "_on_dask", lambda address: cluster._in_processes(2))
    at_once, run = [], jobs.run
    monkeypatch.setattr(
        jobs, "run", lambda wave, *rest, **options: at_once.append(len(wave)) or run(wave, *rest, **options)
    )
    evidence.work({"one": lambda: [network(seed=seed) for seed in range(3)]}, store, time.time() + 60, 0, print)
    assert at_once == [3]


def test_it_stops_before_a_job_that_would_end_too_late(store, monkeypatch):
    said = []
    plan = {"one": lambda: [network(seed=seed) for seed in range(3)]}
    monkeypatch.setattr(evidence.Clock, "expected", lambda self, job: 40.0 if job == plan["one"]()[1] else 1.0)
    evidence.work(plan, store, time.time() + 20, 0, said.append)
    assert [store.holds(job) for job in plan["one"]()] == [True, False, False]
    assert said[-1] == f"time is up before network {plan['one']()[1].key} · seed 1; still to do: 2 jobs, about 1 min"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_work_not_one_job(tmp_path, number, status):
    code = f"""
        import sys, time
        from lib.core import config, jobs, store
        from lib.pipeline import driver, evidence
        from tests.unit.core import steps
        evidence.plan = lambda profile, seed: {{"slow": lambda: [steps.slow(seed=seed) for seed in range(3)]}}
        store.PUBLISHED = __import__("pathlib").Path({str(tmp_path / "results")!r})
        sys.exit(driver.main(["evidence", "--hours", "1"]))
    """
    environment = {
        **os.environ,
        "PAPER_ARTIFACTS": str(tmp_path),
        "PAPER_DATA": str(tmp_path),
        "PYTHONPATH": str(paths.ROOT),
    }
    words = [sys.executable, "-c", textwrap.dedent(code)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while not process.stdout.readline().startswith("sleeping"):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == status
    assert said.splitlines()[-1] == "stopped; call ./run_all.sh evidence --hours 1 again to go on"


def test_weights_that_another_machine_kept_are_trained_again(store):
    job = scored(trained=network(seed=2))
    jobs.run([network(seed=2)], store)
    store.file(network(seed=2)).unlink()
    assert not evidence.work({"one": lambda: [job]}, store, time.time() + 60, 0, lambda line: None)
    assert store.holds(job)


def test_the_clock_tells_kinds_of_a_step_apart(store):
    short, long = numbers(seed=1), numbers(seed=1, settings=numbers.function.__defaults__[1].__class__(rate=3))
    for job, seconds in ((short, 10.0), (long, 3000.0)):
        store.keep(job, {"a": 1}, {"seconds": seconds})
    clock = evidence.Clock(store)
    assert clock.expected(numbers(seed=5)) == 10
    assert clock.sum([long, short, network(seed=1)]) == "3 jobs, about 50 min and 1 of unknown length"


def test_a_damaged_working_file_stops_no_plan(store):
    jobs.run([network(seed=1)], store)
    store.file(network(seed=1)).write_bytes(b"cut")
    assert not evidence.work({"one": lambda: [numbers(seed=1)]}, store, time.time() + 60, 0, lambda line: None)
    assert store.holds(numbers(seed=1))


@pytest.mark.parametrize(("words", "jobs_at_a_time"), [([], "8"), (["--jobs", "2"], "2")])
def test_jobs_at_a_time_are_those_of_the_environment_unless_named(monkeypatch, words, jobs_at_a_time):
    seen = []
    monkeypatch.setenv(config.JOBS, "8")
    monkeypatch.setattr(evidence.busi, "record", lambda: None)
    monkeypatch.setattr(evidence.raw, "record", lambda *names: None)
    monkeypatch.setattr(evidence.runtime, "show_progress", lambda: None)
    monkeypatch.setattr(evidence, "plan", lambda profile, seed: {})
    monkeypatch.setattr(evidence, "work", lambda *given: seen.append(given[3]) or {})
    monkeypatch.setenv(evidence.runtime.LOG, "")
    assert evidence.main(["--hours", "1", *words]) == 0
    assert seen == [int(jobs_at_a_time)]


def test_the_plan_is_that_of_the_protocol():
    plan = evidence.plan(config.get("smoke"), 0)
    assert next(iter(plan)) == "lib.experiments.input_ablation"
    everything = [job for ask in plan.values() for job in ask()]
    assert {job.step.name for job in everything} >= {"segmenter", "heads"}


@pytest.mark.parametrize("again", [True, False])
def test_features_are_dropped_unless_the_next_trial_reads_them(tmp_path, again):
    features, done, trial = Mock(), Mock(), Mock()
    features.step.name, features.arguments, features.inputs.return_value = "features", {"masks": []}, []
    for one in (done, trial):
        one.step.name, one.inputs.return_value = "heads", [(features, ())]
    file = tmp_path / "features.npz"
    file.touch()
    kept = Mock(file=lambda _: file, holds=lambda job, *_: job is not trial)
    evidence._drop_features([done], kept, [], lambda: [done, trial] if again else [done])
    assert file.exists() == again
