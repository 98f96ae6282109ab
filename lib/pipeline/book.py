"""The book: executed notebooks and the documents of ``report/`` as HTML pages, made by Sphinx and MyST-NB."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lib.core import paths

DOCUMENTS = paths.ROOT / "report"  # and in its folder ``book`` Sphinx's settings, the first page and the literature


class BookError(RuntimeError):
    """Sphinx could not make the book; the message is its last line."""


def build(executed: Sequence[Path], figures: Path, target: Path) -> Path:
    """Make the book of the executed notebooks in the folder ``target`` and return its first page.

    ``figures`` holds the saved figures by notebook.  Sphinx's warnings go to ``target/warnings.txt``.
    """
    with tempfile.TemporaryDirectory() as name:
        source, pages = Path(name) / "source", Path(name) / "html"
        shutil.copytree(DOCUMENTS / "book", source)
        if (figures / "09_results").exists():
            shutil.copytree(figures / "09_results", source / "figures")  # for the first page
        (source / "sidecars").mkdir()
        for sidecar in figures.glob("*/*.json"):  # of figures: which data they show
            shutil.copy(sidecar, source / "sidecars")
        for page in [*executed, *DOCUMENTS.glob("*.md"), *DOCUMENTS.glob("*.svg")]:
            shutil.copy(page, source)
        command = [sys.executable, "-m", "sphinx", "-q", "-w", f"{name}/warnings.txt", "-d", f"{name}/trees"]
        done = subprocess.run([*command, str(source), str(pages)], capture_output=True, text=True)
        if done.returncode:
            raise BookError(f"the book could not be made: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        shutil.copy(f"{name}/warnings.txt", pages)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(pages, target)
    return target / "index.html"


def main() -> None:
    """Make the book of the published notebooks in the folder that the command names."""
    parser = argparse.ArgumentParser(prog="python -m lib.pipeline.book", description="The published report as a book.")
    parser.add_argument("folder", type=Path, help="where it goes; a book that is there is replaced")
    folder = parser.parse_args().folder
    if folder.exists() and not (folder / "index.html").exists() and any(folder.iterdir()):
        parser.error(f"{folder} holds other files")
    print(build(sorted(DOCUMENTS.glob("*.ipynb")), paths.ROOT / "figures", folder))


if __name__ == "__main__":
    main()
