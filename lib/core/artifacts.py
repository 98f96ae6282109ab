"""Files that are whole or absent, and expensive steps that run once.

``cached`` keys a result by everything it depends on: the settings and data digests that the caller
names, and the code of the modules that made it (with all lib modules they import).  A changed
comment or docstring does not invalidate a training of an hour; a changed statement does.
"""

import ast
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from lib.core import paths


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it if the block succeeds.

    A crash or a full disk leaves the old file, or none; never half of one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` atomically as indented JSON and return the path."""
    text = json.dumps(value, indent=1, sort_keys=True, default=_plain, ensure_ascii=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return Path(path)


def read_json(path: Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def digest(*values: Any) -> str:
    """Twelve hexadecimal digits that stand for arrays (shape, type, content) and plain values."""
    state = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype != object:
            state.update(f"{value.dtype}{value.shape}".encode())
            state.update(np.ascontiguousarray(value).data)
        else:
            state.update(json.dumps(value, sort_keys=True, default=_plain).encode())
    return state.hexdigest()[:12]


def cached(key: Mapping[str, Any], make: Callable[[], Any], folder: Path, code: tuple[str, ...] = ()) -> Any:
    """``make()``, computed once per key and code and kept in ``folder``.

    Parameters
    ----------
    key : mapping of names to settings and digests; must hold ``"step"``, which names the file.
    make : function without arguments; its result must be picklable.
    folder : where results lie, one ``<step>-<digest>.joblib`` and a readable ``.json`` of its key each.
    code : names of lib modules (``"lib.models.training"``) whose code the result depends on; what they
        import counts too, except the ground floor and ``lib.data``, whose results are in the key.
    """
    full_key = {**key, "code": source_digest(*code)}
    path = Path(folder) / f"{key['step']}-{digest(full_key)}.joblib"
    if path.exists():
        return joblib.load(path)
    result = make()
    with atomic(path) as temporary:
        joblib.dump(result, temporary)
    write_json(path.with_suffix(".json"), full_key)
    return result


# What these give to a step is in its key already, as settings, seeds and digests of data: a new setting
# of another notebook must not repeat a training of an hour.
_IN_THE_KEY = ("lib.core.artifacts", "lib.data", "lib.core.paths", "lib.core.config", "lib.core.run")


@lru_cache
def source_digest(*modules: str) -> str:
    """Digest of the code of ``modules`` and of the lib modules they import, without docstrings."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _module_file(name)
        if name in found or path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        waiting += [module for module in _lib_imports(tree) if not module.startswith(_IN_THE_KEY)]
        found[name] = ast.dump(_without_docstrings(tree))
    return digest(found)


def all_modules() -> tuple[str, ...]:
    """Names of all modules of lib."""
    files = (paths.ROOT / "lib").rglob("*.py")
    names = (".".join(file.relative_to(paths.ROOT).with_suffix("").parts) for file in files)
    return tuple(sorted(name.removesuffix(".__init__") for name in names))


def _module_file(name: str) -> Path | None:
    base = paths.ROOT.joinpath(*name.split("."))
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.exists()), None)


def _lib_imports(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("lib.")]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no plain form for a key or a JSON file: {value!r}")
