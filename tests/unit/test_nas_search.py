import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from lib.core import paths
from lib.data import digits, splits
from lib.data.record import DataError
from lib.nas import selection, workers
from lib.nas.journal import Journal, JournalError
from lib.nas.notation import parse
from lib.nas.search import search
from lib.nas.settings import Budget, BudgetError, Result, Settings
from lib.nas.training import Data, Recipe
from lib.nas.transforms import NAMES, child, paper_space

INITIAL = "C(3,3) P(1,1) IB(2,2,3,2,2,2) P(1,1) F() FC(10)"
SPACE = replace(paper_space("IB", 10), initial=INITIAL, filters=3, widths=(2, 2, 3, 2, 2, 2), widen_by=2)
SETTINGS = Settings(SPACE, Recipe(epochs=1), seed=1, iterations=2)
# Without a block in the initial model: most of a short training is TensorFlow's preparation of each layer.
LIGHT = replace(SETTINGS, space=replace(SPACE, initial="C(3,3) P(1,1) F() FC(10)"), iterations=1)
DIFFERS = ["seconds", "began"]


def small_data(train: int = 120, validation: int = 80) -> Data:
    images = digits.small()
    first, second = splits.sample(images.labels, (train, validation), 0)
    return Data(images.images[first], images.labels[first], images.images[second], images.labels[second], 10)


def answer(job: workers.Job, **changes) -> dict:
    """What a training would say: an accuracy that depends on the architecture only."""
    accuracy = int(job.hash, 16) % 1000 / 1000
    told = {"hash": job.hash, "status": "ok", "error": "", "inherited": "", "began": 0.0, "seconds": 1.0}
    return told | {"accuracy": accuracy, "loss": 1 - accuracy, "epochs": 1} | changes


def quick(job: workers.Job, data: Data) -> dict:
    return answer(job)


def ever_better(job: workers.Job, data: Data) -> dict:
    return answer(job, accuracy=min(0.999, len(job.text) / 1000))


def ever_worse(job: workers.Job, data: Data) -> dict:
    return answer(job, accuracy=1 / sum(map(int, re.findall(r"\d+", job.text))))  # every transformation adds


def fails_on_wide(job: workers.Job, data: Data) -> dict:
    return answer(job, **workers.failure("MemoryError: too wide")) if "C(5,3)" in job.text else answer(job)


def dies_on_wide(job: workers.Job, data: Data) -> dict:
    if "C(5,3)" in job.text:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(job)


