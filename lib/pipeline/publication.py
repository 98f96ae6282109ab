"""What a run leaves in the repository: its report and figures, golden notebooks."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from lib.core import paths, store

REPORT = paths.ROOT / "report"
FIGURES = paths.ROOT / "figures"
GOLDEN = paths.ROOT / "tests" / "golden"


@dataclass(frozen=True)
class Notebook:
    """One notebook of one run, and where its results go."""

    source: Path
    folder: Path
    stamp: str

    @property
    def name(self) -> str:
        return self.source.stem

    def file(self, suffix: str = ".ipynb") -> Path:
        """The executed copy (``.partial.ipynb`` while it runs), or in ``.json`` its stamp and what it took."""
        return self.folder / "notebooks" / f"{self.name}{suffix}"

    @property
    def figures(self) -> Path:
        return self.folder / "figures" / self.name

    def took(self) -> dict[str, Any]:
        """``stamp`` of the last whole run, its ``seconds``, ``machine`` and ``commit``; empty if there is none."""
        file = self.file(".json")
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() and self.file().exists() else {}

    def is_done(self) -> bool:
        return self.took().get("stamp") == self.stamp


def published() -> dict[str, Any]:
    """``report/run.json``: the profile, and what is known of each published notebook by its name."""
    marker = REPORT / "run.json"
    return json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else {"profile": "", "notebooks": {}}


def publish(notebooks: Sequence[Notebook], profile: str) -> str:
    """Copy the finished notebooks of a real-data run and their results into the repository; say what was done.

    A notebook that is not up to date keeps what an earlier run published of it, with that run's commit
    in its table row and sidecars.  A ``lite`` run does not replace what a ``full`` one published.
    """
    done = [one for one in notebooks if one.is_done()]
    if not done:
        return ""
    before = published()
    if profile != "full" and before["profile"] == "full":
        return f"not published: {paths.relative(REPORT)} holds a full run"
    if before["profile"] not in ("", profile) and len(done) < len(notebooks):
        return (
            f"not published: {paths.relative(REPORT)} holds a whole {before['profile']} run, and this one is not whole"
        )
    rows = before["notebooks"] if before["profile"] == profile else {}
    for one in done:
        # Those of the same number go with it: a notebook that got another name, figures without a folder.
        rows = {name: row for name, row in rows.items() if name[:3] != one.name[:3]}
        for old in FIGURES.glob(f"{one.name[:3]}*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(one.figures, FIGURES / one.name)
        nbformat.write(_executed(one), REPORT / one.file().name)
        title = nbformat.read(one.source, 4).cells[0].source.splitlines()[0].lstrip("# ")
        rows[one.name] = {**one.took(), "title": title, "figures": one.name}
        del rows[one.name]["stamp"]
    for left in REPORT.glob("*.ipynb"):
        if left.stem not in rows:
            left.unlink()
    rows = dict(sorted(rows.items()))
    store.write_json(REPORT / "run.json", {"profile": profile, "notebooks": rows})
    _write_contents(rows, profile)
    waiting = [one.name for one in notebooks if one not in done]
    older = f" (not up to date, left as published before: {', '.join(waiting)})" if waiting else ""
    return f"published to {paths.relative(REPORT)}/ and {paths.relative(FIGURES)}/{older}"


def _write_contents(rows: Mapping[str, dict], profile: str) -> None:
    """The report's own page: what ran, where, and what it took."""
    lines = [
        f"# What ran and what it took, profile `{profile}`",
        "",
        "Executed notebooks, copied here by `./run_all.sh`; not edited. They are computed from `results/`,",
        "which `./run_all.sh evidence --hours H` adds to as `protocol.md` plans them; the seconds are those of the",
        "notebook, not of its trainings. Where the plan is not complete, tables say how much of it is done. A `+`",
        "behind a commit: the code had changes that were not committed yet.",
        "",
        "| notebook | question | commit | seconds |",
        "|---|---|---|---|",
        *(
            f"| [{name}]({name}.ipynb) | {row['title']} | {row['commit']} | {row['seconds']} |"
            for name, row in rows.items()
        ),
        "",
        *sorted({f"On {row['machine']}." for row in rows.values()}),
        "",
        "## What the published results took",
        "",
        "*segmenter*: one training of stage 1 with its masks; *features*: images through an ImageNet network; *heads*:",
        "classifiers of one split trained side by side; *nas child*: one network of paper B; *backbone cost* and",
        "*timing*: measured times. The others are named after what they compute.",
    ]
    about = map(store.read_about, sorted(store.PUBLISHED.glob("*/*.npz")))
    every = pd.DataFrame([{**one, **one["made"]} for one in about], columns=["machine", "step", "seconds"])
    for machine, made in every.groupby("machine"):
        lines += ["", f"{machine}:", "", "| kind of job | results | hours |", "|---|---|---|"]
        for step, seconds in made.groupby("step")["seconds"]:
            lines += [f"| {step.replace('_', ' ')} | {len(seconds)} | {max(seconds.sum() / 3600, 0.01):.2f} |"]
    with store.atomic(REPORT / "README.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def column_means(figures: Path) -> dict[str, dict[str, float]]:
    """Number of rows, and the mean of each numeric column, of the tables in a folder apart from wall-clock times."""
    files = [file for file in sorted(figures.glob("*.csv")) if "timing" not in file.name]
    # The name of a commit can look like a number.
    tables = {file.stem: pd.read_csv(file, dtype={"commit": str}) for file in files}
    means = {name: table.mean(numeric_only=True).dropna() for name, table in tables.items()}
    return {name: {"rows": len(table), **means[name].astype(float)} for name, table in tables.items()}


def bless(notebooks: Sequence[Notebook]) -> None:
    """Make executed smoke notebooks the golden ones: nbval compares their text, a test the means of their tables."""
    for one in notebooks:
        notebook = _executed(one)
        # nbval runs the defaults, which are smoke, and takes a cell without count for one that was not run;
        # pictures are looked at, not compared.
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        for cell in notebook.cells:
            cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
            for output in cell.get("outputs", []):
                for kind in ("image/png", "image/svg+xml"):
                    output.get("data", {}).pop(kind, None)
        for old in GOLDEN.glob(f"{one.name[:3]}*.ipynb"):
            old.unlink()
        nbformat.write(notebook, GOLDEN / f"{one.name}.ipynb")
        store.write_json(GOLDEN / f"{one.name}.json", column_means(one.figures))


def _executed(one: Notebook) -> nbformat.NotebookNode:
    notebook = nbformat.read(one.file(), 4)
    notebook.metadata.pop("papermill", None)  # holds the paths of the machine that ran it
    return notebook
