"""Frames of results, of which some or all may be missing: an unfinished plan gives shorter tables, never errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def of_rows(rows: Mapping[tuple, Any], names: Sequence[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per key, whose parts become index levels called ``names``; rows may lack columns."""
    return pd.DataFrame(list(rows.values()), pd.MultiIndex.from_tuples(list(rows), names=names), columns)


def stacked(parts: Sequence[pd.DataFrame], types: Mapping[str, type]) -> pd.DataFrame:
    """Frames one below another; without any, an empty one whose columns have the ``types`` that they would have."""
    return pd.concat(parts or [pd.DataFrame(columns=list(types)).astype(dict(types))], ignore_index=True)
