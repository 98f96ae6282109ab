"""A result in a few numbers, and how far two of them may differ."""

import importlib
import json
import math
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import lib
from lib.core import runtime
from lib.core.jobs import Step, run
from lib.core.store import Store
from tests.canaries.cases import CASES, NOT_COMPARED, TOLERANCES

FOLDER = Path(__file__).parent
RELATIVE, ABSOLUTE = 2e-3, 2e-4  # one thread against two, and other processors, differ by less


def steps() -> dict[str, Step]:
    """All steps of lib by name."""
    found: dict[str, Step] = {}
    for module in pkgutil.walk_packages(lib.__path__, "lib."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Step) and found.setdefault(value.name, value) is not value:
                raise ValueError(f"two steps are called {value.name}")
    return found


def result(name: str, store: Store) -> dict[str, Any]:
    """The canary's result as it is committed: the step, its version and its values in a few numbers."""
    runtime.use_deterministic_operations()
    job = CASES[name]
    found = run([job], store, extras=job.step.working_only)[0]
    if not found:
        raise RuntimeError(f"{job}: {found.error}")
    values = {key: brief(value) for key, value in found.values.items() if key not in NOT_COMPARED}
    # Plain JSON, so that what was read is compared with what would be written.
    return json.loads(json.dumps({"step": job.step.name, "version": job.step.version, "values": values}))


def read(name: str) -> dict[str, Any]:
    """The committed result."""
    file = FOLDER / f"{name}.json"
    if not file.exists():
        raise FileNotFoundError(f"{file.name} is missing: python -m tests.canaries --bless {name}")
    return json.loads(file.read_text(encoding="utf-8"))


def brief(value: Any) -> Any:
    """Shape, mean, spread and first numbers of an array; other values the same way, part by part."""
    if isinstance(value, dict):
        return {str(name): brief(part) for name, part in value.items() if name not in NOT_COMPARED}
    if isinstance(value, list) and value and all(isinstance(part, np.ndarray) for part in value):
        flat = np.concatenate([np.ravel(part) for part in value])
        return {"arrays": len(value), **brief(flat)}
    if isinstance(value, list | tuple) and value and all(isinstance(part, int | float | bool) for part in value):
        return brief(np.array(value, float))
    if isinstance(value, list | tuple):
        return [brief(part) for part in value[:5]]
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return value.tolist()[:5] if isinstance(value, np.ndarray) else value
    numbers = value.astype(float)
    finite = numbers[np.isfinite(numbers)]
    short = {"shape": list(value.shape), "finite": len(finite)}
    if len(finite):
        short |= {"mean": finite.mean(), "std": finite.std()}
    if value.dtype.kind == "f":  # rounded values may come out one level higher
        short["first"] = [float(one) if math.isfinite(one) else None for one in numbers.ravel()[:3]]
    return short


def differences(name: str, found: dict[str, Any]) -> list[str]:
    """How a canary's result differs from the committed one by more than the tolerance, one line each."""
    return list(_differ(read(name), found, name, TOLERANCES.get(name, RELATIVE)))


def _differ(expected: Any, found: Any, where: str, relative: float) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict) and set(expected) == set(found):
        for key, value in expected.items():
            yield from _differ(value, found[key], f"{where}/{key}", relative)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, value in enumerate(expected):
            yield from _differ(value, found[number], f"{where}/{number}", relative)
    else:
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (expected, found))
        near = numbers and math.isclose(expected, found, rel_tol=relative, abs_tol=max(ABSOLUTE, relative / 10))
        if not near and expected != found:
            yield f"{where}: {expected} was committed, {found} came out"
