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
    """Mean ± standard deviation over rounds by part; lesions, images without lesion and all images apart.

    Parameters
    ----------
    scores : of :func:`frame`.

    Returns
    -------
    ``lesion Dice``, ``lesion IoU``, ``lesion HD95`` in pixels (the median; a missed lesion counts as the image's
    diagonal), ``lesion NSD``, ``lesions missed``: share with Dice 0; ``normals marked``: share of images without
    lesion in which anything was predicted; ``Dice, all``: of all images, an empty mask of an empty one being 1;
    ``rounds``.
    """
    lesion = scores["kind"] == metrics.LESION
    columns = {
        "lesion Dice": (scores["dice"].where(lesion), "mean"),
        "lesion IoU": (scores["iou"].where(lesion), "mean"),
        "lesion HD95": (scores["hd95"].where(lesion), "median"),
        "lesion NSD": (scores["nsd"].where(lesion), "mean"),
        "lesions missed": ((scores["dice"] == 0).astype(float).where(lesion), "mean"),
        "normals marked": ((scores["dice"] == 0).astype(float).where(~lesion), "mean"),
        "Dice, all": (scores["dice"], "mean"),
    }
    keys = [scores["part"], scores["round"]]
    by_round = pd.DataFrame({name: one.groupby(keys, sort=False).agg(how) for name, (one, how) in columns.items()})
    by_part = by_round.groupby("part", sort=False)
    return mean_and_sd(by_part).assign(rounds=by_part.size())


def mean_and_sd(groups) -> pd.DataFrame:
    """Means of grouped numbers with their standard deviations, as text such as ``0.643 ± 0.021``."""
    sd = groups.std().map(lambda value: "" if np.isnan(value) else f" ± {value:.3f}")
    return groups.mean().map("{:.3f}".format, na_action="ignore") + sd


def lesion_dice(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean Dice of lesions: one row per part, one column per round; NaN where nothing is scored."""
    lesions = scores[scores["kind"] == metrics.LESION]
    table = lesions.astype({"dice": float}).pivot_table("dice", "part", "round")
    return table.reindex(splits.PARTS)
