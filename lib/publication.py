"""What a run leaves for readers: HTML pages, the repository's report and figures, golden notebooks."""

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from lib import artifacts, paths, profiles

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
    """Copy figures and executed notebooks of a whole real-data run into the repository; say what was done.

    A ``lite`` run does not replace what a ``full`` one published.
    """
    if profiles.get(profile).data == "phantoms":
        return ""
    if not all(job.is_done() for job in jobs):
        return "not published: notebooks are still to be run"
    marker = REPORT / "run.json"
    if marker.exists() and profile != "full" and artifacts.read_json(marker)["profile"] == "full":
        return f"not published: {paths.relative(REPORT)} holds a full run"
    _replace(FIGURES, sorted((jobs[0].folder / "figures").iterdir()))
    _replace(REPORT, [])
    for job in jobs:
        notebook = nbformat.read(job.executed, 4)
        notebook.metadata.pop("papermill", None)  # holds the paths of the machine that ran it
        nbformat.write(notebook, REPORT / job.executed.name)
    artifacts.write_json(marker, {"profile": profile, "notebooks": {job.name: job.stamp for job in jobs}})
    _write_contents(jobs, profile)
    return f"published to {paths.relative(REPORT)}/ and {paths.relative(FIGURES)}/"


def _write_contents(jobs: Sequence[Job], profile: str) -> None:
    """The report's own page: what ran, where, and what it took."""
    costs = {job.name: artifacts.read_json(job.cost_file) for job in jobs}
    lines = [
        f"# Report, profile `{profile}`",
        "",
        "Executed notebooks, copied here by `run_all.sh` after a whole run; not edited. The time is that of the last",
        "execution, without trainings and features that it found finished in the cache.",
        "",
        f"Cut from the papers' protocol: {profiles.get(profile).cuts}.",
        "",
        "| notebook | question | seconds | machine |",
        "|---|---|---|---|",
        *(
            f"| [{job.name}]({job.name}.ipynb) | {title(job.source)} | {cost['seconds']} | {cost['machine']} |"
            for job, cost in zip(jobs, costs.values(), strict=True)
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


def _replace(folder: Path, files: Sequence[Path]) -> None:
    """Make ``files`` the results that ``folder`` holds."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.suffix in {".png", ".pdf", ".csv", ".json", ".ipynb"}:
            old.unlink()
    for file in files:
        shutil.copy2(file, folder / file.name)
