"""Recipes for better masks, tried on one validation fold (protocol, section 7.2; exploratory).

Of its eight recipes d (192 pixels), f (UNet++ from scratch) and g (letterbox) are not planned.
"""

import tomllib
from dataclasses import replace
from pathlib import Path

from lib.core.config import Profile
from lib.core.jobs import Job
from lib.experiments import classifiers
from lib.experiments.grouped_cv import GroupedCV
from lib.two_stage.segmentation import SegmenterSettings

RECIPES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
VGG_ENCODER = "c: VGG16 encoder"
EMPTIED = "h: c, emptied where a classifier predicts normal"
_FOLD = 0  # is tested; the next one validates


def network(cv: GroupedCV, recipe: str) -> Job:
    """The network of a recipe, trained beside the first test fold and its validation fold, whose images it predicts."""
    changes = {} if cv.profile.weights == "random" else RECIPES[recipe]  # smoke: one network for all
    return cv.stage_1(_FOLD, replace(SegmenterSettings.pretrained(cv.profile), **changes))


def scoring_jobs(cv: GroupedCV) -> dict[tuple[str, str], Job]:
    """The jobs that score the masks of the validation and the test images, by recipe and part."""
    parts = {"validation": cv.validates(_FOLD), "test": _FOLD}
    wanted = [(recipe, part) for recipe in RECIPES for part in parts]
    return {(recipe, part): cv.mask_scores(parts[part], [network(cv, recipe)]) for recipe, part in wanted}


def classifier(cv: GroupedCV) -> Job:
    """The heads whose first kind, the image alone, predicts which masks recipe h empties."""
    return classifiers.classifiers(cv, _FOLD)[f"image, {classifiers.single_backbone(cv.profile)}"]


def planned(profile: Profile, seed: int) -> list[Job]:
    """The networks, their scores, and the classifier."""
    cv = GroupedCV.of(profile, seed)
    return [*(network(cv, recipe) for recipe in RECIPES), *scoring_jobs(cv).values(), classifier(cv)]
