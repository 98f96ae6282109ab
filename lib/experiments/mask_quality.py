"""How well the masks of stage 1 agree with the ground truth, over rounds (paper A, IV-B)."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from lib.core.jobs import Result
from lib.data import splits
from lib.evaluation import metrics
from lib.experiments.paper_a import Plan

_PLACE = ("part", "round", "image", "class")
_SCORES = ("dice", "iou", "hd95", "nsd", "true_area", "predicted_area", "kind")


def frame(plan: Plan, results: Mapping[tuple[str, int], Result]) -> pd.DataFrame:
    """Scores of :func:`lib.two_stage.segmentation.mask_scores` by part and number of the round, one row per mask.

    Returns
    -------
    The scores, and ``part``, ``round``, ``image`` (index) and ``class``.
    """
    parts = [pd.DataFrame(columns=[*_PLACE, *_SCORES])]
    for (part, number), result in results.items():
        if result:
            image = plan.rounds[number].split.parts()[part]
            names = np.array(plan.table.classes)[plan.labels[image]]
            place = dict(zip(_PLACE, (part, number, image, names), strict=True))
            parts.append(pd.DataFrame(place | {name: result[name] for name in _SCORES}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def histories(results: Iterable[Result]) -> pd.DataFrame:
    """The epochs of all U-Nets that are done: ``round`` and the columns of :func:`lib.models.training.fit`."""
    parts = [pd.DataFrame(one["history"]).assign(round=number) for number, one in enumerate(results) if one]
    columns = ["round", "epoch", "bce", "val_bce", "kept"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def over_rounds(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over rounds of each round's figures, by part and kind: lesions, images without lesion, all images.

    Parameters
    ----------
    scores : of :func:`frame`.

    Returns
    -------
    ``dice``, ``iou``: means over images, with their standard deviation over rounds; an empty mask of an empty one
    counts as 1, and enters ``all`` only; ``hd95`` in pixels: the median, a missed lesion being the image's diagonal;
    ``nsd``; ``dice 0``: share of lesions missed, or of images without lesion in which anything was predicted;
    ``images`` a round; ``rounds``.
    """
    both = pd.concat([scores, scores.assign(kind="all")]).assign(zero=lambda part: part["dice"] == 0)
    figures = both.groupby(["part", "kind", "round"], sort=False).agg(
        dice=("dice", "mean"),
        iou=("iou", "mean"),
        hd95=("hd95", "median"),
        nsd=("nsd", "mean"),
        zero=("zero", "mean"),
        images=("dice", "size"),
    )
    by_row = figures.groupby(["part", "kind"], sort=False)
    table = by_row.mean().rename(columns={"zero": "dice 0"}).assign(rounds=by_row.size())
    for place, name in ((1, "dice"), (3, "iou")):
        table.insert(place, f"{name} sd", by_row[name].std())
    return table


def mean_and_sd(groups) -> pd.DataFrame:
    """Means of grouped numbers with their standard deviations, as text such as ``0.643 ± 0.021``."""
    sd = groups.std().map(lambda value: "" if np.isnan(value) else f" ± {value:.3f}")
    return groups.mean().map("{:.3f}".format, na_action="ignore") + sd


def lesion_dice(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean Dice of lesions: one row per part, one column per round; NaN where nothing is scored."""
    lesions = scores[scores["kind"] == metrics.LESION]
    table = lesions.astype({"dice": float}).pivot_table("dice", "part", "round")
    return table.reindex(index=splits.PARTS, columns=table.columns if len(table) else [0])
