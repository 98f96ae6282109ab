"""The small trained model of ``report/model``: round 0's split, MobileNetV2 in both stages (protocol, section 7.3)."""

import numpy as np

from lib.core import paths
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.experiments.paper_a import Plan
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.model import TwoStageSettings
from lib.two_stage.segmentation import SegmenterSettings

FOLDER = paths.ROOT / "report" / "model"
_NONE = np.empty(0, np.int64)


def settings_of(profile: Profile) -> TwoStageSettings:
    backbone = BackboneSettings("MobileNetV2", profile.weights, preprocessing="own", features="pooled")
    return TwoStageSettings(SegmenterSettings.pretrained(profile), backbone, HeadSettings(epochs=profile.head_epochs))


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The U-Net, the scores of its test masks, and the head."""
    plan, settings = Plan(profile, seed), settings_of(profile)
    split, source = plan.rounds[0].split, plan.source
    unet = segmentation.segmenter(
        data=source, train=split.train, validation=_NONE, settings=settings.segmenter, seed=seed
    )
    masks = [(unet, None)]
    x = classification.features(data=source, inputs=settings.inputs, settings=settings.backbone, masks=masks)
    head = classification.heads(data=source, x=[x], **split.parts(), settings=settings.head, seeds=[seed])
    return [unet, segmentation.mask_scores(data=source, masks=masks, scored=split.test), head]
