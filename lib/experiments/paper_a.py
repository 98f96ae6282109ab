"""The jobs of paper A: rounds with their U-Net, out-of-fold masks, features and heads (II, III-B)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lib.core.config import Profile
from lib.core.jobs import Job
from lib.data import near_duplicates, sources, splits
from lib.data.record import ImageSet
from lib.models.unet import build_unet
from lib.two_stage import classification, segmentation, timing
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.model import TwoStageSettings
from lib.two_stage.segmentation import SegmenterSettings

# The ground truth is empty exactly for normal images, so this input holds the label: a bound, no result.
ORACLE = "image + ground-truth mask (oracle)"
# Stage 2 is trained on masks by networks that have not seen the image; validation and test masks are the
# same as for image+mask.
OUT_OF_FOLD = "image + out-of-fold mask"
STACKED = (*classification.INPUTS, ORACLE)  # trained side by side in every round
INPUTS = (*classification.INPUTS, OUT_OF_FOLD, ORACLE)
# Of the first primary endpoint, cheapest first; others are planned after them.
BACKBONES = ("VGG16", "MobileNetV2", "Xception")


@dataclass(frozen=True)
class Round:
    """One of the paper's ten rounds: one seed gives its split, its U-Net and its heads."""

    number: int
    seed: int
    split: splits.Split