def same(first: pd.DataFrame, second: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(first.drop(columns=DIFFERS), second.drop(columns=DIFFERS))


def test_four_children_then_eight_and_none_twice(tmp_path):
    result = search(small_data(), SETTINGS, tmp_path, trainer=ever_better)
    assert result.frame.groupby("iteration").size().tolist() == [1, 4, 8]
    assert result.frame.hash.is_unique
    assert result.frame.name.tolist()[:6] == ["0-0", "1-0", "1-1", "1-2", "1-3", "2-0"]
    assert result.stopped == "all 2 iterations done"
    parents = result.frame[result.frame.iteration == 2].parent.unique()
    kept = result.frame[(result.frame.iteration == 1) & result.frame.parent_of_next]
    assert set(parents) == set(kept.name)
    first = result.frame[result.frame.iteration == 1]
    assert first.accuracy.idxmax() in kept.index
    assert first.parameters.idxmin() in kept.index or first.parameters.idxmin() == first.accuracy.idxmax()


def test_it_stops_when_the_best_declines(tmp_path):
    result = search(small_data(), replace(SETTINGS, iterations=9), tmp_path, trainer=ever_worse)
    assert "worse than the best of iteration 1" in result.stopped
    assert result.frame.iteration.max() == 2
    assert result.best == result.frame.hash[0]


def test_each_kind_of_budget_ends_it_and_a_larger_one_goes_on(tmp_path):
    data = small_data()
    whole = search(data, SETTINGS, tmp_path / "whole", trainer=quick)
    part = search(data, SETTINGS, tmp_path / "part", Budget(models=3), trainer=quick)
    assert (len(part.frame), part.stopped) == (3, "the budget of 3 models is used up")
    part = search(data, SETTINGS, tmp_path / "part", Budget(seconds=7), trainer=quick)
    assert (len(part.frame), part.trained) == (7, 4)
    assert "seconds" in part.stopped
    part = search(data, SETTINGS, tmp_path / "part", trainer=quick)
    assert part.stopped == whole.stopped
    same(part.frame, whole.frame)
    slim = search(data, replace(SETTINGS, max_parameters=3500), tmp_path / "slim", trainer=quick)
    assert slim.frame.parameters.max() <= 3500


def test_a_budget_that_allows_no_model_is_refused(tmp_path):
    for settings, budget in (
        (SETTINGS, Budget(models=0)),
        (SETTINGS, Budget(seconds=0)),
        (replace(SETTINGS, max_parameters=10), Budget()),
    ):
        with pytest.raises(BudgetError, match="allow"):
            search(small_data(), settings, tmp_path, budget, trainer=quick)
    with pytest.raises(BudgetError, match="random search needs"):
        search(small_data(), replace(SETTINGS, strategy="random"), tmp_path, trainer=quick)


def test_random_search_trains_as_many_new_models(tmp_path):
    settings = replace(SETTINGS, strategy="random")
    result = search(small_data(), settings, tmp_path, Budget(models=8), trainer=quick)
    assert result.frame.hash.is_unique
    assert len(result.frame) == 8 - len(result.notes)
    assert not result.frame.parent_of_next.any()
    other = search(small_data(), replace(settings, seed=2), tmp_path / "2", Budget(models=8), trainer=quick)
    assert set(other.frame.hash) != set(result.frame.hash)


def test_a_failing_child_is_recorded_and_skipped(tmp_path):
    result = search(small_data(), SETTINGS, tmp_path, trainer=fails_on_wide)
    failed = result.frame[result.frame.status == "failed"]
    assert len(failed)
    assert set(failed.error) == {"MemoryError: too wide"}
    assert not failed.pareto.any()
    assert not failed.parent_of_next.any()
    again = search(small_data(), SETTINGS, tmp_path, trainer=quick)
    assert again.trained == 0


def _widens_first(seed: int) -> bool:
    parent = parse(INITIAL)
    grown = child(parent, "widen", SPACE, [seed, 1, int(parent.hash, 16), NAMES.index("widen")], (8, 8, 1), set())
    return "C(5,3)" in str(grown)


WIDENS_FIRST = replace(SETTINGS, iterations=1, seed=next(seed for seed in range(99) if _widens_first(seed)))


def _check_one_dies(result: Result) -> None:
    assert len(result.frame) == 5
    failed = result.frame[result.frame.status == "failed"]
    assert failed.transformation.tolist() == ["widen"]
    assert "process died" in failed.error.item()


def test_a_child_that_kills_its_process_is_recorded_and_skipped(tmp_path):
    _check_one_dies(search(small_data(), WIDENS_FIRST, tmp_path, n_jobs=2, trainer=dies_on_wide))


def test_a_loss_that_is_no_number_is_a_failure_with_its_reason(tmp_path):
    data = small_data()
    data.train_images[0] = np.nan
    with pytest.raises(RuntimeError, match=r"no child could be trained; TrainingError: .* not (a number|numbers)"):
        search(data, replace(SETTINGS, iterations=1), tmp_path, Budget(models=1))


@pytest.fixture(scope="module")
def in_processes(tmp_path_factory) -> Result:
    """A small search with real trainings in two worker processes."""
    return search(small_data(), LIGHT, tmp_path_factory.mktemp("processes"), Budget(models=3), n_jobs=2)


def test_the_number_of_processes_does_not_matter(tmp_path, in_processes):
    one = search(small_data(), LIGHT, tmp_path, Budget(models=3), n_jobs=1)
    assert one.trained == in_processes.trained == 3
    equal(one, in_processes)


@pytest.fixture(scope="module")
def cluster():
    """A dask cluster of two processes, which gives a child up when one worker has died of it."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("dask.distributed")
    form = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0", "memory_limit": 0}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(**form) as local,
        distributed.Client(local) as client,
    ):
        yield client


def test_a_cluster_gives_what_processes_give(tmp_path, in_processes, cluster):
    with joblib.parallel_config(backend="dask"):
        result = search(small_data(), LIGHT, tmp_path, Budget(models=3), n_jobs=2)
    assert cluster.run(lambda: "keras" in sys.modules), "the cluster has trained"
    assert result.trained == 3
    equal(result, in_processes)


def test_a_child_that_kills_a_worker_of_the_cluster_is_recorded_and_skipped(tmp_path, cluster):
    with joblib.parallel_config(backend="dask"):
        _check_one_dies(search(small_data(), WIDENS_FIRST, tmp_path, n_jobs=2, trainer=dies_on_wide))


def test_a_cluster_journals_each_child_at_once(tmp_path, cluster):
    def answers():
        with joblib.parallel_config(backend="dask"):
            yield from workers.run(jobs(), small_data(), 1, quick)

    taken = []

    def jobs():
        for number in range(6):
            taken.append(number)
            yield workers.Job(f"{number}", INITIAL, 0, Recipe(), tmp_path / "w")

    first = next(answers())
    assert first["status"] == "ok"
    assert len(taken) <= 2, "no more than there are workers"


def test_cluster_workers_with_several_threads_are_refused(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    form = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**form) as local,
        distributed.Client(local),
        joblib.parallel_config(backend="dask"),
        pytest.raises(ValueError, match="one thread each"),
    ):
        search(small_data(), SETTINGS, tmp_path, Budget(models=2), n_jobs=2, trainer=quick)


def equal(first: Result, second: Result) -> None:
    """Texts, scores and weights to the last bit."""
    same(first.frame, second.frame)
    for one, other in zip(first.weights(), second.weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_children_inherit_when_asked(tmp_path):
    space = replace(SPACE, preserving=True)
    settings = replace(SETTINGS, space=space, iterations=1, inherit=True, recipe=Recipe(epochs=1, learning_rate=1e-9))
    result = search(small_data(), settings, tmp_path, Budget(models=3))
    assert result.frame.inherited.tolist() == ["", "exact", "exact"]
    # Nothing is learnt at this rate: exact children score as their parent.
    assert (result.frame.accuracy == result.frame.accuracy[0]).all()


SCRIPT = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, sys.argv[2])
import lib
from lib.core import runtime
from test_nas_search import SETTINGS, small_data
from lib.nas.search import search
from lib.nas.settings import Budget
runtime.use_deterministic_operations()
print(search(small_data(), SETTINGS, sys.argv[1], Budget(models=5)).trained)
"""


def test_a_killed_search_resumes_to_the_same_result(tmp_path):
    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / name), str(Path(__file__).parent)]
        return subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)

    def records(name: str) -> list[dict]:
        file = tmp_path / name / "journal.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()[1:]] if file.exists() else []

    uninterrupted, killed = start("whole"), start("killed")
    until = time.time() + 200
    while len(records("killed")) < 2 and time.time() < until:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    survived = records("killed")
    assert 2 <= len(survived) < 5
    resumed = start("killed")
    assert int(resumed.communicate()[0]) == 5 - len(survived)
    assert int(uninterrupted.communicate()[0]) == 5
    finished = records("killed")
    assert finished[: len(survived)] == survived  # nothing was trained again
    plain = [{key: value for key, value in record.items() if key not in DIFFERS} for record in finished]
    assert plain == [{key: value for key, value in r.items() if key not in DIFFERS} for r in records("whole")]
    stored = [
        {path.name: path.stat().st_size for path in (tmp_path / n / "weights").iterdir()} for n in ("whole", "killed")
    ]
    assert stored[0] == stored[1]


