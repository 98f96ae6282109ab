import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.core import jobs
from lib.core.jobs import NOT_DONE, Result
from lib.core.store import Store
from lib.nas.notation import parse
from lib.nas.search import Search, SearchSettings, best, pareto
from lib.nas.transforms import improved_space, paper_space

SETTINGS = SearchSettings(paper_space("IB"), (28, 28, 1), seed=1)
IMPROVED = replace(SETTINGS, space=improved_space())
RAN = []


@jobs.step("stub_child", version=1)
def stub_child(text, seed):
    """What a training would say: an accuracy that depends on the architecture only."""
    RAN.append(text)
    accuracy = int(parse(text).hash, 16) % 1000 / 1000
    return {"accuracy": accuracy, "cross_entropy": 1 - accuracy, "epochs": 1}


def make_job(architecture):
    return stub_child(text=str(architecture.canonical), seed=0)


def answering(accuracy=None, error=None):
    """Results without a store, wave by wave in ``waves``; ``error`` says for a text why it has none."""

    def results(wave):
        results.waves.append(wave)
        return [answer(job) for job in wave]

    def answer(job):
        text = job.arguments["text"]
        if why := error and error(text):
            return Result(job, {}, why)
        reached = accuracy(text) if accuracy else int(parse(text).hash, 16) % 1000 / 1000
        return Result(job, {"accuracy": reached, "cross_entropy": 1 - reached, "epochs": 1})

    results.waves = []
    return results


def ever_better(text):
    return min(0.999, len(text) / 1000)


def ever_worse(text):
    return 1 / sum(map(int, re.findall(r"\d+", text)))  # every transformation adds


def test_a_whole_budget_is_one_four_eight_eight():
    results = answering(ever_better)
    found = Search(SETTINGS, make_job, results)
    assert [len(wave) for wave in results.waves] == [1, 4, 8, 8]
    assert found.frame.groupby("iteration").size().tolist() == [1, 4, 8, 8]
    assert (found.complete, found.stop_rule) == (True, "")
    assert found.frame.name.tolist()[:6] == ["0-0", "1-0", "1-1", "1-2", "1-3", "2-0"]
    assert [job.arguments["text"] for job in found.jobs] == [str(parse(text).canonical) for text in found.frame.text]


@pytest.mark.parametrize("settings", [SETTINGS, IMPROVED, replace(IMPROVED, strategy="random", iterations=6)])
@pytest.mark.parametrize("seed", range(5))
def test_the_budget_is_spent_on_models_of_different_structure(settings, seed):
    found = Search(replace(settings, seed=seed), make_job, answering())
    assert len(found.frame) == 21
    assert found.frame.hash.is_unique
    assert len(set(found.jobs)) == 21


def test_the_best_and_the_smallest_have_four_children_each():
    frame = Search(SETTINGS, make_job, answering(ever_better)).frame
    first = frame[frame.iteration == 1]
    parents = frame[frame.iteration == 2].parent.value_counts()
    assert parents.tolist() == [4, 4]
    assert set(parents.index) == set(first.name[first.selected])
    assert first.selected[first.accuracy.idxmax()]
    others = first.drop(first.accuracy.idxmax())
    assert first.selected[others.parameters.idxmin()]


def test_a_decline_of_the_best_is_noted_and_the_budget_spent_all_the_same():
    found = Search(SETTINGS, make_job, answering(ever_worse))
    assert found.stop_rule == "the best of iteration 2 is worse than that of iteration 1"
    assert len(found.frame) == 21
    assert best(found.frame).hash == found.frame.hash[0]


def test_a_budget_cuts_an_iteration_and_a_larger_one_begins_alike():
    whole = Search(SETTINGS, make_job, answering(ever_better)).frame
    part = Search(replace(SETTINGS, models=9), make_job, answering(ever_better))
    assert part.complete
    columns = ["name", "text", "accuracy", "parent", "transformation"]
    pd.testing.assert_frame_equal(part.frame[columns], whole[columns].head(9))


def test_equal_settings_plan_equally_and_seeds_differ():
    for settings in (SETTINGS, replace(SETTINGS, strategy="random")):
        first, again = (Search(settings, make_job, answering()).frame for _ in range(2))
        pd.testing.assert_frame_equal(first, again)
        other = Search(replace(settings, seed=2), make_job, answering()).frame
        assert set(other.hash) != set(first.hash)


def test_a_random_search_is_one_wave_of_chains():
    results = answering()
    found = Search(replace(SETTINGS, strategy="random", models=8), make_job, results)
    assert [len(wave) for wave in results.waves] == [8]
    assert not found.frame.selected.any()
    assert found.frame.iteration.between(0, SETTINGS.iterations).all()


def test_a_failed_child_is_recorded_and_passed_over():
    wide = lambda text: "JobError: the loss is not a number any more" if "C(96,3)" in text else ""  # noqa: E731
    found = Search(replace(SETTINGS, seed=3), make_job, answering(error=wide))
    failed = found.frame[found.frame.status == "failed"]
    assert len(failed)
    assert failed.error.str.contains("not a number").all()
    assert failed.accuracy.isna().all()
    assert not (failed.pareto | failed.selected).any()
    assert found.complete
    assert best(Search(SETTINGS, make_job, answering(error=lambda text: "MemoryError")).frame) is None


def test_missing_results_end_the_search_for_now():
    missing = lambda text: NOT_DONE if text.count("IB") > 1 else ""  # noqa: E731
    found = Search(SETTINGS, make_job, answering(error=missing))
    assert not found.complete
    assert found.frame.iteration.max() == 1
    assert len(found.frame) == 4  # add_block's child is missing
    nothing = Search(SETTINGS, make_job, answering(error=lambda text: NOT_DONE))
    assert len(nothing.frame) == 0


def test_a_killed_search_goes_on_from_the_store(tmp_path):
    store = Store(tmp_path)

    def interrupted(wave):
        if len(wave) == 8:
            jobs.run(wave[:3], store)
            raise KeyboardInterrupt
        return jobs.run(wave, store)

    RAN.clear()
    with pytest.raises(KeyboardInterrupt):
        Search(SETTINGS, make_job, interrupted)
    assert len(RAN) == 1 + 4 + 3
    found = Search(SETTINGS, make_job, lambda wave: jobs.run(wave, store))
    assert len(RAN) == len(set(RAN)) == 21
    undisturbed = Search(SETTINGS, make_job, answering())
    pd.testing.assert_frame_equal(found.frame, undisturbed.frame)


def test_no_model_beats_one_on_the_pareto_front():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"parameters": generator.integers(1, 30, 200), "accuracy": generator.integers(0, 50, 200) / 50}
    )
    frame.loc[3, "accuracy"] = np.nan
    for row, on_front in zip(frame.itertuples(), pareto(frame), strict=True):
        less = (frame.parameters <= row.parameters) & (frame.accuracy >= row.accuracy)
        better = less & ((frame.parameters < row.parameters) | (frame.accuracy > row.accuracy))
        assert on_front == (not better.any() and not np.isnan(row.accuracy))
