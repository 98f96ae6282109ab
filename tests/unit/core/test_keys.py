import ast
import inspect
import json
import textwrap

import numpy as np
import pytest

from lib.core import config, jobs, paths, raw, runtime
from lib.core import store as stores
from lib.data.sources import Busi
from tests.unit.core import steps
from tests.unit.core.steps import Data, Settings, numbers


def test_a_key_says_everything_that_counts():
    different = [
        numbers(seed=1),
        numbers(seed=2),
        numbers(seed=1, n=4),
        numbers(seed=1, settings=Settings(rate=2)),
        numbers(seed=1, settings=Settings(name="b")),
        numbers(seed=1, chosen=np.array([1, 2])),
        numbers(seed=1, chosen=np.array([2, 1])),
        numbers(seed=1, chosen=np.array([[1, 2]])),
        numbers(seed=1, chosen=[1, 2]),
        numbers(seed=1, data=Data()),
        numbers(seed=1, data=Data("abd")),
        steps.network(seed=1),
        steps.scored(trained=steps.network(seed=1)),
        steps.scored(trained=steps.network(seed=2)),
        steps.total(parts=[numbers(seed=1), numbers(seed=2)]),
        steps.total(parts=[numbers(seed=2), numbers(seed=1)]),
    ]
    assert len({job.key for job in different}) == len(different)


def test_what_changes_nothing_changes_no_key():
    key = numbers(seed=1).key
    assert key == numbers(seed=1, n=3).key == numbers(n=3, seed=1, settings=Settings()).key, "defaults are left out"
    assert numbers(seed=1, settings=Settings(rate=1)).key == key, "1 and 1.0 are one setting"
    assert numbers(seed=np.int64(1)).key == key
    wide, narrow = (numbers(seed=1, chosen=np.array([1, 2], dtype)).key for dtype in (np.int64, np.int32))
    assert wide == narrow


def test_keys_are_the_same_on_every_machine():
    # Published results are found by these names: no change of code may move them.
    assert numbers(seed=1).key == "e9ce4076d73d6f72"
    assert numbers(seed=1, settings=Settings(2, "b"), chosen=np.arange(3), data=Data()).key == "b4511ed754e776dc"
    assert steps.total(parts=[numbers(seed=1)]).key == "0ae3b26cc5cc411b"


def test_source_is_in_no_key_and_the_version_is():
    def edited(change, version=1):
        source = textwrap.dedent(inspect.getsource(numbers.function)).split("\n", 1)[1]
        scope = dict(vars(steps))
        exec(compile(ast.parse(change(source)), "edited", "exec"), scope)
        return jobs.Step(scope["numbers"], "numbers", version)(seed=1).key

    assert edited(lambda source: source) == numbers(seed=1).key
    assert edited(lambda source: source.replace("drawn", "other").replace("# Local", "# Other")) == numbers(seed=1).key
    assert edited(lambda source: source, version=2) != numbers(seed=1).key


def test_values_without_a_meaning_are_refused():
    for value in (np.zeros(2), object(), {1, 2}):
        with pytest.raises(TypeError, match="has no place in a job's key"):
            _ = numbers(seed=1, chosen=value).key
    with pytest.raises(TypeError, match="unexpected keyword argument 'chose'"):
        numbers(seed=1, chose=None)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two small files in a data folder, and weights."""
    monkeypatch.setenv("PAPER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(stores, "PUBLISHED", tmp_path / "results")
    for name in ("busi/benign/a.png", "busi/normal/b.png", "weights/vgg16.h5"):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    raw._identity.cache_clear()
    yield tmp_path / "data"
    raw._identity.cache_clear()


def _identities():
    raw._identity.cache_clear()
    return numbers(seed=1, data=Busi()).key, raw.weights_identity("vgg16*.h5")


def test_raw_files_count_by_their_content(data):
    first = _identities()
    (data / "busi" / "benign" / "a.png").write_bytes(b"busi/benign/A.png")
    (data / "weights" / "vgg16.h5").write_bytes(b"weights/VGG16.h5")
    second = _identities()
    assert first[0] != second[0], "one byte of one image"
    assert first[1] != second[1], "other weights of the same size"
    (data / "busi" / "benign" / "Thumbs.db").write_bytes(b"clutter")
    (data / "busi" / ".git").mkdir()
    (data / "busi" / ".git" / "index").write_bytes(b"of a checkout")
    assert _identities() == second


def test_a_licence_counts_as_it_is_published_whether_it_is_at_hand_or_not(data):
    raw.record("busi")
    without = _identities()
    listing = json.loads(stores.PUBLISHED.joinpath(raw.LISTING).read_text())
    listing["busi"]["LICENSE.md"] = "0" * 64
    stores.write_json(stores.PUBLISHED / raw.LISTING, listing)
    published = _identities()
    assert published != without
    (data / "busi" / "LICENSE.md").write_bytes(b"another text")
    assert _identities() == published


def test_the_published_listing_stands_in_for_absent_files(data, monkeypatch):
    before = _identities()
    raw.record("busi", "weights")
    (data / "busi" / "normal" / "c.png").write_bytes(b"later")
    raw.record("busi")
    monkeypatch.setenv("PAPER_DATA", str(data / "nowhere"))
    assert _identities() == before, "what is published once stays"
    stores.PUBLISHED.joinpath(raw.LISTING).unlink()
    raw._parsed.cache_clear()
    assert _identities()[1] == "download"


def test_working_results_of_another_backend_are_not_found(monkeypatch):
    profile = config.get("lite")
    folder = config.store_of(profile).working
    assert folder == paths.artifacts("lite") / "results" / runtime.backend_id()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert config.store_of(profile).working != folder
