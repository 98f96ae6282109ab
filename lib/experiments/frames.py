"""Frames of results, of which some or all may be missing: an unfinished plan gives shorter tables, never errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.core.jobs import Result
from lib.data.record import ImageSet

_SCORES = dict.fromkeys(("dice", "iou", "hd95", "nsd", "true_area", "predicted_area"), float) | {"kind": str}


def of_rows(rows: Mapping[tuple, Any], names: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """One row per key, whose parts become index levels called ``names``; rows may lack columns."""
    return pd.DataFrame(list(rows.values()), pd.MultiIndex.from_tuples(list(rows), names=names), columns)


def stacked(parts: Sequence[pd.DataFrame], types: Mapping[str, type]) -> pd.DataFrame:
    """Frames one below another; without any, an empty one whose columns have the ``types`` that they would have."""
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
    return pd.concat(parts, ignore_index=True) if parts else empty


def of_masks(results: Mapping[tuple, Result], names: Mapping[str, type], images: ImageSet) -> pd.DataFrame:
    """Scores of :func:`lib.two_stage.segmentation.mask_scores` jobs that are done, one row per mask.

    Returns
    -------
    The parts of the jobs' keys, called ``names``, ``image`` (index), ``class``, and the scores.
    """
    classes, parts = np.array(images.classes)[images.labels], []
    for key, result in results.items():
        if result:
            place = result.job.arguments["scored"]
            origin = {**dict(zip(names, key, strict=True)), "image": place, "class": classes[place]}
            parts.append(pd.DataFrame(origin | {name: result[name] for name in _SCORES}))
    return stacked(parts, {**names, "image": int, "class": str, **_SCORES})
