"""Groups of related images in files: the published list, a table to review, overrides of a person that win."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from lib.data.record import DataError


def number(groups: Iterable) -> np.ndarray:
    """The same groups, of whatever values, as int64 numbered from 0 by their first image."""
    first: dict = {}
    return np.array([first.setdefault(group, len(first)) for group in groups], np.int64)


def pairs_within(groups: np.ndarray) -> np.ndarray:
    """All pairs of images in one group, int64 (m, 2), first < second, ascending."""
    groups = np.asarray(groups)
    return np.argwhere(np.triu(groups[:, None] == groups[None, :], 1))


def review_table(
    names: np.ndarray, labels: np.ndarray, classes: list[str], groups: np.ndarray, pairs: pd.DataFrame
) -> pd.DataFrame:
    """One row per image that has relatives, group by group, for a person to look through.

    Parameters
    ----------
    groups : int (n,).
    pairs : of :func:`lib.data.near_duplicates.find_pairs`.

    Returns
    -------
    ``name``, ``group``, ``label`` (class name), ``conflict``: whether the group has different labels,
    ``identical``: whether another image has the same pixels, ``closest``: the name of the most correlated
    image of the group and ``correlation`` with it (empty and NaN where no pair of this image connects it).
    """
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both[groups[both["first"]] == groups[both["second"]]]
    closest = both.sort_values("correlation", ascending=False, kind="stable").groupby("first").first()
    same = set(both.loc[both["identical"].astype(bool), "first"])
    frame = pd.DataFrame({"group": groups, "label": labels})
    by_group = frame.groupby("group").label
    members = np.argsort(groups, kind="stable")
    members = members[by_group.transform("size").to_numpy()[members] > 1]
    partner = closest.reindex(members)
    return pd.DataFrame(
        {
            "name": names[members],
            "group": groups[members],
            "label": np.array(classes)[labels[members]],
            "conflict": by_group.transform("nunique").to_numpy()[members] > 1,
            "identical": [index in same for index in members],
            "closest": ["" if np.isnan(index) else names[int(index)] for index in partner["second"]],
            "correlation": partner["correlation"].to_numpy(float),
        }
    )


def read_published(path: Path, names: np.ndarray) -> np.ndarray:
    """The published groups of related images of BUSI, int64 (n,), images left out being alone.

    A file with columns ``group``, ``class`` and ``image``, made from the supplement of Pawłowska, Karwat &
    Żołek 2023 (Data in Brief 48:109247).

    Raises
    ------
    DataError
        If the file is no such CSV, names unknown images or one twice, or a class is not that in the image's name.
    """
    frame = _read(path, ["group", "class", "image"])
    odd = [image for label, image in zip(frame["class"], frame["image"], strict=True) if not image.startswith(label)]
    problems = {
        "unknown": sorted(set(frame["image"]) - set(names)),
        "repeated": sorted(frame.loc[frame["image"].duplicated(), "image"]),
        "of another class": odd,
    }
    if any(problems.values()):
        found = [f"{len(who)} images {what} {who[:3]}" for what, who in problems.items() if who]
        raise DataError(f"{path}: {'; '.join(found)}")
    group_of = dict(zip(frame["image"], frame["group"], strict=True))
    # A tuple cannot be mistaken for a group of the file.
    return number([group_of.get(name, (name,)) for name in names])


def apply_overrides(groups: np.ndarray, names: np.ndarray, path: Path, pairs: pd.DataFrame) -> np.ndarray:
    """Groups, int64 (n,), after the word of a person, which wins over what was found.

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
    frame = _read(path, ["first", "second", "related"])
    index = {name: k for k, name in enumerate(names)}
    answers = frame["related"].str.lower()
    problems = {
        "unknown images": sorted((set(frame["first"]) | set(frame["second"])) - set(index)),
        "images paired with themselves": frame.loc[frame["first"] == frame["second"], "first"].tolist(),
        "answers that are neither yes nor no": sorted(set(frame.loc[~answers.isin(["yes", "no"]), "related"])),
    }
    for problem, found in problems.items():
        if found:
            raise DataError(f"{path}: {len(found)} {problem} {found[:3]}")
    rows = np.array([[index[a], index[b]] for a, b in zip(frame["first"], frame["second"], strict=True)], int)
    rows, yes = rows.reshape(-1, 2), (answers == "yes").to_numpy()
    sets = DisjointSet(range(len(groups)))
    for a, b in rows[yes]:
        sets.merge(a, b)
    if contradictions := [f"{names[a]} – {names[b]}" for a, b in rows[~yes] if sets.connected(a, b)]:
        raise DataError(f"{path}: not related, but connected by rows that say yes: {contradictions[:3]}")
    links = pairs.sort_values("correlation", ascending=False)[["first", "second"]].to_numpy(int)
    links = [(a, b) for a, b in links if groups[a] == groups[b]]
    leaving = set(rows[~yes, 1].tolist())
    rest = sorted(pairs_within(groups).tolist(), key=lambda link: not leaving.isdisjoint(link))
    for a, b in [*links, *rest]:
        ends = {sets[a], sets[b]}
        if not any({sets[c], sets[d]} == ends for c, d in rows[~yes]):
            sets.merge(a, b)
    return number(sets[k] for k in range(len(groups)))


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no CSV file ({error})") from error
    if missing := [column for column in columns if column not in frame.columns]:
        raise DataError(f"{path}: needs columns {', '.join(columns)}; lacks {', '.join(missing)}")
    return frame[columns].apply(lambda column: column.str.strip())
