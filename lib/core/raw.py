"""Raw inputs by their content: the SHA-256 of data files and pretrained weights.

``report/results/data.json`` lists them as they were when results were published, and stands in for files
that are absent: so published results are found, and tables computed, without the data.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from lib.core import paths, store

LISTING = "data.json"
CLUTTER = {"Thumbs.db", "desktop.ini"}  # that file managers leave; what is hidden is passed over too
_DOCUMENT = re.compile(r"(^|/)(licen[cs]e|readme)[^/]*$|\.md$", re.IGNORECASE)


def files(name: str) -> Mapping[str, str]:
    """SHA-256 of each file of the data set ``name``, by its path below the data folder; empty if nothing is known.

    ``name`` is a folder or a file, for example ``busi`` or ``mnist.npz``; of ``weights`` all that are at hand or
    published, by the names of their files.
    """
    if name == "weights":
        at_hand = [file for folder in paths.weights_folders() for file in sorted(folder.glob("*.h5"))]
        return {**recorded(name), **{file.name: _sha256(file, *_state(file)) for file in at_hand}}
    found = paths.find_data(name)
    if found is None:
        return recorded(name)
    if found.is_file():
        return {found.name: _sha256(found, *_state(found))}
    # Nobody computes with a licence: that of the listing counts, whether it is at hand or not.
    listing = {place: sha for place, sha in recorded(name).items() if _DOCUMENT.search(place)}
    for path in filter(Path.is_file, found.rglob("*")):
        place = path.relative_to(found)
        passed_over = any(part.startswith(".") or part in CLUTTER for part in place.parts)
        if not (passed_over or _DOCUMENT.search(place.as_posix())):
            listing[place.as_posix()] = _sha256(path, *_state(path))
    return dict(sorted(listing.items()))


def identity(name: str) -> str:
    """Sixteen hexadecimal digits that stand for the content of the data set ``name``, or ``absent``."""
    # Hundreds of keys are made at a time: the files are looked at once in five seconds, not once a key.
    return _identity(name, str(paths.find_data(name)), int(time.monotonic() / 5))


@lru_cache(maxsize=16)
def _identity(name: str, place: str, moment: int) -> str:
    listing = files(name)
    return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()[:16] if listing else "absent"


def weights_identity(pattern: str) -> str:
    """The same for pretrained weights, the first file that matches ``pattern``; ``download`` where there is none."""
    if found := weights_file(pattern):
        return _sha256(found, *_state(found))[:16]
    listed = sorted(recorded("weights").items())
    return next((sha[:16] for name, sha in listed if Path(name).match(pattern)), "download")


def weights_file(pattern: str) -> Path | None:
    """The first file that matches ``pattern`` in the folders of weights, or None."""
    return next((file for folder in paths.weights_folders() for file in sorted(folder.glob(pattern))), None)


def record(*names: str, **details: Mapping) -> None:
    """Add data sets at hand to the published listing, and ``details`` of them; what stands there already stays."""
    listing = {**details, **_recorded()}
    for name in names:
        if name == "weights" or (name not in listing and paths.find_data(name)):
            listing[name] = {**files(name), **listing.get(name, {})}
    if listing != _recorded():
        store.write_json(store.PUBLISHED / LISTING, listing)


def recorded(name: str) -> Mapping[str, Any]:
    """What the published listing says of a data set, or a detail that :func:`record` added; empty if nothing."""
    return _recorded().get(name, {})


def _recorded() -> Mapping[str, Mapping]:
    path = store.PUBLISHED / LISTING
    return _parsed(path, *_state(path)) if path.exists() else {}


@lru_cache(maxsize=1)
def _parsed(path: Path, size: int, modified: int) -> Mapping[str, Mapping]:
    return json.loads(path.read_text(encoding="utf-8"))


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@cache
def _sha256(path: Path, size: int, modified: int) -> str:
    # Size and time let a file that is replaced while a notebook is open be read again.
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
