"""Stratified and grouped splits and folds: which images train, validate and test."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lib.data.record import DataError


@dataclass(frozen=True)
class Split:
    """Indices (int64, ascending) of the training, validation and test images."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        return dict(vars(self))


def stratified(labels: np.ndarray, seed: int, train: float = 0.8, validation: float = 0.1) -> Split:
    """A random split in which each part has the classes' proportions; the papers' rule (II-D).

    The cuts are ``int(train * n)`` and ``int((train + validation) * n)`` in each class, as in the
    authors' code: on BUSI that makes 623, 78 and 79 images, and 79 is the test size that every
    accuracy printed in Tables I and II divides into.

    Raises
    ------
    DataError
        If a class has so few images that a part would get none of it.
    """
    generator = np.random.default_rng(seed)
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        # Rounded first: 0.8 + 0.1 is a little below 0.9 in floating point.
        cuts = [int(round(share * len(members), 6)) for share in (train, train + validation)]
        for part, indices in zip(parts, np.split(members, cuts), strict=True):
            if len(indices) == 0:
                raise DataError(f"class {label} has {len(members)} images: too few for a {part} part")
            parts[part].append(indices)
    return Split(**{part: np.sort(np.concatenate(found)) for part, found in parts.items()})


def sample(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Indices, ascending, of ``size`` random images that keep the classes' proportions."""
    generator = np.random.default_rng(seed)
    # Interleaving the shuffled classes by their relative rank makes every stretch of the order stratified.
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.sort(np.argsort(rank, kind="stable")[:size])


def k_fold(labels: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold, int64 (n,) from 0 to ``n_folds`` - 1, in which each image is tested; stratified by label.

    Parameters
    ----------
    labels : int (n,).
    groups : int (n,), or None; images of a group share a fold (scikit-learn's ``StratifiedGroupKFold``).

    Raises
    ------
    DataError
        If some fold would lack a class, for want of images or groups of it.
    """
    make = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = np.empty(len(labels), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is refused below
        parts = make(n_folds, shuffle=True, random_state=seed).split(labels[:, None], labels, groups)
        try:
            for fold, (_, test) in enumerate(parts):
                folds[test] = fold
        except ValueError as error:
            raise DataError(f"{n_folds} folds: {error}") from error
    images = pd.crosstab(labels, folds).min(axis=1)
    if (images == 0).any():
        raise DataError(f"class {images.idxmin()}: too few images, or too large groups of them, for {n_folds} folds")
    return folds
