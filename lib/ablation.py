"""Table I: what each input of stage 2 is worth, on the same images with the same heads (paper A, IV-B)."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib import classification, significance
from lib.data.record import ImageSet
from lib.data.splits import Split

# The oracle's mask is empty exactly for normal images, so its input holds the label: a bound, no result.
ORACLE = "image+true mask"
INPUTS = ("image", "mask", "image+mask", ORACLE)


def compare_inputs(
    data: ImageSet,
    masks: np.ndarray,
    split: Split,
    settings: classification.Settings,
    seeds: Iterable[int],
    cache: Path | None = None,
    backbone_seed: int = 0,
) -> pd.DataFrame:
    """Accuracy of one head a seed on each of :data:`INPUTS`.

    Parameters
    ----------
    masks : predicted masks of all images, float32 (n, height, width, 1) in [0, 1].
    settings : of stage 2; ``settings.inputs`` is replaced.
    seeds : of the heads.

    Returns
    -------
    One row a head: ``inputs``, ``seed``, ``validation`` and ``accuracy`` (of the test part).
    """
    seeds, rows = list(seeds), []
    for inputs in INPUTS:
        chosen = replace(settings, inputs="image+mask" if inputs == ORACLE else inputs)
        drawn = data.masks if inputs == ORACLE else masks
        x = classification.features(data.images, drawn, chosen, cache, backbone_seed)
        said = classification.head_rounds(x, data.labels, len(data.classes), split, chosen, seeds, cache)
        right = said.argmax(axis=2) == data.labels
        for seed, row in zip(seeds, right, strict=True):
            parts = {"validation": row[split.validation].mean(), "accuracy": row[split.test].mean()}
            rows.append({"inputs": inputs, "seed": seed, **parts})
    return pd.DataFrame(rows)


def summarise(rounds: pd.DataFrame, reported: pd.Series) -> pd.DataFrame:
    """Mean, spread, extremes and 95 % interval over heads for each input, beside the printed accuracy."""
    groups = rounds.groupby("inputs", sort=False).accuracy
    table = pd.DataFrame({"reported": reported}).loc[list(dict.fromkeys(rounds.inputs))]
    table = table.join(groups.agg(["mean", "std", "min", "max"]))
    bounds = groups.apply(significance.mean_interval)
    table["95 % low"], table["95 % high"], table["heads"] = bounds.str[0], bounds.str[1], groups.size()
    return table
