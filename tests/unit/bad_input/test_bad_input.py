"""Bad input of every kind: each case ends with its exit status and a few lines that name the cure, soon and in little.

A data set is read by the function that the notebooks read it with; an error of it ends a run as one of a command does.
"""

import re
import resource
import sys
import time

import pytest

from lib import predict
from lib.core import config, paths
from lib.data import busi
from lib.data.mammograms import MiniMias
from lib.data.record import DataError
from lib.pipeline import driver
from lib.two_stage import model as two_stage
from tests.unit.bad_input import commands, damage, data_sets

CASES = data_sets.CASES | commands.IMAGES | commands.CASES
SECONDS, BYTES = 5, 10**9  # of a case


def test_there_are_enough():
    assert len(CASES) >= 90


@pytest.fixture(scope="module")
def loaded():
    return two_stage.TwoStageModel.load(two_stage.PUBLISHED)


def status(call) -> object:
    try:
        return call()
    except SystemExit as end:
        return end.code
    except driver._USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


@pytest.mark.parametrize("name", CASES)
def test_bad_input(busi_folder, monkeypatch, capsys, loaded, name):
    folder, case = busi_folder.parent, CASES[name]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PAPER_DATA", str(folder))
    monkeypatch.setenv("PAPER_ARTIFACTS", str(folder / "artifacts"))
    monkeypatch.setenv(config.JOBS, "0")  # the command sets it, for the notebooks
    if name in commands.IMAGES:
        monkeypatch.setattr(predict, "_load", lambda path: loaded)
    case.prepare(folder)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert status(case.call) == case.status
    assert time.process_time() - began < SECONDS
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < BYTES
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if not line.startswith(("usage:", "    "))]
    assert 1 <= len(lines) <= 5, said
    assert re.search(case.message, said), said
    assert len(said) < 2000, "nobody reads that"
    assert not (folder / damage.HOSTILE).exists(), "a file was executed"


def test_a_mistyped_data_folder_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path / "mistyped"))
    with pytest.raises(paths.MissingDataError, match="mistyped"):
        MiniMias().read()
    with pytest.raises(DataError, match="mistyped"):
        busi.load(tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()
