"""Grouped cross-validation: every image is tested once by models that have seen neither it nor a relative.

Fold k is tested, fold k + 1 validates, the others train (``report/protocol.md``, sections 3 and 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import config, jobs
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.data import files, near_duplicates, sources, splits
from lib.data.record import DataError, ImageSet
from lib.evaluation import statistics
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings


@dataclass(frozen=True, eq=False)
class GroupedCV:
    """One partition into folds, and the jobs of the networks that are trained under it.

    Attributes
    ----------
    source : the images.
    profile, seed : settings of all networks, and their seed.
    folds : int64 (n,), the fold of each image, or -1: in no part.
    table : labels and names of the images, without pixels.
    groups : int64 (n,), related images.
    """

    source: sources.Source
    profile: Profile
    seed: int
    folds: np.ndarray
    table: ImageSet
    groups: np.ndarray

    @classmethod
    def of(cls, profile: Profile, seed: int = 0, partition: int = 0, grouped: bool = True) -> "GroupedCV":
        """The profile's images in grouped folds, or in random ones, which let related images leak.

        Parameters
        ----------
        partition : seed of the folds.
        """
        # Phantoms have planted relatives, one for each tenth image; BUSI has its own.
        relatives = {"relatives": profile.n_phantoms // 10} if profile.data == "phantoms" else {}
        source = sources.ultrasound(profile, **relatives)
        table = source.table()
        groups = jobs.run([near_duplicates.groups_job(source)], config.store_of(profile), train=False)[0]["groups"]
        kept, folds = np.flatnonzero(_kept(profile, table)), np.full(len(table), -1)
        folds[kept] = splits.k_fold(table.labels[kept], profile.n_folds, partition, groups[kept] if grouped else None)
        return cls(source, profile, seed, folds, table, groups)

    @property
    def n_folds(self) -> int:
        return int(self.folds.max()) + 1

    @property
    def labels(self) -> np.ndarray:
        return self.table.labels

    @property
    def classes(self) -> tuple[str, ...]:
        return self.table.classes

    @property
    def positive(self) -> int:
        """The class that matters most."""
        return self.classes.index("malignant")

    def validates(self, fold: int) -> int:
        """The fold that validates the models that are tested on ``fold``."""
        return (fold + 1) % self.n_folds

    def members(self, *folds: int) -> np.ndarray:
        """Indices of the images of these folds."""
        return np.flatnonzero(np.isin(self.folds, folds))

    def others(self, *folds: int) -> list[int]:
        """All other folds."""
        return [one for one in range(self.n_folds) if one not in folds]

    def split(self, fold: int) -> splits.Split:
        """The split in which ``fold`` is tested."""
        other = self.validates(fold)
        return splits.Split(self.members(*self.others(fold, other)), self.members(other), self.members(fold))

    # Stage 1

    def paper_unet(self, fold: int) -> Job:
        """The paper's U-Net as printed, trained beside ``fold``; it predicts all images, its own included."""
        split, settings = self.split(fold), SegmenterSettings.of(self.profile)
        parts = {"train": split.train, "validation": split.validation}
        return segmentation.segmenter(data=self.source, **parts, settings=settings, seed=self.seed)

    def without(self, *left_out: int, settings: SegmenterSettings | None = None) -> Job:
        """The network with an ImageNet encoder that has not seen the folds ``left_out``, whose images it predicts.

        Without folds it is trained on all images and predicts one of them: it is meant for other data.  Given
        ``settings`` replace those of the network.
        """
        train = {"train": self.members(*self.others(*left_out)), "validation": segmentation.NONE}
        predicted = self.members(*left_out) if left_out else self.members(0)[:1]
        chosen = {"settings": settings or SegmenterSettings.pretrained(self.profile), "seed": self.seed}
        return segmentation.segmenter(data=self.source, **train, **chosen, predicted=predicted)

    def stage_1(self, fold: int, settings: SegmenterSettings | None = None) -> Job:
        """The network that has seen neither the tested ``fold`` nor the one that validates."""
        return self.without(fold, self.validates(fold), settings=settings)

    def unseen_masks(self, fold: int) -> list[tuple[Job, np.ndarray]]:
        """Masks of all images by networks that have seen neither the image nor ``fold``: the same kind for all."""
        other = self.validates(fold)
        trained_on = [(self.without(one, fold), self.members(one)) for one in self.others(fold, other)]
        return [*trained_on, (self.stage_1(fold), self.members(fold, other))]

    def mask_scores(self, fold: int, networks: Sequence[Job]) -> Job:
        """Agreement with the ground truth of a fold's masks by one network, or of the mean of several."""
        members, ensemble = self.members(fold), len(networks) > 1
        masks = [(one, members) for one in networks]
        return segmentation.mask_scores(data=self.source, masks=masks, scored=members, ensemble=ensemble)

    # Stage 2

    def features(self, backbone: str, inputs: str = "image", masks: Sequence = (), **changes) -> Job:
        """Features of all images by a frozen backbone; ``changes`` replace fields of its settings."""
        settings = BackboneSettings(backbone, self.profile.weights, **changes)
        return classification.features(data=self.source, inputs=inputs, settings=settings, masks=masks)

    def heads(self, split: splits.Split, x: Sequence[Job], mirrored: Sequence[Job] = (), **changes) -> Job:
        """The paper's head on each kind of features; ``changes`` replace fields of its settings."""
        settings = HeadSettings(epochs=self.profile.head_epochs, **changes)
        images = {"data": self.source, **split.parts()}
        seeds = list(range(self.seed, self.seed + self.profile.n_heads))
        return classification.heads(**images, x=x, mirrored=mirrored, settings=settings, seeds=seeds)

    # Tables

    def done(self, values: pd.Series) -> str:
        """How many folds are done, such as "4 of 5", from values (n,) that are NaN where an image is not tested."""
        return f"{len(set(self.folds[values.notna()]))} of {self.n_folds}"

    def against_bound(self, name: str, values: pd.DataFrame, bound: float) -> pd.DataFrame:
        """Means over images against the bound of an endpoint: interval over groups, p and the protocol's verdict.

        Parameters
        ----------
        name : of the column of the means.
        values : float (n, columns), for example whether each image is right; NaN is left out.  A column makes a row.
        """
        rows = {}
        for column, one in values.items():
            known = one.notna()
            mean = statistics.mean_bootstrap(one[known], self.groups[known], seed=self.seed)
            verdict = self.interim(one) + statistics.verdict_bound(mean.estimate, mean.low, mean.high, bound)
            row = {**mean.row(name), "bound": bound, "p": mean.p_value(bound), "images": one.count()}
            rows[column] = row | {"folds": self.done(one), "verdict": verdict}
        return pd.DataFrame(rows).T.infer_objects()

    def interim(self, values: pd.Series) -> str:
        """What goes before a verdict while folds are missing."""
        return "" if len(set(self.folds[values.notna()])) == self.n_folds else "interim: "


def _kept(profile: Profile, table: ImageSet) -> np.ndarray:
    """Whether an image is none of those that the profile's file leaves out."""
    names = files.read_table(Path(profile.excluded), ["name"])["name"] if profile.excluded else []
    if unknown := sorted(set(names) - set(table.names)):
        raise DataError(f"{profile.excluded}: unknown images {unknown[:3]}")
    return ~pd.Series(table.names).isin(names).to_numpy()
