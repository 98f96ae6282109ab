import pytest

from lib.core.store import Store


@pytest.fixture(autouse=True)
def _counts(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_COUNTS", str(tmp_path / "counts"))


@pytest.fixture
def store(tmp_path):
    """A store that publishes."""
    return Store(tmp_path / "working", tmp_path / "published", publish=True)


@pytest.fixture
def private(tmp_path):
    """A store that publishes nothing."""
    return Store(tmp_path / "working")
