"""Paper B's search: counting, its overhead, and the same twenty networks by KerasTuner.

The tuner is not among the dependencies: ``pip install keras-tuner``.
"""

import numpy as np
import pytest

from lib.core import jobs
from lib.core.store import Store
from lib.data.sources import SmallDigits
from lib.models import training
from lib.nas.child import Recipe, nas_child, network
from lib.nas.notation import parse
from lib.nas.search import Search, SearchSettings
from lib.nas.transforms import paper_space
from lib.reported import nas as reported

N_MODELS, KILLED = 20, 12
RECIPE = Recipe(epochs=1)
TRAIN, VALIDATION = np.arange(400), np.arange(400, 600)
TEXTS = [f"C({8 + n},3) P(2,2) IB(4,4,8,2,4,4) GAP() FC(10)" for n in range(N_MODELS)]


def _child(text):
    return nas_child(data=SmallDigits(), text=text, train=TRAIN, validation=VALIDATION, seed=0, settings=RECIPE)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_counts_of_all_printed_architectures(benchmark):
    work = [(parse(row.text), (row.height, row.width, row.channels)) for row in reported.NETWORKS.itertuples()]
    benchmark(lambda: [architecture.count_params(shape) for architecture, shape in work])
    benchmark.extra_info["counts a second"] = round(len(work) / benchmark.stats["median"])


def test_search_of_two_iterations_and_its_overhead(benchmark, tmp_path):
    store, settings = Store(tmp_path), SearchSettings(paper_space("IB"), (8, 8, 1), iterations=2)

    def search():
        return Search(settings, lambda one: _child(str(one.canonical)), lambda wave: jobs.run(wave, store))

    found = benchmark.pedantic(search, rounds=1)
    trained = sum(store.about(job)["seconds"] for job in found.jobs)
    benchmark.extra_info |= {"models": len(found.jobs), "share outside training": 1 - trained / benchmark.stats["min"]}


@pytest.mark.benchmark(group="twenty networks, one epoch each")
def test_twenty_networks_here(benchmark, tmp_path):
    benchmark.pedantic(jobs.run, ([_child(text) for text in TEXTS], Store(tmp_path)), rounds=1)


def test_twenty_networks_here_after_a_kill(benchmark, tmp_path, monkeypatch):
    """How many of the twenty are trained again when the twelfth is killed."""
    store, trained = Store(tmp_path), []

    def counted(*arguments, fit=training.fit, **options):
        trained.append(1)
        if len(trained) == KILLED:
            raise Killed
        return fit(*arguments, **options)

    monkeypatch.setattr(training, "fit", counted)
    with pytest.raises(Killed):
        jobs.run([_child(text) for text in TEXTS], store)
    benchmark.pedantic(jobs.run, ([_child(text) for text in TEXTS], store), rounds=1)
    benchmark.extra_info["trainings in all"] = len(trained)


def _tuner(folder, build):
    tuner = pytest.importorskip("keras_tuner", reason="pip install keras-tuner")
    options = {"max_trials": N_MODELS, "seed": 0, "overwrite": False, "directory": folder}
    return tuner.RandomSearch(lambda choice: build(choice.Choice("text", TEXTS)), "val_accuracy", **options)


def _tune(tuner):
    data = SmallDigits().open()
    beside = data.images[VALIDATION], data.labels[VALIDATION]
    tuner.search(data.images[TRAIN], data.labels[TRAIN], validation_data=beside, epochs=1, batch_size=64, verbose=0)


@pytest.mark.benchmark(group="twenty networks, one epoch each")
def test_twenty_networks_by_keras_tuner(benchmark, tmp_path):
    training._kept.clear()
    tuner = _tuner(tmp_path, lambda text: network(text, (8, 8, 1), RECIPE, 0, 0))
    benchmark.pedantic(_tune, (tuner,), rounds=1)


def test_twenty_networks_by_keras_tuner_after_a_kill(benchmark, tmp_path):
    built = []

    def build(text):
        built.append(text)
        if len(built) == KILLED + 1:  # the tuner builds one network before its first trial
            raise Killed
        return network(text, (8, 8, 1), RECIPE, 0, 0)

    with pytest.raises(Killed):
        _tune(_tuner(tmp_path, build))
    benchmark.pedantic(_tune, (_tuner(tmp_path, build),), rounds=1)
    benchmark.extra_info["networks built in all"] = len(built)
