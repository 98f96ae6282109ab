"""What stands for a value in a job's key: its meaning, as JSON can hold it, and nothing computed in floating point."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from inspect import Parameter
from typing import Any

import numpy as np


def describe(value: Any) -> Any:
    """A value as it enters a key."""
    if hasattr(value, "step") and hasattr(value, "key"):  # a job
        return {"job": value.key}
    if hasattr(value, "describe"):
        return value.describe()
    if is_dataclass(value):
        return {
            field.name: describe(getattr(value, field.name))
            for field in fields(value)
            if not same(getattr(value, field.name), _default(field))
        }
    if isinstance(value, np.ndarray):
        return _describe_array(value)
    if isinstance(value, list | tuple):
        return [describe(one) for one in value]
    if isinstance(value, np.generic):
        return describe(value.item())
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 and 1 are one setting
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no place in a job's key: {value!r}")


def _default(field: Any) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def _describe_array(value: np.ndarray) -> dict[str, Any]:
    if value.dtype.kind in "biu":
        value = np.ascontiguousarray(value, "<i8")
    elif value.dtype.kind == "U":
        value = np.frombuffer(json.dumps(value.tolist()).encode(), np.uint8)
    else:
        raise TypeError(f"an array of {value.dtype} has no place in a job's key: name the job that made it")
    return {"shape": list(value.shape), "sha256": hashlib.sha256(value.tobytes()).hexdigest()[:16]}


def same(value: Any, default: Any) -> bool:
    """Whether a value is the default, and is therefore left out."""
    if default is Parameter.empty or isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return False
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (value, default))
    return (numbers or type(value) is type(default)) and value == default