def test_a_journal_cut_in_a_line_loses_that_line_and_says_so(tmp_path):
    data = small_data()
    whole = search(data, SETTINGS, tmp_path, trainer=quick)
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="dropped a line"):
        again = search(data, SETTINGS, tmp_path, trainer=quick)
    assert again.trained == 1
    assert "cut off" in again.notes[0]
    same(whole.frame, again.frame)


def test_another_searchs_journal_is_refused_and_left_alone(tmp_path):
    data = small_data()
    search(data, SETTINGS, tmp_path, Budget(models=2), trainer=quick)
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(JournalError, match=r"another search.*seed: 1 there, 2 here"):
        search(data, replace(SETTINGS, seed=2), tmp_path, trainer=quick)
    with pytest.raises(JournalError, match="data: "):
        search(small_data(100), SETTINGS, tmp_path, trainer=quick)
    with pytest.raises(JournalError, match=r"recipe\.epochs: 1 there, 3 here"):
        search(data, replace(SETTINGS, recipe=Recipe(epochs=3)), tmp_path, trainer=quick)
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_damaged_and_foreign_files_are_refused(tmp_path):
    file = tmp_path / "journal.jsonl"
    for content, says in ((b"hello\n", "line 1: damaged"), (b'{"a": 1}\n', "no journal of a search")):
        file.write_bytes(content)
        with pytest.raises(JournalError, match=says):
            search(small_data(), SETTINGS, tmp_path, trainer=quick)
        assert file.read_bytes() == content


def test_a_journal_in_use_is_refused(tmp_path):
    with (
        Journal(tmp_path / "journal.jsonl", {"a": 1}),
        pytest.raises(JournalError, match="in use"),
        Journal(tmp_path / "journal.jsonl", {"a": 1}),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train_labels": np.zeros(120, int)}, "one class only"),
        ({"classes": 1, "train_labels": np.zeros(120, int), "validation_labels": np.zeros(80, int)}, "one class only"),
        ({"train_labels": np.arange(120) % 9}, "class 9 is empty"),
        ({"train_images": np.array([np.zeros((8, 8, 1)), np.zeros((9, 8, 1))], dtype=object)}, "mixed sizes"),
        ({"validation_images": np.zeros((80, 9, 9, 1), np.float32)}, "mixed sizes"),
        ({"validation_images": np.zeros((0, 8, 8, 1)), "validation_labels": np.zeros(0, int)}, "0 validation images"),
        ({"train_labels": np.arange(120) % 11}, "labels reach"),
    ],
)
def test_data_that_cannot_be_learnt_from_are_refused(change, says, tmp_path):
    with pytest.raises(DataError, match=says):
        search(replace(small_data(), **change), SETTINGS, tmp_path, trainer=quick)
    assert not (tmp_path / "journal.jsonl").exists()


def test_pareto_front_has_no_model_that_another_beats():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"parameters": generator.integers(1, 30, 200), "accuracy": generator.integers(0, 50, 200) / 50}
    )
    frame.loc[3, "accuracy"] = np.nan
    front = selection.pareto(frame)
    for row, on_front in zip(frame.itertuples(), front, strict=True):
        less = (frame.parameters <= row.parameters) & (frame.accuracy >= row.accuracy)
        better = less & ((frame.parameters < row.parameters) | (frame.accuracy > row.accuracy))
        assert on_front == (not better.any() and not np.isnan(row.accuracy))
