"""How well the masks of stage 1 agree with the ground truth, over rounds (paper A, IV-B)."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lib.core.jobs import Result
from lib.experiments import frames
from lib.experiments.paper_a import Plan


def frame(plan: Plan, results: Mapping[tuple[str, int], Result]) -> pd.DataFrame:
    """Columns of :func:`lib.experiments.frames.of_masks` by ``part`` and number of the ``round``."""
    return frames.of_masks(results, {"part": str, "round": int}, plan.table)


def histories(results: Iterable[Result]) -> pd.DataFrame:
    """The epochs of all U-Nets that are done: ``round`` and the columns of :func:`lib.models.training.fit`."""
    parts = [pd.DataFrame(one["history"]).assign(round=number) for number, one in enumerate(results) if one]
    types = {"round": int, "epoch": int, "bce": float, "val_bce": float, "kept": bool}
    return frames.stacked(parts, types)[list(types)]


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
    ``images`` per round; ``rounds``.
    """
    rounds = pd.concat([scores, scores.assign(kind="all")]).groupby(["part", "kind", "round"], sort=False)
    figures = rounds[["dice", "iou", "nsd"]].mean()
    figures["hd95"] = rounds["hd95"].median()
    figures["dice 0"] = rounds["dice"].agg(lambda dice: (dice == 0).mean())
    figures["images"] = rounds.size()
    rows = figures.groupby(["part", "kind"], sort=False)
    table = rows.mean().join(rows[["dice", "iou"]].std().add_suffix(" sd")).assign(rounds=rows.size())
    return table[["dice", "dice sd", "iou", "iou sd", "hd95", "nsd", "dice 0", "images", "rounds"]]
