import pytest

from lib.core.store import Store
from tests.canaries import compare
from tests.canaries.cases import CASES


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("canaries"))


def test_every_step_has_a_canary():
    missing = set(compare.steps()) - {job.step.name for job in CASES.values()}
    assert not missing, "add a tiny job to tests/canaries/cases.py, then: python -m tests.canaries --bless NAME"


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_the_committed_one(name, store):
    found = compare.result(name, store)
    differences = compare.differences(name, found)
    assert not differences, f"undo the change, or raise the version, and: python -m tests.canaries --bless {name}"
