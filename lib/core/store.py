"""Results on disk: one file a job, whole or absent, checked when it is read, without pickles.

Two folders hold them: ``artifacts/<profile>/results`` all that a run makes, weights and features
included, and ``report/results`` what tables and figures are computed from.  A published file is
written once and never again.
"""

import fcntl
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.core import paths

FORMAT = 1
PUBLISHED = paths.ROOT / "report" / "results"
_LEVELS = 15  # of a published mask: four bits a pixel
# What zipfile, zlib, json and NumPy raise for files that are cut off or altered.
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError)


class StoreError(RuntimeError):
    """A result that cannot be read or written; the message names the file and the cure."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file replaces ``path`` if the block succeeds; never half a file.

    Raises
    ------
    StoreError
        If the folder or the disk takes no more; what lay at ``path`` is still there.
    """
    with _writable(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Make the folder; what the disk refuses in the block is a StoreError that names the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        why = f"{paths.relative(path)} could not be written ({error.strerror or error})"
        raise StoreError(f"{why}: make room, or set PAPER_ARTIFACTS") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep the block to one process at a time by a lock on the file; the lock of a process that died is free."""
    with _writable(path):
        file = open(path, "ab")  # noqa: SIM115 the caller's errors are not to be caught here
    with file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON."""
    text = json.dumps(value, indent=1, sort_keys=True, default=as_plain, ensure_ascii=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def pack_masks(masks: np.ndarray) -> np.ndarray:
    """Soft masks (n, height, width, 1) in [0, 1] in 16 levels, two pixels a byte: uint8 (n, height, width / 2).

    Rounding keeps the side of 0.5 on which each pixel lies.
    """
    levels = np.rint(np.asarray(masks[..., 0], np.float64) * _LEVELS).astype(np.uint8)
    return levels[..., ::2] << 4 | levels[..., 1::2]


def unpack_masks(packed: np.ndarray) -> np.ndarray:
    """The masks of :func:`pack_masks`, float32 (n, height, width, 1)."""
    levels = np.stack([packed >> 4, packed & _LEVELS], axis=-1).reshape(*packed.shape[:2], -1, 1)
    return levels.astype(np.float32) / np.float32(_LEVELS)


def write(path: Path, values: Mapping[str, Any], about: Mapping[str, Any], compress: bool = False) -> Path:
    """Write arrays, lists of arrays and plain values as one zip file of ``.npy`` members and ``result.json``.

    ``about`` says what the values are (key, step, what made them) and is kept beside them.
    """
    members, plain = {}, {}
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            members[name] = _npy(value)
        elif isinstance(value, list) and value and all(isinstance(part, np.ndarray) for part in value):
            members |= {f"{name}/{index:04d}": _npy(part) for index, part in enumerate(value)}
        else:
            plain[name] = value
    content = {"format": FORMAT, **about, "values": plain}
    content["sha256"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, default=as_plain)
    parts = {"result.json": text.encode(), **{f"{name}.npy": data for name, data in members.items()}}
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in parts.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # fixed, so that equal results are equal files
            archive.writestr(member, data, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    return path


def read_about(path: Path) -> dict[str, Any]:
    """``result.json`` of a file: what the result is, what made it, and its plain values."""
    with _opened(path) as (_, about):
        return about


def read(path: Path, key: str, leave: Collection[str] = ()) -> dict[str, Any]:
    """The values of the file, without those called ``leave``.

    Raises
    ------
    StoreError
        If the file is cut off, altered, of another format, or holds another job's result.
    """
    with _opened(path) as (archive, about):
        if about.get("key") != key:
            raise StoreError(f"it holds the result {about.get('key')}")
        values = {name: value for name, value in about["values"].items() if name not in leave}
        for member, digest in about["sha256"].items():
            name, _, index = member.partition("/")
            if name in leave:
                continue
            data = archive.read(f"{member}.npy")
            if hashlib.sha256(data).hexdigest() != digest:
                raise StoreError(f"its part {member} was altered")
            array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
            if index:
                values.setdefault(name, []).append(array)
            else:
                values[name] = array
        return values


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("result.json"))
            if about.get("format") != FORMAT:
                raise StoreError(f"format {about.get('format')}, this code reads {FORMAT}")
            yield archive, about
    except (StoreError, *_DAMAGED) as error:
        why = next(iter(str(error).splitlines()), repr(error))
        raise StoreError(f"{paths.relative(path)} is damaged ({why})") from error


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def as_plain(value: Any) -> Any:
    """NumPy scalars and arrays as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no plain form for a result: {value!r}")


@dataclass(frozen=True)
class Store:
    """Where results are looked up and kept.

    Attributes
    ----------
    working : folder of all results of this backend and profile.
    published : folder of published results, looked up first; None: none are.
    publish : whether new results are published, too.
    """

    working: Path
    published: Path | None = None
    publish: bool = False

    def holds(self, job, extras: Iterable[str] = ()) -> bool:
        """Whether the job is done, and its working-only values called ``extras`` are at hand."""
        published = self._published_file(job) is not None and not set(extras) & set(job.step.working_only)
        return published or self._readable(job)

    def load(self, job, extras: Iterable[str] = ()) -> dict[str, Any]:
        """The result of a job that :meth:`holds`: values that are published win over those of a second training."""
        leave = set(job.step.working_only) - set(extras)
        published = self._published_file(job)
        whole = published and leave == set(job.step.working_only)
        values = {} if whole else read(self.file(job), job.key, leave)
        if published:
            try:
                values |= read(published, job.key, leave)
            except StoreError as error:
                # Published results are evidence: a damaged one is never passed over or made again in silence.
                raise StoreError(f"{error}; restore it: git checkout -- {paths.relative(published)}") from error
        return values

    def about(self, job) -> dict[str, Any]:
        """What made the result of a job that :meth:`holds`: ``seconds``, ``machine``, ``commit``, ``date``."""
        return read_about(self._published_file(job) or self.file(job))["made"]

    def keep(self, job, values: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """Write a finished job's values; those that are published already are left as they are."""
        about = {"key": job.key, "step": job.step.name, "inputs": job.meaning(), "made": dict(made)}
        public = {name: value for name, value in values.items() if name not in job.step.working_only}
        # First of the two: what is done here but not published would never be published later.
        if public and self.publish and self._published_file(job) is None:
            write(self.published / job.step.name / f"{job.key}.npz", public, about, compress=True)
        write(self.file(job), values, about)

    def file(self, job) -> Path:
        """Where the working result of a job lies."""
        return self.working / job.step.name / f"{job.key}.npz"

    def locked(self, job) -> AbstractContextManager[None]:
        """Keep a job to one process at a time."""
        return locked(self.file(job).with_suffix(".lock"))

    def _published_file(self, job) -> Path | None:
        path = self.published / job.step.name / f"{job.key}.npz" if self.published else None
        return path if path and path.exists() else None

    def _readable(self, job) -> bool:
        path = self.file(job)
        if not path.exists():
            return False
        try:
            read(path, job.key)
        except StoreError as error:
            set_aside(path, error)
            return False
        return True


def set_aside(path: Path, why: object) -> None:
    """Rename a damaged working file, which is then made again, and say so in one line."""
    os.replace(path, path.with_suffix(f"{path.suffix}.damaged"))
    print(f"{why}; set aside and made again", file=sys.stderr, flush=True)