@dataclass(frozen=True)
class Plan:
    """The jobs of paper A for a profile; ``seed`` is added to the number of each round."""

    profile: Profile
    seed: int = 0
    segmenter: SegmenterSettings | None = None  # None: the profile's, as printed
    masks: str = "union"  # to train stage 1: of all mask files of an image, or the first only

    @cached_property
    def source(self) -> sources.Source:
        return sources.ultrasound(self.profile)

    def versions(self) -> dict[str, sources.Source]:
        """The images as they are used, with the first mask file only, and resized in another way."""
        changes = {"as used": {}, "first mask": {"masks": "first"}, "area": {"resize": "area"}}
        return {name: sources.ultrasound(self.profile, **change) for name, change in changes.items()}

    @cached_property
    def table(self) -> ImageSet:
        """Labels and names of the images, which need not be at hand."""
        return self.source.table()

    @property
    def labels(self) -> np.ndarray:
        return self.table.labels

    @cached_property
    def rounds(self) -> list[Round]:
        seeds = range(self.seed, self.seed + self.profile.n_rounds)
        return [Round(number, seed, splits.stratified(self.labels, seed)) for number, seed in enumerate(seeds)]

    @property
    def backbones(self) -> list[str]:
        """Those of the primary endpoint first, in the order in which they are worth running."""
        return sorted(self.profile.backbones, key=lambda name: BACKBONES.index(name) if name in BACKBONES else 99)

    @property
    def unet_settings(self) -> SegmenterSettings:
        return self.segmenter or SegmenterSettings.of(self.profile)

    def parameters(self) -> dict[str, int]:
        """Parameters of the U-Net as printed and as it is here; the image's size changes none."""
        sizes = {"paper": SegmenterSettings().filters, "here": self.unet_settings.filters}
        return {name: build_unet((16, 16, 3), filters).count_params() for name, filters in sizes.items()}

    def unet(self, one: Round) -> Job:
        """The U-Net of a round, and its masks of all images."""
        source = sources.ultrasound(self.profile, masks=self.masks)
        return self._unet(one, source, one.split.train, self.unet_settings)

    def _unet(self, one: Round, source: sources.Source, train: np.ndarray, settings: SegmenterSettings) -> Job:
        parts = {"train": train, "validation": one.split.validation}
        return segmentation.segmenter(data=source, **parts, settings=settings, seed=one.seed)

    def fold_unets(self) -> list[Job]:
        """U-Nets of cross-fitting within the training part of round 0: each predicts the fold that it lacks.

        They are trained to the last epoch, since all images but the held-out fold are trained on.
        """
        train, seed = self.rounds[0].split.train, self.rounds[0].seed
        settings = replace(self.unet_settings, keep="last")
        shared = {"data": self.source, "validation": segmentation.NONE, "settings": settings, "seed": seed}
        folds = splits.k_fold(self.labels[train], self.profile.oof_folds, seed)
        parts = [(train[folds != fold], train[folds == fold]) for fold in range(self.profile.oof_folds)]
        return [segmentation.segmenter(train=rest, predicted=part, **shared) for rest, part in parts]

    def mask_parts(self, one: Round, inputs: str) -> list[tuple[Job, np.ndarray | None]] | str:
        """The masks that belong to an input, as parts of :func:`lib.two_stage.segmentation.assemble_masks`."""
        if inputs == ORACLE:
            return "ground truth"
        if inputs == OUT_OF_FOLD:
            others = np.concatenate([one.split.validation, one.split.test])
            return [(self.unet(one), others), *((job, None) for job in self.fold_unets())]
        return [(self.unet(one), None)]

    def features(self, one: Round, inputs: str, backbone: BackboneSettings) -> Job:
        """Features of all images for one of :data:`INPUTS`; those without predicted masks serve every round."""
        masks = {} if inputs == "image" else {"masks": self.mask_parts(one, inputs)}
        kind = inputs if inputs in classification.INPUTS else "image+mask"
        return classification.features(data=self.source, inputs=kind, settings=backbone, **masks)

    def heads(
        self, one: Round, backbone: str, inputs: Sequence[str] = STACKED, head: HeadSettings | None = None, **changes
    ) -> Job:
        """Heads of a round on several inputs and with several seeds, trained side by side.

        ``head`` replaces the profile's settings of the heads, ``changes`` fields of the backbone's.
        """
        settings = BackboneSettings(backbone, self.profile.weights, **changes)
        seeds = [10 * one.seed + number for number in range(self.profile.n_heads)]
        x = [self.features(one, name, settings) for name in inputs]
        head = head or HeadSettings(epochs=self.profile.head_epochs)
        return classification.heads(data=self.source, x=x, **one.split.parts(), settings=head, seeds=seeds)

    def out_of_fold_heads(self, backbone: str) -> Job:
        """Round 0's heads on out-of-fold masks: a stack of their own, so that no other row waits for them."""
        return self.heads(self.rounds[0], backbone, (OUT_OF_FOLD,))

    def mask_scores(self, one: Round, part: str = "test") -> Job:
        """Agreement of the U-Net's masks of a part with the ground truth."""
        masks = [(self.unet(one), None)]
        return segmentation.mask_scores(data=self.source, masks=masks, scored=one.split.parts()[part])

    def stacked_heads(self, inputs: Sequence[str] = STACKED, **changes: Any) -> dict[tuple[str, int], Job]:
        """The jobs of :meth:`heads` for all backbones and rounds."""
        jobs = [(name, one) for one in self.rounds for name in self.backbones]
        return {(name, one.number): self.heads(one, name, inputs, **changes) for name, one in jobs}

    def groups(self) -> Job:
        """Groups of related images, which bootstraps resample whole."""
        return near_duplicates.groups_job(self.source)

    def unet_trial(self, changes: Mapping[str, Any]) -> Job:
        """One U-Net of the tuning loop (III-B) on round 0; without changes its long learning curve."""
        profile, one = self.profile, self.rounds[0]
        source, train = sources.ultrasound(profile, size=profile.tune_size), one.split.train
        if profile.tune_images:
            train = train[splits.sample(self.labels[train], profile.tune_images, one.seed)]
        return self._unet(one, source, train, replace(self.unet_settings, epochs=profile.tune_epochs, **changes))

    def head_trial(self, changes: Mapping[str, Any]) -> Job:
        """One head of the tuning loop on image and mask of round 0; without changes its long learning curve."""
        head = HeadSettings(epochs=self.profile.tune_epochs, **changes)
        single = replace(self, profile=replace(self.profile, n_heads=1))
        return single.heads(self.rounds[0], self.profile.backbone, ("image+mask",), head)

    def balanced_heads(self) -> dict[str, Job]:
        """Heads on image and mask of round 0 by the way in which classes are balanced."""
        one, name, epochs = self.rounds[0], self.profile.backbone, self.profile.head_epochs
        ways = ("none", "weights", "downsampled")
        return {way: self.heads(one, name, ("image+mask",), HeadSettings(epochs=epochs, balance=way)) for way in ways}

    def times(self) -> Job:
        """Seconds of both stages (III-C)."""
        one, settings = self.rounds[0], TwoStageSettings.of(self.profile)
        return timing.timing(data=self.source, **one.split.parts(), settings=settings, seed=one.seed)
