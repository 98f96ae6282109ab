import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from lib.core import config, paths, store
from lib.pipeline import book, driver, processes, publication

PARAMETERS = 'profile = "smoke"\nseed = 0'


def _notebook(path, *sources, parameters=PARAMETERS):
    cells = [nbformat.v4.new_markdown_cell("# Does it work?")]
    cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of two notebooks, far from the real one; its book has pages, but Sphinx does not make them."""
    monkeypatch.setattr(book, "build", lambda executed, figures, target: target / "index.html")
    for module, name in (
        (driver, "SOURCES"),
        (publication, "REPORT"),
        (publication, "FIGURES"),
        (publication, "GOLDEN"),
    ):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(module, name, folder)
    monkeypatch.setattr(store, "PUBLISHED", tmp_path / "report" / "results")
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("PAPER_DATA", str(tmp_path / "data"))
    for name in (config.TRAIN, config.RETRAIN, config.JOBS, driver.FIGURES):
        monkeypatch.setenv(name, "")
    count = f"open({str(tmp_path / 'runs')!r}, 'a').write(profile + ' ' + str(seed) + chr(10))"
    save = "import os, pathlib\nfolder = pathlib.Path(os.environ['PAPER_FIGURES']) / '01_first'"
    save += "\nfolder.mkdir(parents=True)"
    save += "\n(folder / 'table.csv').write_text(profile)"
    _notebook(tmp_path / "sources" / "01_first.ipynb", count, save)
    _notebook(tmp_path / "sources" / "02_second.ipynb", count)
    return tmp_path


def _runs(project):
    return (project / "runs").read_text().split("\n")[:-1] if (project / "runs").exists() else []


def test_an_option_overrides_the_environment(project, monkeypatch):
    monkeypatch.setenv(config.JOBS, "4")
    assert driver.main(["smoke"]) == 0
    assert config.get("smoke").workers == 4
    assert driver.main(["smoke", "--jobs", "0"]) == 0
    assert config.get("smoke").workers == 0


def test_runs_in_order_says_where_things_lie_and_resumes(project, capsys):
    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert _runs(project) == ["smoke 3", "smoke 3"]
    last = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split(":")[0] for line in last] == ["executed notebooks", "figures and tables", "HTML report"]
    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert len(_runs(project)) == 2, "nothing changed, nothing runs"

    _notebook(project / "sources" / "02_second.ipynb", "x = 1")
    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert "01_first: up to date" in capsys.readouterr().out
    assert driver.main(["smoke", "--only", "01_first", "--seed", "4"]) == 0
    assert _runs(project)[2:] == ["smoke 4"]


def test_a_failure_keeps_what_an_earlier_run_made(project, capsys):
    assert driver.main(["smoke"]) == 0
    _notebook(project / "sources" / "01_first.ipynb", "folder = 1", "1 / 0")
    assert driver.main(["smoke"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "01_first: ZeroDivisionError: division by zero"
    assert "logs/01_first.log" in lines[-1]
    folder = project / "artifacts" / "smoke"
    assert "1 / 0" in (folder / "logs" / "01_first.log").read_text()
    assert (folder / "figures" / "01_first" / "table.csv").exists()
    assert (folder / "notebooks" / "01_first.ipynb").exists()
    assert not driver.plan(config.get("smoke"), 0)[0].is_done()


@pytest.mark.parametrize(
    ("error", "where"),
    [
        ("SettingsError", "lib.core.config"),
        ("StoreError", "lib.core.store"),
        ("DataError", "lib.data.record"),
        ("MissingDataError", "lib.core.paths"),
    ],
)
def test_errors_of_users_are_a_few_lines(project, capsys, error, where):
    _notebook(project / "sources" / "01_first.ipynb", f"from {where} import {error}\nraise {error}('put it there')")
    assert driver.main(["smoke", "--only", "01_first"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "01_first: put it there"
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smok"], "did you mean 'smoke'"),
        (["smoke", "--only", "01_frist"], "did you mean '01_first'"),
        (["smoke", "--seed", "-1"], "seed must be an integer"),
        (["lite", "--bless"], "only smoke runs can be blessed"),
    ],
)
def test_misspelt_words_run_nothing(project, capsys, words, message):
    assert driver.main(words) == 2
    assert message in capsys.readouterr().err
    assert not _runs(project)


def test_a_notebook_without_the_parameter_is_an_error_before_anything_runs(project, capsys):
    _notebook(project / "sources" / "02_second.ipynb", parameters='profil = "smoke"\nseed = 0')
    assert driver.main(["smoke"]) == 2
    assert "did you mean 'profil'" in capsys.readouterr().err
    assert not _runs(project)


def test_two_runs_of_a_profile_do_not_meet(project, capsys):
    folder = project / "artifacts" / "smoke"
    with processes.alone(folder):
        assert driver.main(["smoke"]) == 2
        assert f"another run of this profile is under way (process {os.getpid()})" in capsys.readouterr().err
    (folder / "run.lock").write_text("1")  # of a process that died: its number says nothing
    assert driver.main(["smoke", "--only", "01_first"]) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_its_kernel(project, number, status):
    _notebook(
        project / "sources" / "01_first.ipynb",
        f"open({str(project / 'begun')!r}, 'w')",
        "import time",
        "time.sleep(60)",
    )
    code = (
        f"import pathlib; from lib.pipeline import driver; driver.SOURCES = pathlib.Path({str(project / 'sources')!r})"
    )
    words = [sys.executable, "-c", f"{code}; raise SystemExit(driver.main(['smoke']))"]
    process = subprocess.Popen(words, cwd=paths.ROOT, stderr=subprocess.PIPE, text=True)
    while not (project / "begun").exists():
        assert process.poll() is None
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (status, "stopped; call ./run_all.sh smoke again to go on\n")
    assert children
    assert not any(child.is_running() for child in children)


def test_golden_runs_are_stripped_of_what_changes(project):
    picture = "from IPython.display import Image, display\ndisplay(Image(bytes(8), format='png'))\n'text'"
    _notebook(project / "sources" / "02_second.ipynb", picture)
    (publication.GOLDEN / "02_old_name.ipynb").write_text("{}")
    assert driver.main(["smoke", "--bless"]) == 0
    assert [file.stem for file in sorted(publication.GOLDEN.glob("*.ipynb"))] == ["01_first", "02_second"]
    golden = nbformat.read(publication.GOLDEN / "02_second.ipynb", 4)
    assert [cell.metadata for cell in golden.cells] == [{}, {"tags": ["parameters"]}, {}]
    assert "papermill" not in golden.metadata
    assert "image/png" not in json.dumps(golden)
    assert golden.cells[2].outputs[-1].data["text/plain"] == "'text'"


def test_finished_notebooks_of_real_runs_are_published_and_lite_never_over_full(project):
    published, report = publication.FIGURES, publication.REPORT
    for name in ("01_flat.csv", "01_flat.json", "02_kept.csv"):
        (published / name).write_text("old")
    (report / "01_old_name.ipynb").write_text("{}")
    store.write_json(report / "run.json", {"profile": "lite", "notebooks": {"01_old_name": {}}})

    assert driver.main(["smoke"]) == 0
    assert (published / "01_flat.csv").exists(), "smoke publishes nothing"
    assert driver.main(["lite", "--retrain", "--only", "01_first"]) == 0
    assert (published / "01_flat.csv").exists(), "a second training publishes nothing"
    os.environ[config.RETRAIN] = ""
    assert driver.main(["lite", "--only", "01_first"]) == 0
    assert (published / "01_first" / "table.csv").read_text() == "lite"
    assert sorted(file.name for file in published.iterdir()) == ["01_first", "02_kept.csv"]
    assert [file.stem for file in report.glob("*.ipynb")] == ["01_first"]
    assert driver.main(["lite"]) == 0
    assert sorted(publication.published()["notebooks"]) == ["01_first", "02_second"]
    assert "Does it work?" in (report / "README.md").read_text()
    assert driver.main(["full", "--only", "01_first"]) == 0
    assert sorted(publication.published()["notebooks"]) == ["01_first", "02_second"], "a part replaces no whole"
    assert (published / "01_first" / "table.csv").read_text() == "lite"
    assert driver.main(["full"]) == 0
    assert "full run" in publication.publish(driver.plan(config.get("lite"), 0), "lite")
    assert (published / "01_first" / "table.csv").read_text() == "full"


def test_stamps_know_raw_data_weights_results_and_backend(project, monkeypatch):
    def stamps():
        driver.raw._identity.cache_clear()  # files are looked at once in five seconds
        return driver.plan(config.get("lite"), 0)[0].stamp

    found = [stamps(), stamps()]
    assert found[0] == found[1]
    with monkeypatch.context() as patched:
        patched.setenv(config.JOBS, "4")
        assert stamps() == found[0], "results are the same"
    for name in (
        "data/busi/normal/normal (1).png",
        "data/overrides.csv",
        "data/weights/a.h5",
        "report/results/s/a.npz",
    ):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")
        found.append(stamps())
    (project / "data/busi/normal/normal (1).png").write_text("another")
    found.append(stamps())
    monkeypatch.setattr(driver.runtime, "backend_id", lambda: "jax")
    found.append(stamps())
    assert len(set(found)) == len(found) - 1


def test_results_that_a_run_publishes_itself_make_no_notebook_run_again(project, capsys):
    file = store.PUBLISHED / "step" / "a.npz"
    made = {"step": "training", "made": {"machine": "a machine", "seconds": 5400}}
    publish = f"import pathlib\nfrom lib.core import store\nstore.write(pathlib.Path({str(file)!r}), {{}}, {made})"
    _notebook(project / "sources" / "02_second.ipynb", publish)
    assert driver.main(["lite"]) == 0
    assert driver.main(["lite"]) == 0
    assert len(_runs(project)) == 1
    assert (
        "a machine:\n\n| kind of job | results | hours |\n|---|---|---|\n| training | 1 | 1.50 |"
        in (publication.REPORT / "README.md").read_text()
    )
    store.write(file.with_stem("b"), {}, made)
    assert driver.main(["lite"]) == 0
    assert len(_runs(project)) == 2, "results of another run do"


def test_other_seeds_than_the_protocols_are_not_published(project):
    assert driver.main(["lite", "--seed", "1"]) == 0
    assert not publication.published()["notebooks"]


def test_every_profile_can_be_planned():
    for profile in config.names():
        notebooks = driver.plan(config.get(profile), 0)
        assert [one.name for one in notebooks][:3] == ["01_preprocessing", "02_unet", "03_classifier"]
        assert len({one.stamp for one in notebooks}) == len(notebooks)


def test_a_second_signal_does_not_disturb_the_end_that_the_first_has_begun():
    def stopped_twice():
        with processes.signals():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(processes.Stop, match=str(int(signal.SIGTERM))):
        stopped_twice()
    assert signal.getsignal(signal.SIGINT) is before
