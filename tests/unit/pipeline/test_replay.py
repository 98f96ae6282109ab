"""Every number of the published report is computed again from ``report/results``, and compared as shown.

Takes minutes: run by ``tests/run.sh``, and elsewhere with ``pytest --replay tests/unit/pipeline/test_replay.py``.
"""

import html
import re

import nbformat
import pandas as pd
import pytest

from lib.core import config
from lib.pipeline import driver, publication

# The lines that name machine, versions and commit may differ, and nothing else.
_MACHINE = re.compile(r"Python [\d.]+ · Keras [^·]+ · [^·]+ · \d+ cores")
_NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)*(?:e[-+]\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the replay is run: without anything that an earlier run has left, and publishing nothing."""
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(params=sorted(publication.published()["notebooks"]))
def replayed(request, folder, monkeypatch):
    """A published notebook, executed anew."""
    if not request.config.getoption("--replay"):
        pytest.skip("takes minutes: --replay")
    published = publication.published()
    if published["profile"] != "lite" or "figures" not in published["notebooks"][request.param]:
        pytest.skip(f"{request.param} was published by an earlier version: ./run_all.sh lite")
    monkeypatch.setenv("PAPER_ARTIFACTS", str(folder))
    monkeypatch.setenv(config.REPLAY, "1")
    notebook = next(one for one in driver.plan(config.get("lite"), 0) if one.name == request.param)
    driver.execute(notebook, {"profile": "lite", "seed": 0})
    return notebook


def _numbers(cell):
    """What a cell shows, number by number; the words between them may tell what is absent here."""
    shown = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = output.get("text", "") if output.get("name") != "stderr" else ""
        table = re.sub(r"<style.*?</style>|<[^>]+>", " ", data.get("text/html", ""), flags=re.DOTALL)
        table += data.get("text/markdown", "")
        plain = "" if table or "image/png" in data else data.get("text/plain", "")
        shown.append(html.unescape(f"{text} {table} {plain}"))
    return _NUMBER.findall(_MACHINE.sub("", " ".join(shown)))


def test_the_report_is_what_the_results_give(replayed):
    expected, found = (
        nbformat.read(file, 4).cells for file in (publication.REPORT / replayed.file().name, replayed.file())
    )
    assert [cell.source for cell in expected] == [cell.source for cell in found], "publish it anew: ./run_all.sh lite"
    compared = [
        (before.source, _numbers(before), _numbers(after))
        for before, after in zip(expected, found, strict=True)
        if before.cell_type == "code" and not re.search("timing|provenance", before.source)
    ]
    assert sum(len(numbers) for _, numbers, _ in compared) > 10
    for source, before, after in compared:
        assert after == before, source
    tables = {file.name for file in (publication.FIGURES / replayed.name).glob("*.csv") if "timing" not in file.name}
    assert tables == {file.name for file in replayed.figures.glob("*.csv") if "timing" not in file.name}
    for name in sorted(tables):
        found, expected = _table(replayed.figures / name), _table(publication.FIGURES / replayed.name / name)
        # Another processor may round the last of six decimals another way.
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6, atol=2e-6, obj=name)


def _table(file):
    """A published table, without the columns that name machine and commit."""
    return pd.read_csv(file).drop(columns=["commit", "machine"], errors="ignore")
