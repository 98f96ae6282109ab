import json

import nbformat
import pytest

from lib.core import artifacts
from lib.core import config as profiles
from lib.pipeline import driver, publication

PARAMETERS = 'profile = "smoke"\nseed = 0'


def _notebook(path, *sources, parameters=PARAMETERS):
    cells = [nbformat.v4.new_markdown_cell("# Does it work?")]
    cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of two notebooks, far from the real one."""
    for module, name in (
        (driver, "NOTEBOOKS"),
        (publication, "REPORT"),
        (publication, "FIGURES"),
        (publication, "GOLDEN"),
    ):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(module, name, folder)
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path / "artifacts"))
    count = f"open({str(tmp_path / 'runs')!r}, 'a').write(profile + ' ' + str(seed) + chr(10))"
    _notebook(tmp_path / "notebooks" / "01_first.ipynb", count, "print('hello')")
    _notebook(tmp_path / "notebooks" / "02_second.ipynb", count)
    return tmp_path


def _runs(project):
    return (project / "runs").read_text().split("\n")[:-1] if (project / "runs").exists() else []


def test_runs_in_order_says_where_things_lie_and_resumes(project, capsys):
    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert _runs(project) == ["smoke 3", "smoke 3"]
    last = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split(":")[0] for line in last] == ["executed notebooks", "figures and tables", "HTML report"]
    assert "Does it work?" in (project / "artifacts" / "smoke" / "html" / "index.html").read_text()

    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert len(_runs(project)) == 2, "nothing changed, nothing runs"

    _notebook(project / "notebooks" / "02_second.ipynb", (project / "nothing").name + " = 1")
    assert driver.main(["smoke", "--seed", "3"]) == 0
    assert "01_first: up to date" in capsys.readouterr().out

    assert driver.main(["smoke", "--only", "01_first", "--seed", "4"]) == 0
    assert _runs(project)[2:] == ["smoke 4"]


def test_a_failure_keeps_the_whole_file_away(project, capsys):
    _notebook(project / "notebooks" / "02_second.ipynb", "1 / 0")
    assert driver.main(["smoke"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    folder = project / "artifacts" / "smoke" / "notebooks"
    assert sorted(file.name for file in folder.iterdir()) == [
        "01_first.ipynb",
        "01_first.json",
        "01_first.stamp",
        "02_second.partial.ipynb",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smok"], "did you mean 'smoke'"),
        (["smoke", "--only", "01_frist"], "did you mean '01_first'"),
        (["lite", "--bless"], "only smoke runs can be blessed"),
    ],
)
def test_misspelt_words_run_nothing(project, capsys, words, message):
    assert driver.main(words) == 2
    assert message in capsys.readouterr().err
    assert not _runs(project)


def test_a_notebook_without_the_parameter_is_an_error(project, capsys):
    _notebook(project / "notebooks" / "01_first.ipynb", parameters='profil = "smoke"\nseed = 0')
    assert driver.main(["smoke"]) == 2
    assert "did you mean 'profil'" in capsys.readouterr().err


def test_golden_runs_are_stripped_of_what_changes(project):
    picture = "from IPython.display import Image, display\ndisplay(Image(bytes(8), format='png'))\n'text'"
    _notebook(project / "notebooks" / "02_second.ipynb", picture)
    assert driver.main(["smoke", "--bless"]) == 0
    golden = nbformat.read(project / "golden" / "02_second.ipynb", 4)
    assert [cell.metadata for cell in golden.cells] == [{}, {"tags": ["parameters"]}, {}]
    assert "papermill" not in golden.metadata
    assert "image/png" not in json.dumps(golden)
    assert golden.cells[2].outputs[-1].data["text/plain"] == "'text'"


def _result(folder, name, notebook, text):
    artifacts.write_json(folder / f"{name}.json", {"notebook": notebook})
    (folder / f"{name}.csv").write_text(text)


def test_finished_notebooks_of_real_runs_are_published_and_lite_never_over_full(project, monkeypatch):
    # Executing a notebook clears its results; these stand for what it writes.
    monkeypatch.setattr(driver, "_remove_figures", lambda job: None)
    made = {profile: project / "artifacts" / profile / "figures" for profile in ("smoke", "lite", "full")}
    for profile, folder in made.items():
        _result(folder, "01_a", "01_first", profile)
        _result(folder, "02_b", "02_second", profile)
    published = publication.FIGURES
    _result(published, "01_stale", "01_first", "old")
    _result(published, "02_b", "02_second", "old")

    assert driver.main(["smoke"]) == 0
    assert (published / "01_stale.csv").exists(), "smoke publishes nothing"
    driver.main(["lite", "--only", "01_first"])
    assert (published / "01_a.csv").read_text() == "lite"
    assert not (published / "01_stale.csv").exists()
    assert (published / "02_b.csv").read_text() == "old", "what was not run is left as it was published"
    assert [file.stem for file in publication.REPORT.glob("*.ipynb")] == ["01_first"]
    driver.main(["lite"])
    assert (published / "02_b.csv").read_text() == "lite"
    report = sorted(file.name for file in publication.REPORT.iterdir())
    assert report == ["01_first.ipynb", "02_second.ipynb", "README.md", "run.json"]
    assert "Does it work?" in (publication.REPORT / "README.md").read_text()
    driver.main(["full"])
    assert "full run" in publication.publish(driver.plan("lite", 0), "lite")
    assert (published / "01_a.csv").read_text() == "full"
    assert artifacts.read_json(publication.REPORT / "run.json")["profile"] == "full"


def test_figures_of_an_earlier_version_are_removed(project):
    figures = project / "artifacts" / "smoke" / "figures"
    for name, notebook in (("old", "01_first"), ("other", "09_other")):
        artifacts.write_json(figures / f"{name}.json", {"notebook": notebook})
        (figures / f"{name}.png").write_text("x")
    driver.main(["smoke"])
    assert sorted(file.name for file in figures.iterdir()) == ["other.json", "other.png"]


def test_every_profile_can_be_planned():
    for profile in profiles.names():
        jobs = driver.plan(profile, 0)
        assert [job.name for job in jobs][:3] == ["01_preprocessing", "02_unet", "03_classifier"]
        assert len({job.stamp for job in jobs}) == len(jobs)
