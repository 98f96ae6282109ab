"""Paper versus code: what each point is worth in which the two differ, or in which both miss the cure.

One change at a time, from round 0 as printed; where the paper is silent the base is the authors' code (repository
bininglong/Breast-Ultrasound-Image-Classification).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.evaluation import metrics, paired
from lib.experiments.paper_a import OUT_OF_FOLD, Plan
from lib.two_stage.segmentation import SegmenterSettings

BASE = "base"


@dataclass(frozen=True)
class Variant:
    """What one row changes: settings of either stage, the masks that stage 1 is trained on, the input of stage 2."""

    base_has: str = ""
    changed_to: str = ""
    segmenter: Mapping[str, Any] = field(default_factory=dict)
    backbone: Mapping[str, Any] = field(default_factory=dict)
    masks: str = "union"
    inputs: str = "image+mask"


VARIANTS = {
    BASE: Variant(),
    "kept epoch": Variant("best on validation (paper)", "last (code)", {"keep": "last"}),
    "decoder dropout": Variant("in every block (paper)", "none: dead code (code)", {"decoder_dropout": False}),
    "several lesions": Variant("union of all masks", "first mask only (code)", masks="first"),
    "all as in the code": Variant(
        "", "the three rows above", {"keep": "last", "decoder_dropout": False}, masks="first"
    ),
    "preprocessing": Variant("raw [0, 1] (code)", "the backbone's own", backbone={"preprocessing": "own"}),
    "features": Variant("flattened (code)", "pooled", backbone={"features": "pooled"}),
    "masks to train stage 2": Variant(
        "of the U-Net's own training images (both)", "out of fold (the remedy)", inputs=OUT_OF_FOLD
    ),
}


def plan_of(profile: Profile, variant: Variant, seed: int = 0) -> Plan:
    """Round 0 with one U-Net, trained for the profile's ``variant_epochs``."""
    profile = replace(profile, unet_epochs=profile.variant_epochs, n_rounds=1)
    return Plan(profile, seed, replace(SegmenterSettings.of(profile), **variant.segmenter), variant.masks)


def jobs(profile: Profile, seed: int = 0) -> dict[str, tuple[Job, Job, Job]]:
    """Heads, validation and test scores of the masks by variant.

    Heads are trained on one input only, all variants alike; masks are scored against the union of all masks,
    whichever stage 1 was trained on.
    """
    wanted = {}
    for name, variant in VARIANTS.items():
        plan = plan_of(profile, variant, seed)
        one = plan.rounds[0]
        heads = plan.heads(one, profile.backbone, (variant.inputs,), **variant.backbone)
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
    right = {
        name: heads["test"][0].argmax(axis=-1) == plan.labels[test] for name, (heads, *_) in results.items() if heads
    }
    for name, (_, validation, tested) in results.items():
        rows[name] = {"base has": VARIANTS[name].base_has, "changed to": VARIANTS[name].changed_to}
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
