"""What commands cost: a prediction cold and warm, a job of the runner, a smoke run, and the memory of notebooks."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lib.core import jobs, paths
from lib.core.store import Store
from lib.two_stage.model import PUBLISHED, TwoStageModel
from tests.unit.core import steps

NOTEBOOKS = sorted(path.stem for path in (paths.ROOT / "notebooks").glob("0*.py"))
# Runs a command and says how much memory its largest process took.
_MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
sys.exit(status)
"""


def _memory(command, **environment):
    """Run a command of this project; the peak memory of its largest process in GB."""
    words = [sys.executable, "-c", _MEASURED, sys.executable, *command]
    done = subprocess.run(words, cwd=paths.ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return round(float(done.stdout), 2)


@pytest.mark.benchmark(group="a prediction")
def test_predict_from_a_cold_start(benchmark):
    gigabytes = benchmark.pedantic(_memory, (["-m", "lib.predict", "--demo"],), rounds=3)
    benchmark.extra_info["peak memory / GB"] = gigabytes


@pytest.mark.benchmark(group="a prediction")
def test_predict_sixteen_more_images(benchmark):
    model, images = TwoStageModel.load(PUBLISHED), np.random.default_rng(0).random((16, 128, 128, 1), np.float32)
    benchmark.pedantic(model.predict, (images,), rounds=10, warmup_rounds=1)
    benchmark.extra_info["milliseconds an image"] = round(1000 * benchmark.stats["min"] / len(images))


def test_two_hundred_jobs_that_take_no_time(benchmark, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_COUNTS", str(tmp_path / "counts"))
    wanted = [steps.numbers(seed=seed) for seed in range(200)]
    benchmark.pedantic(jobs.run, (wanted, Store(tmp_path / "results")), rounds=1)
    benchmark.extra_info["milliseconds a job"] = round(1000 * benchmark.stats["min"] / len(wanted), 1)


def test_smoke_run(benchmark, tmp_path):
    command = [sys.executable, "-m", "lib.pipeline.driver", "smoke"]
    environment = {**os.environ, "PAPER_ARTIFACTS": str(tmp_path)}
    benchmark.pedantic(subprocess.run, (command,), {"check": True, "cwd": paths.ROOT, "env": environment}, rounds=1)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_memory_of_a_notebook(benchmark, tmp_path, notebook):
    """In the profile ``lite``, which reads real images and published results."""
    source, executed = f"notebooks/{notebook}.ipynb", str(tmp_path / "executed.ipynb")
    command = ["-m", "papermill", source, executed, "-p", "profile", "lite", "--cwd", "notebooks", "-k", "python3"]
    gigabytes = benchmark.pedantic(_memory, (command,), {"PAPER_FIGURES": str(tmp_path)}, rounds=1)
    benchmark.extra_info["peak memory / GB"] = gigabytes
