import pytest

from lib.core import artifacts, rounds

KEY = {"step": "square", "data": "d"}


def square(base, x, calls=None):
    if x < 0:
        raise ValueError("negative")
    return {"value": base + x * x}


def run(jobs, folder, task=square, **settings):
    return rounds.run(task, [{"x": x} for x in jobs], {"base": 1}, KEY, folder, **settings)


def test_answers_in_the_order_of_the_jobs(tmp_path):
    frame = run([3, 1], tmp_path)
    assert frame.x.tolist() == [3, 1]
    assert frame.value.tolist() == [10, 2]
    assert (frame.error == "").all()


def test_a_finished_job_is_not_repeated(tmp_path):
    run([1, 2], tmp_path)

    def never(base, x):
        if x < 3:
            raise AssertionError("was done before")
        return {"value": 0}

    frame = run([1, 2, 3], tmp_path, never)
    assert frame.value.tolist() == [2, 5, 0]
    assert (frame.error == "").all()


def test_a_crashed_job_spoils_no_other_and_is_tried_again(tmp_path):
    frame = run([2, -1, 3], tmp_path)
    assert frame.error.tolist() == ["", "ValueError: negative", ""]
    assert frame.value.dropna().tolist() == [5, 10]
    again = run([2, -1, 3], tmp_path, lambda base, x: {"value": 7})
    assert again.value.tolist() == [5, 7, 10]


def test_a_full_disk_loses_no_answer(tmp_path, monkeypatch):
    run([1], tmp_path)

    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_json", full)
    frame = run([1, 2], tmp_path)
    assert frame.value.tolist() == [2, 5]
    assert frame.error[0] == ""
    assert "No space left" in frame.error[1]


def test_another_key_is_another_result(tmp_path):
    run([1], tmp_path)
    other = rounds.run(square, [{"x": 1}], {"base": 5}, {**KEY, "data": "e"}, tmp_path)
    assert other.value.tolist() == [6]


@pytest.mark.parametrize("n_jobs", [2])
def test_processes_give_the_same(tmp_path, n_jobs):
    alone = run([1, -2, 3], tmp_path / "a").drop(columns="seconds")
    parallel = run([1, -2, 3], tmp_path / "b", n_jobs=n_jobs).drop(columns="seconds")
    assert alone.equals(parallel)
