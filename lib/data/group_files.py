"""Groups of related images in files: the published list, and corrections by hand, which win."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from lib.data.files import read_table
from lib.data.record import DataError


def number(groups: Iterable) -> np.ndarray:
    """The same groups, of whatever values, as int64 numbered from 0 by their first image."""
    return pd.factorize(pd.Series(list(groups), dtype=object))[0].astype(np.int64)


def pairs_within(groups: np.ndarray) -> np.ndarray:
    """All pairs of images in one group, int64 (m, 2), first < second, ascending."""
    return np.argwhere(np.triu(groups[:, None] == groups, 1))


def read_published(path: Path, names: np.ndarray) -> np.ndarray:
    """The published groups of related images of BUSI, int64 (n,), images left out being alone.

    A file with columns ``group``, ``class`` and ``image``, made from the supplement of Pawłowska, Karwat &
    Żołek 2023 (Data in Brief 48:109247).

    Raises
    ------
    DataError
        If the file is no such CSV, names unknown images or one twice, a class is not that in the image's name, or a
        group is empty.
    """
    frame = read_table(path, ["group", "class", "image"])
    # A spreadsheet writes 0 as 0.0.
    images, groups = frame["image"], frame["group"].str.replace(r"\.0+$", "", regex=True)
    odd = [image for label, image in zip(frame["class"], images, strict=True) if not image.startswith(label)]
    _refuse(path, "images unknown", sorted(set(images) - set(names)))
    _refuse(path, "images repeated", sorted(images[images.duplicated()]))
    _refuse(path, "images of another class", odd)
    _refuse(path, "images without a group", images[groups == ""].tolist())
    group_of = dict(zip(images, groups, strict=True))
    # A tuple cannot be mistaken for a group of the file.
    return number(group_of.get(name, (name,)) for name in names)


def apply_overrides(groups: np.ndarray, names: np.ndarray, path: Path, pairs: pd.DataFrame) -> np.ndarray:
    """Groups, int64 (n,), after the corrections made by hand, which win over what was found.

    Related pairs share a group, and so do the groups of both.  Unrelated pairs never do, even where other
    images connect them: the group is grown anew, the strongest link first – related pairs of the
    file, then ``pairs`` by falling correlation, then any two members – and a link that would bring an
    unrelated pair together is left out.

    Parameters
    ----------
    groups : int (n,).
    names : str (n,).
    path : CSV file with columns ``first``, ``second`` (names) and ``related``: ``yes`` or ``no``.
    pairs : of :func:`lib.data.near_duplicates.find_pairs`.

    Raises
    ------
    DataError
        If the file is no such CSV, names unknown images, pairs an image with itself, answers
        otherwise, or contradicts itself (also by way of other images).
    """
    frame = read_table(path, ["first", "second", "related"])
    first, second, answers = frame["first"], frame["second"], frame["related"].str.lower()
    _refuse(path, "unknown images", sorted({*first, *second} - set(names)))
    _refuse(path, "images paired with themselves", first[first == second].tolist())
    _refuse(path, "answers that are neither yes nor no", frame["related"][~answers.isin(["yes", "no"])].tolist())
    rows = np.column_stack([pd.Index(names).get_indexer(side) for side in (first, second)])
    yes, no = rows[answers == "yes"], rows[answers == "no"]
    sets = DisjointSet(range(len(groups)))
    for a, b in yes:
        sets.merge(a, b)
    connected = [f"{names[a]} – {names[b]}" for a, b in no if sets.connected(a, b)]
    _refuse(path, "pairs that are not related, but connected by rows that say yes", connected)
    links = pairs.sort_values("correlation", ascending=False)[["first", "second"]].to_numpy(int)
    rest = sorted(pairs_within(groups).tolist(), key=lambda link: np.isin(no[:, 1], link).any())
    for a, b in [*links[groups[links[:, 0]] == groups[links[:, 1]]], *rest]:
        ends = {sets[a], sets[b]}
        if not any({sets[c], sets[d]} == ends for c, d in no):
            sets.merge(a, b)
    return number(sets[k] for k in range(len(groups)))


def _refuse(path: Path, problem: str, found: Sequence[str]) -> None:
    if found:
        raise DataError(f"{path}: {len(found)} {problem} {found[:3]}")
