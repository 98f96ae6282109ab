"""The book: executed notebooks and the documents of ``report/`` as HTML pages, made by Sphinx and MyST-NB."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat

from lib.core import paths

DOCUMENTS = paths.ROOT / "report"
_SAVED = re.compile(r'save_figure\(.*?"(\d\d_\w+)"', re.DOTALL)
_TABLE = re.compile(r"\b(\d\d_[a-z]\w*)/(\d\d_\w+)")  # as the ledger of claims names its sources


class BookError(RuntimeError):
    """Sphinx could not make the book; the message is its last line."""


def build(executed: Sequence[Path], figures: Path, target: Path) -> Path:
    """Make the book of the executed notebooks in the folder ``target`` and return its first page.

    ``figures`` holds the saved figures and tables by notebook.  Sphinx's warnings go to ``target/warnings.txt``.
    """
    with tempfile.TemporaryDirectory() as name:
        source, pages = Path(name) / "source", Path(name) / "html"
        shutil.copytree(DOCUMENTS / "book", source)
        documents = [one for one in sorted(DOCUMENTS.glob("*.md")) if one.stem != "README"]
        known = {one.stem: one.name for one in [*documents, *executed]}
        for document in documents:
            shutil.copy(document, source)
        for notebook in executed:
            chapter = _chapter(nbformat.read(notebook, 4), known, figures / notebook.stem)
            nbformat.write(chapter, source / notebook.name)
            if notebook.stem == "09_results":
                _write_front_page(source, chapter, figures / notebook.stem)
        command = [sys.executable, "-m", "sphinx", "-q", "-w", f"{name}/warnings.txt", "-d", f"{name}/trees"]
        done = subprocess.run([*command, str(source), str(pages)], capture_output=True, text=True)
        if done.returncode:
            raise BookError(f"the book could not be made: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        shutil.copy(f"{name}/warnings.txt", pages)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(pages, target)
    return target / "index.html"


def _chapter(notebook: nbformat.NotebookNode, known: dict[str, str], figures: Path) -> nbformat.NotebookNode:
    """Fold the code away, link the other chapters, and give each figure its caption and alternative text."""

    def link(match: re.Match) -> str:
        return f"[{match[0]}]({known[match[1]]})" if match[1] in known else match[0]

    section, silent, cells = "", [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = cell.source.splitlines()[0].lstrip("# ")
            cell.source = re.sub(r"`(?:report/)?(\w+)(?:\.md)?`", link, cell.source)
        elif cell.outputs:
            # The code of cells that show nothing is folded together with that of the next one that does.
            cell.source = "\n\n".join([*silent, cell.source])
            silent = []
            cell.metadata.update(section=section, tags=["hide-input"], mystnb=_mystnb(cell.source, section, figures))
            for output in cell.outputs:
                if page := output.get("data", {}).get("text/html"):
                    output["data"]["text/html"] = _TABLE.sub(r'<a href="\1.html#table-\2">\1/\2</a>', page)
        else:
            silent.append(cell.source)
            continue
        cells.append(cell)
    notebook.cells = cells
    return notebook


def _mystnb(source: str, section: str, figures: Path) -> dict:
    """Caption and alternative text of the figure that a cell saves, as MyST-NB reads them."""
    if not (saved := _SAVED.search(source)):
        return {}
    sidecar = figures / f"{saved[1]}.json"
    caption = json.loads(sidecar.read_text(encoding="utf-8")).get("caption", section) if sidecar.exists() else section
    return {"figure": {"caption": caption, "name": saved[1]}, "image": {"alt": caption}}


def _write_front_page(source: Path, results: nbformat.NotebookNode, figures: Path) -> None:
    """Put the abstract and the figures of the results on the first page."""
    outputs = [
        output for cell in results.cells if cell.metadata.get("section") == "Abstract" for output in cell.outputs
    ]
    found = [output["data"].get("text/markdown", "") for output in outputs if "data" in output]
    for picture in sorted(figures.glob("*.png")):
        shutil.copy(picture, source)
        found.append(f"[![{picture.stem}]({picture.name})](09_results.ipynb)")
    page = source / "index.md"
    page.write_text(page.read_text(encoding="utf-8").replace("%RESULTS%", "\n\n".join(found)), encoding="utf-8")
