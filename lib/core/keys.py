"""What stands for a value in a job's key: its meaning, as JSON can hold it, and nothing computed in floating point."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Any

import numpy as np


def describe(value: Any) -> Any:
    """A value as it enters a key."""
    if hasattr(value, "describe"):  # a job or a data set
        return value.describe()
    if is_dataclass(value):
        defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(value)}
        return differing({name: getattr(value, name) for name in defaults}, defaults)
    if isinstance(value, list | tuple):
        return [describe(one) for one in value]
    if isinstance(value, np.generic):
        return describe(value.item())
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 and 1 are one setting
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return _digest(np.frombuffer(json.dumps(value.tolist()).encode(), np.uint8))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biu":
        return _digest(np.ascontiguousarray(value, "<i8"))
    raise TypeError(f"{value!r} has no place in a job's key: name the job that made it")


def _digest(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "sha256": hashlib.sha256(array.tobytes()).hexdigest()[:16]}


def differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they enter a key, without those that are the default."""
    required = [name for name, default in defaults.items() if default in (MISSING, Parameter.empty)]
    described = {name: describe(value) for name, value in values.items()}
    return {name: value for name, value in described.items() if name in required or value != describe(defaults[name])}
