"""Each notebook is two files that say the same, without outputs, in the form the driver and nbval rely on."""

import ast

import jupytext
import nbformat
import papermill
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from lib.core import paths, store
from lib.pipeline import driver, publication

PAIRS = sorted((paths.ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
GOLDEN = sorted((paths.ROOT / "tests" / "golden").glob("*.ipynb"))


def _cells(notebook):
    return [(cell.cell_type, cell.source.strip(), tuple(cell.metadata.get("tags", ()))) for cell in notebook.cells]


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=PAIRS, ids=lambda path: path.stem)
def pair(request):
    return jupytext.read(request.param), nbformat.read(request.param.with_suffix(".ipynb"), 4)


def test_there_are_notebooks_and_each_has_a_twin():
    twins = sorted((paths.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    assert [path.stem for path in PAIRS] == [path.stem for path in twins]
    assert len(PAIRS) == 9


def test_twins_say_the_same(pair):
    assert _cells(pair[0]) == _cells(pair[1])


@pytest.mark.parametrize("source", PAIRS, ids=lambda path: path.stem)
def test_it_runs_where_nothing_is_published(source, tmp_path, monkeypatch):
    """Tables are empty or lack our columns, and the sentences below them say so."""
    if paths.find_data("busi") is None:
        pytest.skip("BUSI is not on this machine")
    monkeypatch.setattr(store, "PUBLISHED", tmp_path / "published")
    for name in ("PAPER_ARTIFACTS", "PAPER_FIGURES"):
        monkeypatch.setenv(name, str(tmp_path / name))
    code = source.read_text(encoding="utf-8").replace('profile = "smoke"', 'profile = "lite"', 1)
    exec(compile(code, source.name, "exec"), {})


def test_no_outputs_and_the_right_kernel(pair):
    assert all(not cell.outputs and cell.execution_count is None for cell in _code(pair[1]))
    assert pair[1].metadata.kernelspec.name == "python3"


def test_no_line_of_prose_is_lost_in_the_book(pair):
    """MyST takes a line that begins with a percent sign for a comment."""
    prose = [cell.source for cell in pair[1].cells if cell.cell_type == "markdown"]
    assert not [line for text in prose for line in text.splitlines() if line.startswith("%")]


def test_one_parameters_cell_with_the_smoke_defaults(pair):
    tagged = [cell for cell in _code(pair[1]) if "parameters" in cell.metadata.get("tags", ())]
    assert [cell.source for cell in tagged] == ['profile = "smoke"\nseed = 0']


def test_the_form_that_readers_can_follow(pair):
    """15 to 30 code cells, a median of at most 6 lines, no long function, few names from lib."""
    lines = sorted(len(cell.source.splitlines()) for cell in _code(pair[1]))
    assert 15 <= len(lines) <= 30
    assert lines[len(lines) // 2] <= 6
    assert lines[-1] <= 15
    source = "\n".join(cell.source for cell in _code(pair[1]))
    nodes = list(ast.walk(ast.parse(TransformerManager().transform_cell(source))))
    assert all(node.end_lineno - node.lineno < 10 for node in nodes if isinstance(node, ast.FunctionDef))
    imported = [
        alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).startswith("lib")
    ]
    assert len(imported) <= 9
    assert pair[1].cells[0].source.splitlines()[0].endswith("?"), "the title is a question"


@pytest.mark.parametrize("source", [path.with_suffix(".ipynb") for path in PAIRS], ids=lambda path: path.stem)
def test_papermill_knows_the_parameters(source):
    known = papermill.inspect_notebook(str(source))
    assert {name: known[name]["default"] for name in known} == {"profile": '"smoke"', "seed": "0"}


def test_every_notebook_has_a_golden_run():
    assert [path.stem for path in GOLDEN] == [path.stem for path in PAIRS]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_golden_runs_are_of_these_notebooks(golden):
    """A changed notebook needs a new golden run: ./run_all.sh smoke --bless."""
    run, source = nbformat.read(golden, 4), nbformat.read(driver.SOURCES / golden.name, 4)
    assert _cells(run) == _cells(source)
    strict = [cell for cell in _code(run) if "nbval-ignore-output" not in cell.metadata.get("tags", ())]
    assert sum(bool(cell.outputs) for cell in strict) >= 3, "nbval must have something to compare"
    assert not any("image/png" in output.get("data", {}) for cell in _code(run) for output in cell.outputs)


@pytest.mark.parametrize("report", sorted(publication.REPORT.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_report_holds_whole_runs_on_real_data(report):
    run = nbformat.read(report, 4)
    outputs = [output for cell in _code(run) for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    saved = list((publication.FIGURES / report.stem).glob("*.png"))
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= len(saved)
    injected = [cell.source for cell in _code(run) if "injected-parameters" in cell.metadata.get("tags", ())]
    assert len(injected) == 1
    assert '"smoke"' not in injected[0]
