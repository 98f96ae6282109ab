"""Paper versus code: what each point is worth in which the two differ, or in which both miss the cure.

One change at a time, from round 0 as printed; where the paper is silent the base is the authors' code (repository
bininglong/Breast-Ultrasound-Image-Classification).
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.evaluation import metrics, paired
from lib.experiments.paper_a import Plan
from lib.two_stage.segmentation import SegmenterSettings

BASE = "base"
VARIANTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def plan_of(profile: Profile, variant: Mapping[str, Any], seed: int = 0) -> Plan:
    """Round 0 with one U-Net, trained for the profile's ``variant_epochs``."""
    profile = replace(profile, unet_epochs=profile.variant_epochs, n_rounds=1)
    segmenter = replace(SegmenterSettings.of(profile), **variant.get("segmenter", {}))
    return Plan(profile, seed, segmenter, variant.get("masks", "union"))


def jobs(profile: Profile, seed: int = 0) -> dict[str, tuple[Job, Job, Job]]:
    """Heads, validation and test scores of the masks by variant.

    Heads are trained on one input only, all variants alike; masks are scored against the union of all masks,
    whichever stage 1 was trained on.
    """
    wanted = {}
    for name, variant in VARIANTS.items():
        plan = plan_of(profile, variant, seed)
        one = plan.rounds[0]
        inputs = (variant.get("inputs", "image+mask"),)
        heads = plan.heads(one, profile.backbone, inputs, **variant.get("backbone", {}))
        wanted[name] = (heads, plan.mask_scores(one, "validation"), plan.mask_scores(one, "test"))
    return wanted


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The jobs of this comparison in order of value."""
    return [job for row in jobs(profile, seed).values() for job in row]


def table(plan: Plan, results: Mapping[str, Sequence[Result]], groups: np.ndarray) -> pd.DataFrame:
    """What each change is worth: lesion Dice, accuracy, and its paired difference from the base.

    The interval is over groups of related test images; a difference between two U-Nets carries the luck of
    their trainings besides.

    Parameters
    ----------
    plan : any with the same round 0.
    results : of :func:`jobs`.
    groups : of related images, int (n_images,).
    """
    test, rows = plan.rounds[0].split.test, dict[str, dict[str, Any]]()
    right = {name: one["test"][0].argmax(axis=-1) == plan.labels[test] for name, (one, *_) in results.items() if one}
    for name, (_, validation, tested) in results.items():
        rows[name] = {column: VARIANTS[name].get(column, "") for column in ("base has", "changed to")}
        rows[name] |= {"Dice validation": _lesion_dice(validation), "Dice test": _lesion_dice(tested)}
        if name in right:
            n_heads = len(right[name])
            rows[name] |= {"accuracy": right[name].mean(), "heads": n_heads}
            if name != BASE and BASE in right:
                pair = right[name].ravel(), right[BASE].ravel()
                rows[name] |= paired.compare(*pair, np.tile(groups[test], n_heads))
    columns = ["base has", "changed to", "Dice validation", "Dice test", "accuracy", "heads", *paired.DIFFERENCE[:3]]
    return pd.DataFrame.from_dict(rows, "index").rename_axis("variant").reindex(columns=columns)


def _lesion_dice(scores: Result) -> float:
    frame = pd.DataFrame(scores.values, columns=["kind", "dice"])
    return frame.loc[frame["kind"] == metrics.LESION, "dice"].mean()
