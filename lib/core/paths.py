"""Absolute places: the repository, the data, the pretrained weights and the artefacts of a run.

Nothing depends on the working directory, because papermill and nbval run notebooks from folders
of their own.  Environment variables override: ``PAPER_DATA``, ``PAPER_WEIGHTS``,
``PAPER_ARTIFACTS``; relative ones are meant from the repository.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class MissingDataError(FileNotFoundError):
    """Data or weights that are neither on this machine nor to be downloaded."""


def data_folders() -> list[Path]:
    """Folders in which data sets are looked up, first match wins."""
    if override := _named("PAPER_DATA"):
        return [override]
    return [ROOT / "data", ROOT.parent / "shared" / "data"]


def download_folder() -> Path:
    """Where a downloaded data set is put."""
    return data_folders()[0]


def find_data(name: str) -> Path | None:
    """The file or folder ``name`` (for example ``busi``) of the first data folder that has it."""
    return next((folder / name for folder in data_folders() if (folder / name).exists()), None)


def weights_folders() -> list[Path]:
    """Folders in which pretrained weights are looked up, first match wins."""
    if override := _named("PAPER_WEIGHTS"):
        return [override]
    return [folder / "weights" for folder in data_folders()]


def artifacts(profile: str) -> Path:
    """Everything that a run with this profile makes; git ignores it."""
    return (_named("PAPER_ARTIFACTS") or ROOT / "artifacts") / profile


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return (ROOT / Path(value).expanduser()).resolve() if value else None


def relative(path: Path) -> str:
    """``path`` as a reader of the repository would write it."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
