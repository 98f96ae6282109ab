"""Grouped cross-validation: every image is tested once by models that have seen neither it nor a relative.

Fold k is tested, fold k + 1 validates, the others train (``report/protocol.md``, sections 3 and 4).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lib.core import config, jobs
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.core.run import Run
from lib.data import near_duplicates, sources, splits
from lib.data.record import DataError, ImageSet
from lib.data.sources import Source
from lib.data.splits import Split
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

_NONE = np.empty(0, np.int64)
Parts = list[tuple[Job, np.ndarray | None]]  # of lib.two_stage.segmentation.assemble_masks


@dataclass(frozen=True, eq=False)
class GroupedCV:
    """One partition into folds, and the jobs of every network that is trained under it.

    Attributes
    ----------
    source : the images.
    profile, seed : settings of all networks, and their seed.
    folds : int64 (n,), the fold of each image, or -1: in no part.
    table : labels and names of the images, without pixels.
    groups : int64 (n,), related images.
    """

    source: Source
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
        return cls.on(source, profile, profile.n_folds, seed, partition, grouped)

    @classmethod
    def on(
        cls,
        source: Source,
        profile: Profile,
        n_folds: int,
        seed: int = 0,
        partition: int = 0,
        grouped: bool = True,
        groups: np.ndarray | None = None,
    ) -> "GroupedCV":
        """Folds of any data set; its groups are those found in it, unless they are given."""
        table = source.table()
        if groups is None:
            groups = jobs.run([near_duplicates.groups_job(source)], config.store_of(profile), train=False)[0]["groups"]
        kept = np.flatnonzero(_kept(profile, table, groups))
        folds = np.full(len(table), -1)
        folds[kept] = splits.k_fold(table.labels[kept], n_folds, partition, groups[kept] if grouped else None)
        return cls(source, profile, seed, folds, table, groups)

    @cached_property
    def n_folds(self) -> int:
        return int(self.folds.max()) + 1

    @property
    def labels(self) -> np.ndarray:
        return self.table.labels

    @property
    def classes(self) -> tuple[str, ...]:
        return self.table.classes

    @cached_property
    def positive(self) -> int:
        """The class that matters most: malignant."""
        return self.classes.index("malignant") if "malignant" in self.classes else len(self.classes) - 1

    def validates(self, fold: int) -> int:
        """The fold that validates the models that are tested on ``fold``."""
        return (fold + 1) % self.n_folds

    def members(self, *folds: int) -> np.ndarray:
        """Indices of the images of these folds."""
        return np.flatnonzero(np.isin(self.folds, folds))

    def split(self, fold: int) -> Split:
        """The split in which ``fold`` is tested."""
        other = self.validates(fold)
        train = [one for one in range(self.n_folds) if one not in (fold, other)]
        return Split(self.members(*train), self.members(other), self.members(fold))

    def parts(self, fold: int) -> dict[str, np.ndarray]:
        """:meth:`split` by argument name."""
        return self.split(fold).parts()

    # Stage 1

    def paper_unet(self, fold: int) -> Job:
        """The paper's U-Net as printed, trained beside ``fold``; it predicts all images, its own included."""
        split, settings = self.split(fold), SegmenterSettings.of(self.profile)
        return segmentation.segmenter(
            data=self.source, train=split.train, validation=split.validation, settings=settings, seed=self.seed
        )

    def without(self, *left_out: int) -> Job:
        """The network with an ImageNet encoder that has not seen the folds ``left_out``, whose images it predicts.

        Without folds it is trained on all images and predicts one of them: it is meant for other data.
        """
        rest = [one for one in range(self.n_folds) if one not in left_out]
        return segmentation.segmenter(
            data=self.source,
            train=self.members(*rest),
            validation=_NONE,
            settings=SegmenterSettings.pretrained(self.profile),
            seed=self.seed,
            predicted=self.members(*left_out) if left_out else self.members(0)[:1],
        )

    def without_pair(self, first: int, second: int) -> Job:
        """:meth:`without` two folds in any order."""
        return self.without(*sorted((first, second)))

    def stage_1(self, fold: int) -> Job:
        """The network that has seen neither the tested ``fold`` nor the one that validates."""
        return self.without_pair(fold, self.validates(fold))

    def printed_masks(self, fold: int) -> Parts:
        """Masks of all images for the classifier that is tested on ``fold``, as printed."""
        return [(self.paper_unet(fold), None)]

    def unseen_masks(self, fold: int) -> Parts:
        """The same of one kind: no network has seen the image that it predicts, nor ``fold``."""
        other = self.validates(fold)
        train = [one for one in range(self.n_folds) if one not in (fold, other)]
        held_out = (self.stage_1(fold), self.members(fold, other))
        return [*((self.without_pair(one, fold), self.members(one)) for one in train), held_out]

    def mask_scores(self, kind: str) -> list[tuple[Job, np.ndarray]]:
        """Jobs that score test masks, with the indices of the images: ``paper``, ``single`` or ``ensemble``."""
        scored = []
        for fold in range(self.n_folds):
            tested = self.members(fold)
            others = [one for one in range(self.n_folds) if one != fold]
            networks = {
                "paper": [self.paper_unet(fold)],
                "single": [self.stage_1(fold)],
                "ensemble": [self.without_pair(fold, one) for one in others],
            }[kind]
            ensemble = {"ensemble": True} if kind == "ensemble" else {}
            masks = [(network, tested) for network in networks]
            scored.append((segmentation.mask_scores(data=self.source, masks=masks, scored=tested, **ensemble), tested))
        return scored

    # Stage 2

    def features(self, backbone: str, inputs: str = "image", masks: Sequence = (), **changes) -> Job:
        """Features of all images by a frozen backbone; ``changes`` replace fields of its settings."""
        settings = BackboneSettings(backbone, self.profile.weights, **changes)
        more = {"masks": masks} if masks else {}
        return classification.features(data=self.source, inputs=inputs, settings=settings, **more)

    def heads(self, fold: int, x: Sequence[Job], mirrored: Sequence[Job] = (), **changes) -> Job:
        """The paper's head on each kind of features; ``changes`` replace fields of its settings."""
        return classification.heads(
            data=self.source,
            x=list(x),
            **self.parts(fold),
            settings=HeadSettings(epochs=self.profile.head_epochs, **changes),
            seeds=self.head_seeds,
            **({"mirrored": list(mirrored)} if mirrored else {}),
        )

    @property
    def head_seeds(self) -> list[int]:
        return list(range(self.seed, self.seed + self.profile.n_heads))


