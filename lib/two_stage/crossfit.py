"""Masks of images that the network which drew them has never seen.

A U-Net draws better masks on the images it was trained on than on new ones; a classifier trained on
such masks meets worse ones in the test.  Cross-fitting trains several U-Nets, each without one part
of the images, and lets each draw the part that it lacks.
"""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from lib.data import splits
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.two_stage import segmentation

_NONE = np.empty(0, np.int64)


def out_of_fold_masks(
    data: ImageSet,
    indices: np.ndarray,
    settings: segmentation.Settings,
    n_folds: int,
    seed: int,
    cache: Path | None = None,
) -> np.ndarray:
    """Masks, float32 (len(indices), height, width, 1), of ``indices``; no other image is read.

    ``n_folds`` networks are trained, each on the other folds of ``indices`` and to its last epoch,
    since all images but its own fold are learnt from.  Folds are stratified.
    """
    settings = _to_the_end(settings)
    folds = splits.k_fold(data.labels[indices], n_folds, seed)
    masks = np.empty((len(indices), *data.images.shape[1:3], 1), np.float32)
    for fold in range(n_folds):
        held_out = folds == fold
        split = Split(indices[~held_out], _NONE, indices[held_out])
        model, _ = segmentation.train(data, split, settings, seed, cache)
        masks[held_out] = segmentation.predict(model, data.images[split.test])
    return masks


def without(
    data: ImageSet,
    folds: np.ndarray,
    left_out: tuple[int, ...],
    settings: segmentation.Settings,
    seed: int,
    cache: Path | None = None,
):
    """The network that has seen every fold but ``left_out``, trained to its last epoch."""
    held_out = np.isin(folds, left_out)
    split = Split(np.flatnonzero(~held_out), _NONE, np.flatnonzero(held_out))
    return segmentation.train(data, split, _to_the_end(settings), seed, cache)[0]


def pairs(n_folds: int) -> list[tuple[int, int]]:
    """The pairs of folds that :func:`without` is called with for a nested cross-validation.

    The network without folds i and j draws fold i for the classifier that is tested on fold j, and
    the other way round: so neither the classifier's training masks nor its test masks come from a
    network that has seen the test fold or the drawn image.
    """
    return list(combinations(range(n_folds), 2))


def _to_the_end(settings: segmentation.Settings) -> segmentation.Settings:
    return replace(settings, keep="last")
