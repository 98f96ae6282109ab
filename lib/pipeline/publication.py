"""What a run leaves for readers: HTML pages, the repository's report and figures, golden notebooks."""

import html
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from lib.core import artifacts, paths
from lib.core import config as profiles

REPORT = paths.ROOT / "report"
FIGURES = paths.ROOT / "figures"
GOLDEN = paths.ROOT / "tests" / "golden"


@dataclass(frozen=True)
class Job:
    """One notebook of one run, and where its results go."""

    source: Path
    folder: Path
    stamp: str

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def executed(self) -> Path:
        return self.folder / "notebooks" / f"{self.name}.ipynb"

    @property
    def stamp_file(self) -> Path:
        return self.folder / "notebooks" / f"{self.name}.stamp"

    @property
    def cost_file(self) -> Path:
        """Seconds and machine of the last execution."""
        return self.folder / "notebooks" / f"{self.name}.json"

    def is_done(self) -> bool:
        return self.executed.exists() and self.stamp_file.exists() and self.stamp_file.read_text() == self.stamp


def write_html(notebook: Path, target: Path) -> Path:
    """Render an executed notebook as a page of its own."""
    page, _ = HTMLExporter(embed_images=True).from_filename(str(notebook))
    with artifacts.atomic(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def write_index(jobs: Sequence[Job], profile: str) -> Path:
    """The page that links the report's notebooks."""
    items = "\n".join(
        f'<li><a href="{job.name}.html">{html.escape(title(job.source))}</a></li>' for job in jobs if job.is_done()
    )
    target = jobs[0].folder / "html" / "index.html"
    with artifacts.atomic(target) as temporary:
        temporary.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Report, profile {profile}</title>'
            f'<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto; line-height: 1.6">'
            f"<h1>Report, profile {profile}</h1>\n<ol>\n{items}\n</ol></body></html>\n",
            encoding="utf-8",
        )
    return target


def title(notebook: Path) -> str:
    """The first heading of a notebook."""
    first = nbformat.read(notebook, 4).cells[0].source.splitlines()[0]
    return first.lstrip("# ")


def publish(jobs: Sequence[Job], profile: str) -> str:
    """Copy the finished notebooks of a real-data run and their results into the repository; say what was done.

    A notebook that is not up to date keeps what an earlier run published of it, with that run's commit
    in its table row and sidecars.  A ``lite`` run does not replace what a ``full`` one published.
    """
    done = [job for job in jobs if job.is_done()]
    if profiles.get(profile).data == "phantoms" or not done:
        return ""
    marker = REPORT / "run.json"
    published = artifacts.read_json(marker) if marker.exists() else {"profile": profile, "notebooks": {}}
    if profile != "full" and published["profile"] == "full":
        return f"not published: {paths.relative(REPORT)} holds a full run"
    rows = published["notebooks"] if published["profile"] == profile else {}
    for job in done:
        _replace_results(job)
        notebook = nbformat.read(job.executed, 4)
        notebook.metadata.pop("papermill", None)  # holds the paths of the machine that ran it
        REPORT.mkdir(exist_ok=True)
        nbformat.write(notebook, REPORT / job.executed.name)
        rows[job.name] = {"title": title(job.source), **artifacts.read_json(job.cost_file)}
    for left in REPORT.glob("*.ipynb"):
        if left.stem not in rows:
            left.unlink()
    rows = {name: rows[name] for name in sorted(rows)}
    artifacts.write_json(marker, {"profile": profile, "notebooks": rows})
    _write_contents(rows, profile)
    waiting = [job.name for job in jobs if job not in done]
    older = f" (not up to date, left as published before: {', '.join(waiting)})" if waiting else ""
    return f"published to {paths.relative(REPORT)}/ and {paths.relative(FIGURES)}/{older}"


def _write_contents(rows: Mapping[str, dict], profile: str) -> None:
    """The report's own page: what ran, where, and what it took."""
    lines = [
        f"# Report, profile `{profile}`",
        "",
        "Executed notebooks, copied here by `run_all.sh`; not edited. The time is that of the last execution, without",
        "trainings and features that it found finished in the cache. Each table says what was cut when it was made.",
        "",
        "| notebook | question | commit | seconds | machine |",
        "|---|---|---|---|---|",
        *(
            f"| [{name}]({name}.ipynb) | {row['title']} | {row['commit']} | {row['seconds']} | {row['machine']} |"
            for name, row in rows.items()
        ),
    ]
    with artifacts.atomic(REPORT / "README.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def bless(jobs: Sequence[Job]) -> None:
    """Make the executed smoke notebooks the golden ones that nbval compares with."""
    from nbstripout import strip_output

    for job in jobs:
        notebook = nbformat.read(job.executed, 4)
        # nbval runs the defaults, which are smoke, and takes a cell without count for one that was not run;
        # pictures are looked at, not compared.
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            for kind in ("image/png", "image/svg+xml"):
                output.get("data", {}).pop(kind, None)
        notebook = strip_output(
            notebook, keep_output=True, keep_count=True, keep_id=True, extra_keys=["metadata.papermill"]
        )
        for cell in notebook.cells:
            cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        GOLDEN.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, GOLDEN / f"{job.name}.ipynb")


def _replace_results(job: Job) -> None:
    """Make the notebook's figures and tables of this run those that are published."""
    FIGURES.mkdir(exist_ok=True)
    for sidecar in results_of(FIGURES, job.name):
        for old in FIGURES.glob(f"{sidecar.stem}.*"):
            old.unlink()
    for sidecar in results_of(job.folder / "figures", job.name):
        for new in sidecar.parent.glob(f"{sidecar.stem}.*"):
            shutil.copy2(new, FIGURES / new.name)


def results_of(folder: Path, notebook: str) -> list[Path]:
    """Sidecars of the figures and tables that ``notebook`` wrote into ``folder``."""
    return [path for path in sorted(folder.glob("*.json")) if artifacts.read_json(path).get("notebook") == notebook]