@dataclass(frozen=True, eq=False)
class Pooled:
    """Class probabilities by models that were not trained on the fold of the image.

    Attributes
    ----------
    test : float32 (n_seeds, n, n_classes), of the models that are tested on the image; NaN where the training
        is not done or the image is in no fold.
    validation : the same of the models that the image validated; they are those tested on the fold before.
    trainings : how many of the folds' trainings are done.
    """

    test: np.ndarray
    validation: np.ndarray
    trainings: int

    @cached_property
    def done(self) -> np.ndarray:
        """Whether each image is tested, bool (n,)."""
        return ~np.isnan(self.test).any(axis=(0, 2))

    def right(self, labels: np.ndarray) -> np.ndarray:
        """Share of the seeds that are right about each image, float (n,), NaN where it is not tested."""
        return np.where(self.done, (self.test.argmax(axis=2) == labels).mean(axis=0), np.nan)

    def averaged(self) -> "Pooled":
        """The ensemble of the seeds: their probabilities averaged."""
        return Pooled(self.test.mean(axis=0)[None], self.validation.mean(axis=0)[None], self.trainings)


Classifier = tuple[Callable[[GroupedCV, int], Job], int]  # the job of a test fold, and which of its kinds of features


def pooled(run: Run, cv: GroupedCV, classifier: Classifier) -> Pooled | None:
    """One classifier's answers over all folds; None if no training is done."""
    job_of, kind = classifier
    return pool(cv, run.results(job_of(cv, fold) for fold in range(cv.n_folds)), kind)


def pool(cv: GroupedCV, results: Iterable[Result], kind: int = 0) -> Pooled | None:
    """The answers of one result per fold, put together; see :func:`pooled`."""
    test = validation = None
    done = 0
    for fold, result in enumerate(results):
        if not result:
            continue
        parts = [result[name] for name in ("test", "validation")]
        parts = [part[kind] if part.ndim == 4 else part for part in parts]
        if test is None:
            shape = (len(parts[0]), len(cv.labels), parts[0].shape[-1])
            test, validation = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        test[:, cv.members(fold)] = parts[0]
        validation[:, cv.members(cv.validates(fold))] = parts[1]
        done += 1
    return None if test is None else Pooled(test, validation, done)


def _kept(profile: Profile, table: ImageSet, groups: np.ndarray) -> np.ndarray:
    """Whether the profile's policies keep each image: groups in conflict, and a file of images to leave out."""
    kept = np.ones(len(table), bool)
    if config.check_choice("policy for conflicts", profile.conflicts, ("keep", "drop")) == "drop":
        kept &= ~near_duplicates.conflicts(groups, table.labels)
    if profile.excluded:
        frame = pd.read_csv(profile.excluded, dtype=str)
        unknown = sorted(set(frame["name"]) - set(table.names)) if "name" in frame else []
        if "name" not in frame or unknown:
            raise DataError(f"{profile.excluded}: needs a column name, of images; unknown {unknown[:3]}")
        kept &= ~np.isin(table.names, frame["name"])
    return kept
