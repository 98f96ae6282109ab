"""The data of an evaluation without leaks: related images grouped, policies applied, leak and masks measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import paths
from lib.core.config import Profile, check_choice
from lib.data import group_files, phantoms, splits, ultrasound
from lib.data import near_duplicates as duplicates
from lib.data.record import DataError, ImageSet
from lib.evaluation import metrics as evaluation
from lib.evaluation import statistics as significance
from lib.evaluation import surface
from lib.experiments import grouped_cv as cross_validation
from lib.two_stage import crossfit, segmentation

CONFLICTS = ("keep", "drop")
_PUBLISHED = "busi_related_images.csv"
_OVERRIDES = "overrides.csv"


def load(profile: Profile, cache: Path | None = None) -> ImageSet:
    """The profile's images; phantoms with planted relatives, one for each tenth image, as BUSI has them."""
    data = ultrasound.load(profile, cache)
    return phantoms.with_relatives(data, len(data) // 10) if profile.data == "phantoms" else data


def fine_images(data: ImageSet, profile: Profile, cache: Path | None = None) -> np.ndarray:
    """The same images at ``profile.crop_size`` pixels, of which lesions are cut out; 0: as they are."""
    if not profile.crop_size:
        return data.images
    return _at_size(data, profile.crop_size, profile, cache).images


def _at_size(data: ImageSet, size: int, profile: Profile, cache: Path | None) -> ImageSet:
    fine = ultrasound.load(profile, cache, size=size)
    places = {name: index for index, name in enumerate(fine.names)}
    return fine.select([places[name] for name in data.names])


def groups_of(data: ImageSet, pairs: pd.DataFrame) -> np.ndarray:
    """Groups of related images, int64 (n,): those found, corrected by ``overrides.csv`` of the data folder, if any."""
    groups = duplicates.connected(len(data), pairs)
    overrides = paths.find_data(_OVERRIDES)
    if overrides is None or data.groups is not None:
        return groups
    return group_files.apply_overrides(groups, data.names, overrides, pairs)


def known_groups(data: ImageSet) -> np.ndarray:
    """What is known of related images: planted ones, the published list if it is at hand, else nothing."""
    if data.groups is not None:
        return data.groups
    published = paths.find_data(_PUBLISHED)
    return group_files.read_published(published, data.names) if published else np.arange(len(data))


def name_pairs(chosen: np.ndarray, data: ImageSet, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of indices (m, 2) as names and labels, with their correlation; NaN if only others connect them."""
    known = pairs.set_index(["first", "second"]).correlation
    names = np.array(data.classes)[data.labels]
    rows = [(data.names[a], names[a], data.names[b], names[b], known.get((a, b), np.nan)) for a, b in chosen.tolist()]
    return pd.DataFrame(rows, columns=["first", "label", "second", "second label", "correlation"])


def keep(data: ImageSet, groups: np.ndarray, profile: Profile) -> np.ndarray:
    """Indices of the images that the profile's policies keep.

    ``profile.conflicts = "drop"`` leaves out groups whose images have different labels;
    ``profile.excluded`` names a CSV with a column ``name`` of images to leave out (BUSI's axilla images,
    say, which its files do not mark).

    Raises
    ------
    DataError
        If the CSV has no such column or names unknown images.
    """
    check_choice("policy for conflicts", profile.conflicts, CONFLICTS)
    out = np.zeros(len(data), bool)
    if profile.conflicts == "drop":
        out |= np.isin(groups, duplicates.conflicts(groups, data.labels).group.to_numpy())
    if profile.excluded:
        frame = pd.read_csv(profile.excluded, dtype=str)
        if "name" not in frame:
            raise DataError(f"{profile.excluded}: needs a column name")
        if unknown := sorted(set(frame.name) - set(data.names)):
            raise DataError(f"{profile.excluded}: {len(unknown)} unknown images {unknown[:3]}")
        out |= np.isin(data.names, frame.name)
    return np.flatnonzero(~out)


def leak_shares(
    labels: np.ndarray, groups: np.ndarray, folds: np.ndarray, random_folds: np.ndarray, seed: int, n_replays: int = 500
) -> pd.DataFrame:
    """Share of test images that have a relative in training, by protocol.

    Training is what a model learns from; images that only choose are not counted.  The paper's 80:10:10 split
    is drawn ``n_replays`` times: mean and the range of 95 % of the replays.  Folds: mean, least and most.
    """
    replays = []
    for number in range(n_replays):
        split = splits.stratified(labels, seed + number)
        replays.append(np.isin(groups[split.test], groups[split.train]).mean())
    rows = {"stratified 80:10:10 (paper)": [np.mean(replays), *np.percentile(replays, [2.5, 97.5])]}
    for name, parts in (("random folds", random_folds), ("grouped folds", folds)):
        cuts = [cross_validation.split_of(parts, fold) for fold in range(int(parts.max()) + 1)]
        shares = [np.isin(groups[split.test], groups[split.train]).mean() for split in cuts]
        rows[name] = [np.mean(shares), min(shares), max(shares)]
    return pd.DataFrame(rows, index=["share", "low", "high"]).T


def segmenter(profile: Profile) -> segmentation.Settings:
    """Stage 1 of the cross-validation: one training for each pair of folds."""
    return replace(segmentation.Settings.pretrained(profile), epochs=profile.grouped_epochs)


def mask_table(truth: np.ndarray, drawn: np.ndarray, groups: np.ndarray, seed: int) -> pd.DataFrame:
    """Dice, IoU, HD95 (pixels) and NSD (2 pixels) with 95 % intervals over groups, lesions and others apart.

    Parameters
    ----------
    truth, drawn : masks (n, height, width, 1) in [0, 1].
    """
    scores = evaluation.mask_scores(truth, drawn).join(surface.surface_scores(truth, drawn))
    rows = {}
    for kind, part in scores.groupby("kind"):
        row: dict[str, float] = {"images": len(part)}
        for name in ("dice", "iou", "hd95", "nsd"):
            bounds = significance.mean_bootstrap(part[name].to_numpy(), groups[part.index], seed=seed)
            row |= {name: bounds.estimate, f"{name} low": bounds.low, f"{name} high": bounds.high}
        rows[kind] = {**row, "dice median": part.dice.median(), "dice 0": (part.dice == 0).mean()}
    return pd.DataFrame(rows).T


def other_segmenters(
    data: ImageSet, folds: np.ndarray, profile: Profile, groups: np.ndarray, seed: int, cache: Path | None = None
) -> pd.DataFrame:
    """The paper's U-Net, the same with attention gates and the one with an ImageNet encoder, on one grouped fold.

    All learn from half-size images for ``profile.attention_epochs`` epochs, to the last one; fold 0 is
    tested, fold 1 is left out as in the other networks.
    """
    if not profile.attention_epochs:
        return pd.DataFrame()
    small = replace(data, images=_halved(data.images), masks=_halved(data.masks))
    tested, rows = folds == 0, {}
    epochs = profile.attention_epochs
    paper = replace(segmentation.Settings.of(profile), epochs=epochs)
    kinds = {
        "paper's U-Net": paper,
        "attention U-Net": replace(paper, architecture="attention"),
        "U-Net, augmented, BCE + Dice": replace(paper, augmentation="ultrasound", loss="bce+dice"),
        "ImageNet encoder": replace(segmenter(profile), epochs=epochs),
    }
    for name, settings in kinds.items():
        model = crossfit.without(small, folds, (0, 1), settings, seed, cache)
        drawn = segmentation.predict(model, small.images[tested])
        table = mask_table(small.masks[tested], drawn, groups[tested], seed)
        rows[name] = {"parameters": model.count_params(), **table.loc[evaluation.LESION]}
        if name == "ImageNet encoder":
            drawn = segmentation.predict(model, small.images[tested], mirrored=True)
            averaged = mask_table(small.masks[tested], drawn, groups[tested], seed)
            rows[f"{name}, mirror images averaged"] = {
                "parameters": model.count_params(),
                **averaged.loc[evaluation.LESION],
            }
    return pd.DataFrame(rows).T


def mask_attempts(
    data: ImageSet,
    folds: np.ndarray,
    masks: np.ndarray,
    profile: Profile,
    groups: np.ndarray,
    seed: int,
    cache: Path | None = None,
) -> pd.DataFrame:
    """What was tried for better masks of lesions, each attempt on the first grouped fold (see :func:`mask_table`).

    One network without the fold and the one that chooses, its mirror images averaged, the same with the
    threshold of best mean Dice on the fold that chooses, the mean of all networks without the fold, and a
    network of all other folds for each of ``profile.attempt_sizes``.  They are scored on a fold that is
    tested elsewhere, so nothing may be picked from here.

    Parameters
    ----------
    masks : of :func:`lib.experiments.grouped_cv.nested_masks`.

    Returns
    -------
    ``pixels``, ``learns from`` (share of the images), ``images``, Dice and IoU; no distances, which would be in
    pixels of different size.
    """
    tested, chosen, settings = folds == 0, folds == 1, segmenter(profile)
    rows = {}

    def score(name: str, drawn: np.ndarray, of: ImageSet = data, share: float = 1 - 2 / (folds.max() + 1)) -> None:
        table = mask_table(of.masks[tested], drawn, groups[tested], seed)
        row = table.loc[evaluation.LESION].filter(regex="images|dice|iou")
        rows[name] = {"pixels": of.images.shape[1], "learns from": share, **row}

    one = crossfit.without(data, folds, (0, 1), settings, seed, cache)
    score("one network", segmentation.predict(one, data.images[tested]))
    mirrored = segmentation.predict(one, data.images[tested], mirrored=True)
    score("mirror images averaged", mirrored)
    # These masks of the fold that chooses are the same network's.
    threshold = evaluation.best_threshold(data.masks[chosen], masks[0, chosen])
    score(f"mirror images averaged, threshold {threshold:.2f}", evaluation.at_threshold(mirrored, threshold))
    most = 1 - 1 / (folds.max() + 1)
    score("mean of the networks without this fold", masks[0, tested], share=most)
    for size in map(int, profile.attempt_sizes.split()):
        of = data if size == data.images.shape[1] else _at_size(data, size, profile, cache)
        model = crossfit.without(of, folds, (0,), settings, seed, cache)
        drawn = segmentation.predict(model, of.images[tested], mirrored=True)
        score(f"one network, all other folds, {size} pixels", drawn, of, share=most)
    return pd.DataFrame(rows).T


def _halved(images: np.ndarray) -> np.ndarray:
    n, height, width, channels = images.shape
    return images.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4), dtype=np.float32)
