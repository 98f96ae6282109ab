"""Stratified and grouped splits and folds: which images train, validate and test."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lib.data.record import DataError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Indices (int64, ascending) of the training, validation and test images."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def __post_init__(self) -> None:
        everything = np.concatenate([self.train, self.validation, self.test])
        if len(np.unique(everything)) != len(everything):
            raise DataError("an image is in two parts of the split")

    def parts(self) -> dict[str, np.ndarray]:
        return {part: getattr(self, part) for part in PARTS}

    def frame(self, names: np.ndarray) -> pd.DataFrame:
        """One row an image: ``name`` and ``part``, in the order of the names."""
        rows = [(names[index], part) for part, indices in self.parts().items() for index in indices]
        return pd.DataFrame(rows, columns=["name", "part"]).sort_values("name", ignore_index=True)


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
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        # Rounded first: 0.8 + 0.1 is a little below 0.9 in floating point.
        cuts = [int(round(share * len(members), 6)) for share in (train, train + validation)]
        for part, indices in zip(PARTS, np.split(members, cuts), strict=True):
            if len(indices) == 0:
                raise DataError(f"class {label} has {len(members)} images: too few for a {part} part")
            parts[part].append(indices)
    return Split(*(np.sort(np.concatenate(parts[part])) for part in PARTS))


def sample(labels: np.ndarray, sizes: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Disjoint random subsets that keep the classes' proportions, for runs on part of the data.

    Parameters
    ----------
    labels : int (n,).
    sizes : images in each subset, together at most n.

    Returns
    -------
    One ascending int64 array of indices a subset.

    Raises
    ------
    lib.data.record.DataError
        If there are too few images.
    """
    if min(sizes) < 0 or sum(sizes) > len(labels):
        raise DataError(f"{len(labels)} images cannot give subsets of {sizes}")
    generator = np.random.default_rng(seed)
    # Interleaving the shuffled classes by their relative rank makes every stretch of the order stratified.
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
    order = np.argsort(rank, kind="stable")
    cuts = np.cumsum((0, *sizes))
    return [np.sort(order[start:end]) for start, end in pairwise(cuts)]


def k_fold(labels: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold, int64 (n,) from 0 to ``n_folds`` - 1, in which each image is tested; stratified by label.

    Parameters
    ----------
    labels : int (n,).
    groups : int (n,), or None; images of a group share a fold (scikit-learn's ``StratifiedGroupKFold``).

    Raises
    ------
    DataError
        If there are fewer images or groups of a class than folds: some fold would lack the class.
    """
    if n_folds < 2:
        raise DataError(f"cross-validation needs at least 2 folds, not {n_folds}")
    units = np.arange(len(labels)) if groups is None else groups
    for label in np.unique(labels):
        n_units = len(np.unique(units[labels == label]))
        if n_units < n_folds:
            what = "images" if groups is None else "groups"
            raise DataError(f"class {label} has {n_units} {what}: too few for {n_folds} folds")
    make = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = np.empty(len(labels), np.int64)
    parts = make(n_folds, shuffle=True, random_state=seed).split(labels[:, None], labels, groups)
    for fold, (_, test) in enumerate(parts):
        folds[test] = fold
    for fold in range(n_folds):
        if missing := set(np.unique(labels)) - set(labels[folds == fold]):
            raise DataError(f"fold {fold} lacks class {min(missing)}: its groups are too large for {n_folds} folds")
    return folds
