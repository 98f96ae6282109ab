import numpy as np
import pytest

from lib.core import jobs
from lib.core.store import Store
from tests.unit.core import steps
from tests.unit.core.steps import broken, counted, diverging, network, numbers, scored, scores_alone, total


def test_results_come_in_order_and_once(store):
    wanted = [total(parts=[numbers(seed=1), numbers(seed=2)]), numbers(seed=2), numbers(seed=1)]
    said = []
    first = jobs.run(wanted, store, report=said.append)
    assert [line.split()[0] for line in said] == ["numbers", "numbers", "total"], "inputs first, each once"
    assert first[0]["total"] == pytest.approx(float(first[1]["values"].sum() + first[2]["values"].sum()))
    again = jobs.run(wanted, store, report=said.append)
    assert len(said) == 3
    assert (again[1]["values"] == first[1]["values"]).all()


def test_data_sets_arrive_as_their_content(private):
    (result,) = jobs.run([numbers(seed=1, data=steps.Data())], private)
    (plain,) = jobs.run([numbers(seed=1)], private)
    assert np.allclose(result["values"], plain["values"][:2] + np.array([3, 4]))


def test_a_job_error_is_the_result_and_what_needs_it_fails_too(store):
    bad, good = diverging(), numbers(seed=1)
    wanted = [bad, total(parts=[bad, good]), good]
    for _ in range(2):
        results = jobs.run(wanted, store)
        assert [bool(result) for result in results] == [False, False, True]
        assert results[0].error == "the loss is not a number any more"
        assert f"its input {bad} failed: the loss" in results[1].error
    assert counted("diverging") == 1, "it is kept as its result"
    with pytest.raises(jobs.JobError, match="the loss is not a number"):
        _ = results[0]["values"]


def test_other_errors_are_told_and_tried_again(store):
    bad = broken()
    wanted = [bad, total(parts=[bad]), numbers(seed=1)]
    for attempt in (1, 2):
        results = jobs.run(wanted, store)
        assert results[0].error == "MemoryError: no more of it"
        assert results[1].error == f"its input {bad} failed: MemoryError: no more of it"
        assert results[2]
        assert counted("broken") == attempt
    assert not list(store.published.glob("broken/*"))


def test_a_profile_that_trains_nothing_runs_quick_steps_on_what_is_there(store):
    there, missing = numbers(seed=1), numbers(seed=2)
    jobs.run([there], store)
    wanted = [total(parts=[there]), total(parts=[missing]), missing]
    results = jobs.run(wanted, store, train=False)
    assert [result.error for result in results] == ["", jobs.NOT_DONE, jobs.NOT_DONE]


def test_no_job_is_started_after_the_time_is_up(private):
    results = jobs.run([numbers(seed=seed) for seed in range(3)], private, start=lambda job: False)
    assert [result.error for result in results] == [jobs.NOT_DONE] * 3
    assert len(jobs.waiting([result.job for result in results], private)) == 3


def test_published_values_win_over_those_of_a_second_training(store):
    job = network(seed=2)
    (first,) = jobs.run([job], store)
    assert "weights" not in first.values
    store.file(job).unlink()  # another machine: published scores, no weights
    (again,) = jobs.run([scored(trained=job)], store)
    assert counted("network") == 2, "who asks for weights asks for a new training"
    assert (again["score"], again["sum"]) == (21, 16), "the score as published, the weights of the second training"
    (both,) = jobs.run([job], store, extras=["weights"])
    assert both["score"] == 21
    assert both["weights"][0].tolist() == [4, 4, 4, 4]
    assert counted("network") == 2


def test_finished_jobs_do_not_ask_for_their_inputs(store):
    job = scored(trained=network(seed=2))
    jobs.run([job], store)
    fresh = Store(store.working / "elsewhere", store.published)
    assert jobs.run([job], fresh, train=False)[0]["score"] == 21
    assert counted("network") == 1


def test_two_runs_at_once_do_a_job_once(store, monkeypatch):
    job = network(seed=2)
    held = Store.holds
    # As if another run did the job after this one had looked.
    monkeypatch.setattr(Store, "holds", lambda self, one, extras=(): False)
    levels = jobs._levels([job], store)
    monkeypatch.setattr(Store, "holds", held)
    jobs.run([job], store)
    jobs._attempt(levels[0][0], store, False)
    assert counted("network") == 1


def test_results_say_what_made_them(store):
    job = numbers(seed=1)
    jobs.run([job], store)
    made = store.about(job)
    assert set(made) == {"seconds", "date", "machine", "commit"}
    assert "Keras" in made["machine"]


def test_seconds_of_calls_that_were_interrupted_count(store):
    job = steps.resumed(seed=1)
    with pytest.raises(KeyboardInterrupt):
        jobs.run([job], store)
    assert store.file(job).with_suffix(".state").exists()
    assert jobs.run([job], store)[0]["seed"] == 1
    assert 100 <= store.about(job)["seconds"] < 110
    assert not store.file(job).with_suffix(".state").exists()


def test_a_failed_retraining_for_weights_spoils_only_what_needs_them(store):
    trained = network(seed=3)
    jobs.run([trained], store)
    store.file(trained).unlink()  # published values stay
    failed = {trained: "no memory"}
    needs_weights, needs_score = scored(trained=trained), scores_alone(trained=trained)
    results = jobs.run([needs_weights, needs_score], store, failed=failed)
    assert [bool(one) for one in results] == [False, True]
