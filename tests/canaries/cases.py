"""A tiny job on phantoms for every step; add a line for a new one, then ``python -m tests.canaries --bless NAME``."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from lib.core import jobs
from lib.core.jobs import Job
from lib.core.store import pack_masks
from lib.data import image_statistics, near_duplicates, splits
from lib.data.sources import MammogramPhantoms, Phantoms, SmallDigits
from lib.experiments import (
    backbone_comparison,
    classifiers,
    external,
    interpretability,
    lesion_features,
    small_model,
)
from lib.nas.child import Recipe, nas_child
from lib.nas.experiments import image_labels
from lib.two_stage import classification, segmentation, timing
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.model import TwoStageSettings
from lib.two_stage.segmentation import SegmenterSettings

DATA = Phantoms(30, 32)
SPLIT = splits.stratified(DATA.load().labels, 0, 0.6, 0.2)
PARTS = {"train": SPLIT.train, "validation": SPLIT.validation, "test": SPLIT.test}
LEARN = {"train": SPLIT.train, "validation": SPLIT.validation}
UNET = SegmenterSettings(filters=4, epochs=2, batch_size=8, bn_momentum=0.8)
# Everything that the plain U-Net leaves out: encoder, Dice, augmentation, schedule, mirrored masks, last epoch.
ENCODER = SegmenterSettings(
    architecture="mobilenetv2",
    epochs=2,
    batch_size=8,
    keep="last",
    weights="random",
    loss="bce+dice",
    augmentation="ultrasound",
    schedule="cosine",
    mirrored=True,
)
RECIPE = replace(ENCODER, architecture="vgg16", augmentation="strong", batch_norm=False, average=0.5)
BACKBONE = BackboneSettings("MobileNetV2", "random")
HEAD = HeadSettings(epochs=2, batch_size=8)
DIGITS = {"data": SmallDigits(), "train": np.arange(200), "validation": np.arange(200, 300), "seed": 1}
TESTED = {"test_data": SmallDigits("test"), "test": np.arange(50)}


@jobs.step("smooth_masks", version=1)
def smooth_masks(data):
    """Masks as a network could predict them, the same on every machine: no canary hangs on another one's rounding."""
    return {"masks": pack_masks(ndimage.gaussian_filter(data.masks, (0, 2, 2, 0)) * 0.9)}


unet = segmentation.segmenter(data=DATA, settings=UNET, seed=1, **LEARN)
encoder = segmentation.segmenter(data=DATA, settings=ENCODER, seed=1, **LEARN)
masks = [(smooth_masks(data=DATA), None)]
image, both = (
    classification.features(data=DATA, inputs=name, settings=BACKBONE, masks=masks if "mask" in name else ())
    for name in ("image", "image+mask")
)
pooled = classification.features(data=DATA, inputs="image", settings=replace(BACKBONE, features="pooled"))
heads = classification.heads(data=DATA, x=[image, both], settings=HEAD, seeds=[0, 1], **PARTS)
OTHER = Phantoms(15, 32, seed=1)
others = [
    classification.features(data=OTHER, inputs="image", settings=BACKBONE),
    classification.features(data=OTHER, inputs="image+mask", settings=BACKBONE, masks="ground truth"),
]

CASES: dict[str, Job] = {
    "segmenter": unet,
    "segmenter-encoder": encoder,
    "segmenter-recipe": segmentation.segmenter(data=DATA, settings=RECIPE, seed=1, **LEARN),
    "mask_scores": segmentation.mask_scores(data=DATA, masks=masks, scored=SPLIT.test),
    "features": both,
    "heads": heads,
    "heads-balanced": classification.heads(
        data=DATA, x=[image], settings=replace(HEAD, balance="downsampled"), seeds=[0], mirrored=[image], **PARTS
    ),
    "timing": timing.timing(data=DATA, settings=TwoStageSettings(UNET, BACKBONE, HEAD), seed=0, **PARTS),
    "backbone_cost": backbone_comparison.backbone_cost(name="MobileNetV2", size=32),
    "related_pairs": near_duplicates.related_pairs(data=Phantoms(30, 32, relatives=5)),
    "image_groups": near_duplicates.groups_job(Phantoms(30, 32, relatives=5)),
    "lesion_crops": lesion_features.crop_features(data=DATA, masks=masks, settings=BACKBONE),
    "mask_descriptors": lesion_features.mask_descriptors(data=DATA, masks=masks),
    "stage_1_maps": lesion_features.stage_1_maps(data=DATA, network=encoder, settings=ENCODER),
    "logistic_regression": classifiers.logistic_regression(data=DATA, x=pooled, **PARTS),
    "mc_dropout": classifiers.mc_dropout(data=DATA, x=pooled, settings=HEAD, seed=0, n_passes=3, **PARTS),
    "fine_tuned": classifiers.fine_tuned(
        data=DATA,
        settings=classifiers.FineTuningSettings(weights="random", epochs=1, batch_size=8),
        seed=0,
        **PARTS,
    ),
    "explanation": interpretability.explanation(
        data=DATA, network=unet, head=heads, test=SPLIT.test, settings=TwoStageSettings(UNET, BACKBONE, HEAD), seed=0
    ),
    "external_masks": external.external_masks(data=OTHER, network=encoder, settings=ENCODER),
    "external_classes": external.external_classes(head=heads, x=others, n_seeds=2, n_classes=3, settings=HEAD),
    "image_statistics": image_statistics.image_statistics(data=DATA),
    "nas_child": nas_child(
        text="C(4,3) IB(2,2,3,2,2,2) Concat(l(-4),l(-5)) F() FC(10)", settings=Recipe(epochs=2), **DIGITS, **TESTED
    ),
    "nas_child-long": nas_child(
        text="CN(6,3) P(2,2) SEIB(2,2,3,2,2,2) AT(2) GAP() FC(10)",
        settings=Recipe(2, 32, 2e-3, 0.0, 0, "cosine", "digits"),
        **DIGITS,
    ),
    "image_labels": image_labels(data=MammogramPhantoms()),
    "published_model": small_model.outside_job(Phantoms(15, small_model.SIZE)),
}
# Scores of masks cut at a threshold, and activation maps, jump where a network's last bits differ.
TOLERANCES = {"external_masks": 0.05, "explanation": 0.15, "published_model": 0.05}
# What is measured with a clock, or says which machine it was.
NOT_COMPARED = {"seconds", "ms", "machine"}
