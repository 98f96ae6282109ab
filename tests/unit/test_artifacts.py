import json
from dataclasses import dataclass

import numpy as np
import pytest

from lib.core import artifacts


def test_atomic_replaces_only_on_success(tmp_path):
    path = tmp_path / "deep" / "value.txt"
    with artifacts.atomic(path) as temporary:
        temporary.write_text("one")

    def fill_the_disk():
        with artifacts.atomic(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fill_the_disk()
    assert path.read_text() == "one"
    assert [file.name for file in path.parent.iterdir()] == ["value.txt"]


def test_digest_sees_shape_type_and_content():
    array = np.arange(6)
    different = [array, array.reshape(2, 3), array.astype(np.int32), array + 1, array.tolist()]
    assert len({artifacts.digest(value) for value in different}) == 5
    assert artifacts.digest(array) == artifacts.digest(np.arange(12)[::2] // 2)  # memory layout does not count
    assert artifacts.digest({"a": 1, "b": 2}) == artifacts.digest({"b": 2, "a": 1})


def test_digest_refuses_what_it_cannot_read():
    with pytest.raises(TypeError, match="no plain form"):
        artifacts.digest(object())


def test_cached_runs_once_per_key(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"array": np.arange(3)}

    for key in ({"step": "a", "x": 1}, {"step": "a", "x": 1}, {"step": "a", "x": 2}):
        result = artifacts.cached(key, make, tmp_path)
        assert result["array"].tolist() == [0, 1, 2]
    assert len(calls) == 2
    keys = [json.loads(file.read_text())["x"] for file in tmp_path.glob("*.json")]
    assert sorted(keys) == [1, 2]


def test_a_failing_step_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        artifacts.cached({"step": "a"}, lambda: 1 / 0, tmp_path)
    assert not list(tmp_path.iterdir())


def test_settings_objects_are_keys(tmp_path):
    @dataclass(frozen=True)
    class Settings:
        rate: float

    for rate in (0.1, 0.2, 0.1):
        assert artifacts.cached({"step": "a", "s": Settings(rate)}, lambda rate=rate: rate, tmp_path) == rate
    assert len(list(tmp_path.glob("*.joblib"))) == 2


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A repository whose lib has two modules, one importing the other."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "lib" / "base.py").write_text('"""Doc."""\nRATE = 1\n')
    (tmp_path / "lib" / "top.py").write_text("from lib import base\n\n\ndef f():\n    return base.RATE\n")
    monkeypatch.setattr(artifacts.paths, "ROOT", tmp_path)

    def change(name, text):
        (tmp_path / "lib" / name).write_text(text)
        artifacts.source_digest.cache_clear()
        return artifacts.source_digest("lib.top")

    yield change
    artifacts.source_digest.cache_clear()


def test_source_digest_follows_imports_and_ignores_words(package):
    before = package("base.py", '"""Doc."""\nRATE = 1\n')
    assert package("base.py", '"""Other words."""\n# and a comment\nRATE = 1\n') == before
    assert package("base.py", "RATE = 2\n") != before
