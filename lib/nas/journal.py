"""The journal of a search: JSON lines on disk, one a finished child, safe against a kill at any moment.

The first line says which search this is (settings, data, code).  A line is appended, flushed and
synced as soon as its child is done; what a kill cuts off is one line, which is dropped on opening.
"""

import json
import os
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lib.core import artifacts, paths

try:
    import fcntl
except ImportError:  # not on Windows: there two searches on one journal are not kept apart
    fcntl = None


class JournalError(RuntimeError):
    """A journal that is not this search's, is damaged, or is in use; nothing was changed."""


@dataclass
class Journal:
    """An open journal; use it in a ``with`` block.

    Attributes
    ----------
    records : finished children by canonical hash, in the order in which they were finished.
    notes : what was wrong with the file on opening, one sentence each.
    """

    path: Path
    identity: dict[str, Any]
    records: dict[str, dict] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _file: IO[bytes] | None = None

    def __enter__(self) -> "Journal":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b")
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """Training time of all recorded children together."""
        return sum(record["seconds"] for record in self.records.values())

    def append(self, record: dict) -> None:
        """Add one finished child; when this returns, it is on disk."""
        self._write(record)
        self.records[record["hash"]] = record

    def _write(self, value: dict) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(
                f"{paths.relative(self.path)} is in use by another search that is still running"
            ) from None
        except OSError:
            return  # a file system without locks

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._say(f"dropped a line that was cut off after {len(content) - len(whole)} bytes")
            self._file.truncate(len(whole))
        lines = whole.splitlines()
        if not lines:
            self._write({"identity": self.identity})
            return
        values = [self._value(line, number) for number, line in enumerate(lines, start=1)]
        self._check(values[0].get("identity"))
        for number, value in enumerate(values[1:], start=2):
            if not {"hash", "status", "seconds", "accuracy", "parameters"} <= value.keys():
                raise JournalError(f"{paths.relative(self.path)}, line {number}: no record of a model")
            self.records[value["hash"]] = value

    def _value(self, line: bytes, number: int) -> dict:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise JournalError(f"{paths.relative(self.path)}, line {number}: damaged, not written by a search")
        return value

    def _check(self, found: Any) -> None:
        wanted = json.loads(json.dumps(self.identity))
        if found == wanted:
            return
        if not isinstance(found, dict):
            raise JournalError(
                f"{paths.relative(self.path)} is no journal of a search: its first line does not say which"
            )
        different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        told = "; ".join(f"{key}: {found.get(key)!r} there, {wanted.get(key)!r} here" for key in different)
        raise JournalError(
            f"{paths.relative(self.path)} is the journal of another search ({told}). Use another folder, or remove it."
        )

    def _say(self, what: str) -> None:
        self.notes.append(what)
        warnings.warn(f"{paths.relative(self.path)}: {what}", stacklevel=4)


def identity(settings: Any, data_digest: str, code: tuple[str, ...]) -> dict[str, Any]:
    """What makes a search the same search: every setting, the data, and the code that results depend on."""
    return {**_flat(asdict(settings)), "data": data_digest, "code": artifacts.source_digest(*code)}


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value})
    return flat
