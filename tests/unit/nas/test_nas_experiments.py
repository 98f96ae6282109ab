from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.core import config, jobs
from lib.core.jobs import NOT_DONE, Job, Result
from lib.nas import experiments, tables
from lib.nas.notation import parse
from lib.nas.search import best
from lib.reported import nas as reported

LITE, SMOKE = config.get("lite"), config.get("smoke")
LABELS = np.repeat([0, 1, 2], [40, 12, 8])
KNOWN = Result(None, {"labels": LABELS, "groups": np.arange(60) // 2, "classes": list("abc")})


def not_done(wave):
    return [Result(job, {}, NOT_DONE) for job in wave]


def done(wave):
    """Every network answers the right class, with a validation accuracy of its own."""
    return [Result(job, _values(job)) for job in wave]


def together(planned, answer):
    return dict(zip(planned, answer(planned.values()), strict=True))


def _values(job: Job) -> dict:
    accuracy = int(parse(job.arguments["text"]).hash, 16) % 1000 / 1000
    values = {"accuracy": accuracy, "cross_entropy": 1 - accuracy, "epochs": 1}
    if "test" in job.arguments:
        labels = np.arange(len(job.arguments["test"])) % 10
        values |= {"labels": labels, "probabilities": np.eye(10)[labels], "test_cross_entropy": 0.0}
    return values


def test_the_plan_begins_with_what_is_worth_most():
    names = list(experiments.printed_jobs(LITE))
    assert names[:2] == ["M", "MNIST BbNAS"]
    assert names[-1] == "MNIST SE-BbNAS"
    first = next(iter(experiments.printed_jobs(SMOKE).values())).arguments
    assert (len(first["train"]), len(first["validation"]), len(first["test"])) == (400, 200, 300)


def test_the_plan_grows_with_the_results_pair_by_pair(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    profile = config.get("smoke", search_seeds=2, search_models=7, search_iterations=2)
    store, pairs = config.store_of(profile), []
    exploratory = [experiments.unpenalised_jobs(profile), experiments.unpenalised_mammogram_jobs(profile)]
    free = {job for one in exploratory for job in one.values()}
    assert free <= set(experiments.planned(profile))
    while todo := [job for job in experiments.planned(profile) if not (job in free or store.holds(job))]:
        pairs.append([job.arguments["seed"] for job in todo])
        store.keep(todo[0], _values(todo[0]), {})
    assert set(pairs[0]) == {0, 1}  # with many processes no pair waits for another
    assert [seeds[0] for seeds in pairs] == [*sorted(seeds[0] for seeds in pairs[:-1]), 0]  # the small network
    searches = experiments.run_searches(profile, lambda wave: jobs.run(wave, store, train=False))
    assert all(one.complete for one in searches.found.values())
    assert len(searches.winners) == 4
    assert searches.small


def test_mammogram_folds_keep_patients_together_and_test_each_film_once():
    folds = experiments.mammogram_jobs(SMOKE)
    groups = experiments.mammogram_labels(SMOKE)["groups"]
    for kind in experiments.BLOCKS:
        parts = [folds[kind, 0, fold].arguments for fold in range(SMOKE.n_folds)]
        assert sorted(np.concatenate([part["test"] for part in parts]).tolist()) == list(range(len(groups)))
        for part in parts:
            sides = [set(groups[part[name]]) for name in ("train", "validation", "test")]
            assert sum(map(len, sides)) == len(set.union(*sides))


def test_both_searches_of_a_pair_see_the_same_images_and_winners_more():
    searches = experiments.run_searches(LITE, done)
    for number in range(LITE.search_seeds):
        search, random = (searches.found[name, number] for name in experiments.STRATEGIES)
        assert len(search.jobs) == len(random.jobs) == 21
        one, other = (found.jobs[-1].arguments for found in (search, random))
        winner = searches.winners["BbNAS", number].job.arguments
        for part, size in (("train", 54_000), ("validation", 6_000)):
            np.testing.assert_array_equal(one[part], other[part])
            assert set(one[part]) <= set(winner[part])
            assert len(winner[part]) == size
        assert not set(winner["train"]) & set(winner["validation"])
        assert winner["text"] == str(parse(best(search.frame).text).canonical)
    assert not set(searches.found["BbNAS", 0].jobs) & set(searches.found["BbNAS", 1].jobs)
    small = parse(searches.small.job.arguments["text"])
    assert small.count_params((28, 28, 1)) < experiments.SMALL
    assert tables.small_networks(searches, LITE).loc["here"].accuracy.item() == 1
    frame = tables.winners(searches)
    assert frame.models.tolist() == [21] * 10
    assert tables.search_against_random(frame, 5).difference.item() == 0


def test_what_is_not_tested_is_said():
    searches = experiments.run_searches(LITE, not_done)
    assert not searches.winners
    assert searches.small is None
    against = tables.search_against_random(tables.winners(searches), 5)
    assert (against.verdict.item(), against.done.item()) == ("not tested yet", 0)
    assert set(tables.small_networks(searches, LITE).reset_index().source) == {"paper", "elsewhere"}
    assert tables.search_hours(searches, config.store_of(LITE)).hours["paper"].tolist() == pytest.approx([0.83, 2.48])
    printed = tables.printed_networks(together(experiments.printed_jobs(LITE), not_done), LITE)
    assert set(printed.verdict) == {"not tested yet"}
    assert printed["accuracy printed"].notna().all()
    folds = together(experiments.mammogram_jobs(SMOKE), not_done)
    for results, known in (({}, Result(None, {}, NOT_DONE)), (folds, KNOWN)):
        predicted = tables.answers(results)
        blocks = tables.mammogram_blocks(predicted, known)
        assert blocks.skill[["plain", "SE"]].tolist() == ["not tested yet"] * 2
        difference = tables.mammogram_difference(predicted, blocks, known, 3)
        assert (difference.verdict.item(), difference.done.item()) == ("not tested yet", 0)


def test_printed_networks_get_the_protocols_verdicts():
    results = together(experiments.printed_jobs(LITE), done)
    labels = np.arange(10_000) % 10
    wrong = np.where(np.arange(10_000) < 140, (labels + 1) % 10, labels)
    scored = {"labels": labels, "probabilities": np.eye(10)[wrong], "test_cross_entropy": 0.1, "epochs": 7}
    results["M"] = Result(results["M"].job, scored)
    results["M_0"] = Result(results["M_0"].job, {}, "the loss is not a number any more")
    table = tables.printed_networks(results, LITE)
    assert table.accuracy["M"] == 0.986
    assert table.verdict["M"] == "reproduced"  # 98.61 % are printed
    assert table.verdict["MNIST BbNAS"] == "not reproduced"  # 98.60 %, here all are right
    assert table.verdict["M_0"] == "failed: the loss is not a number any more"
    assert table.parameters["MNIST BbNAS"] == 572_474


def test_a_network_that_answers_one_class_is_named():
    jobs_of, labels = experiments.printed_jobs(LITE), np.arange(300) % 10
    right, same = {"labels": labels, "probabilities": np.eye(10)[labels]}, np.eye(10)[np.ones(300, int)]
    results = {"MNIST BbNAS": Result(jobs_of["MNIST BbNAS"], right)}
    assert tables.se_difference(results).difference.isna().all()
    results["MNIST SE-BbNAS"] = Result(jobs_of["MNIST SE-BbNAS"], {**right, "probabilities": same})
    row = tables.se_difference(results).iloc[0]
    assert (row.difference, row.note) == (
        pytest.approx(-0.9),
        f"SE-BbNAS has one answer for all; {reported.PENALISED}",
    )
    results["MNIST SE-BbNAS"] = Result(jobs_of["MNIST SE-BbNAS"], right)
    assert tables.se_difference(results).note.item() == reported.PENALISED


def test_times_name_their_threads():
    results = {name: Result(job, {"epochs": 5}) for name, job in experiments.printed_jobs(LITE).items()}
    results["M_0"] = Result(results["M_0"].job, {}, NOT_DONE)
    made = {"M": "CPU · 2 cores", "M_1": "CPU · 2 cores · one thread", "M_2": "NVIDIA H100 · 16 cores"}
    about = {results[name].job: {"seconds": 100, "machine": machine} for name, machine in made.items()}
    store = SimpleNamespace(about=lambda job: about.get(job, {"seconds": 50, "machine": "CPU · 1 cores"}))
    seconds = tables.training_seconds(results, store)
    assert seconds.loc[["M", "M_1", "M_2", "M_3"], "threads"].tolist() == [2, 1, 1, 1]
    assert seconds.loc[["M", "M_3"], "seconds per epoch"].tolist() == [20, 10]
    assert seconds.loc["M_0"].isna().tolist() == [False, True, True, True]


def test_paired_t_and_sign_test_of_the_pairs():
    search, random = np.array([0.99, 0.985, 0.991, 0.98, 0.99]), np.array([0.98, 0.984, 0.99, 0.981, 0.97])
    index = pd.MultiIndex.from_product([["BbNAS", "random"], range(5)], names=["strategy", "seed"])
    table = pd.DataFrame({"accuracy": np.concatenate([search, random]), "n": 10_000}, index=index)
    row = tables.search_against_random(table, 5).iloc[0]
    paired = stats.ttest_rel(search, random)
    assert row.p == pytest.approx(paired.pvalue)
    assert (row["95 % low"], row["95 % high"]) == pytest.approx(tuple(paired.confidence_interval()))
    assert row["p sign"] == pytest.approx(0.375)  # four of five
    assert row.verdict == "undecided at this sample size"
    part = tables.search_against_random(table.drop(("random", 4)), 5).iloc[0]
    assert (part.done, part.verdict) == (4, "undecided at this sample size (interim)")


def test_balanced_accuracy_over_patients_shows_who_has_skill():
    always = np.zeros((2, 60), int)
    blocks = tables.mammogram_blocks({"plain": always, "SE": np.stack([LABELS, LABELS])}, KNOWN)
    assert blocks.balanced.tolist() == pytest.approx([1 / 3, 1, 1 / 3])
    assert blocks.skill.tolist() == ["no", "yes", "no"]
    assert blocks.accuracy["majority class"] == pytest.approx(40 / 60)
    assert blocks["commonest class"].tolist() == pytest.approx([1, 40 / 60, 1])
    answers = {"plain": always, "SE": np.stack([LABELS, LABELS])}
    row = tables.mammogram_difference(answers, blocks, KNOWN, 2).iloc[0]
    assert row.difference == pytest.approx(2 / 3)
    assert (row.verdict, row.p) == ("reproduced", 1 / 2000)
    assert "note" not in row
    neither = tables.mammogram_blocks({"plain": always, "SE": always}, KNOWN)
    same = tables.mammogram_difference({"plain": always, "SE": always}, neither, KNOWN, 3).iloc[0]
    assert (same.difference, same.p, same.verdict) == (0, 1, "undecided at this sample size (interim)")
    assert same.note == "neither beats guessing"


def test_a_seed_counts_when_all_its_folds_are_done():
    folds, known = experiments.mammogram_jobs(SMOKE), experiments.mammogram_labels(SMOKE)
    labels = {key: known["labels"][job.arguments["test"]] for key, job in folds.items()}
    results = {key: Result(job, {"probabilities": np.eye(3)[labels[key]]}) for key, job in folds.items()}
    np.testing.assert_array_equal(tables.answers(results)["SE"], known["labels"][None])
    results["plain", 0, 1] = Result(folds["plain", 0, 1], {}, NOT_DONE)
    assert {kind: len(rows) for kind, rows in tables.answers(results).items()} == {"plain": 0, "SE": 0}
