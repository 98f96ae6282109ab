"""What a person reviews and corrects: groups of related images as CSV files, and overrides that win.

The files are plain: ``name,group`` for groups (further columns are for the reader and ignored), and
``first,second,related`` with yes or no for overrides.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from lib.core import artifacts
from lib.data.near_duplicates import conflicts, connected, number, related_pairs
from lib.data.record import DataError, ImageSet


def review_table(data: ImageSet, groups: np.ndarray, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row an image that has relatives, group by group, for a person to look through.

    Parameters
    ----------
    data : the images.
    groups : int (n,), of :func:`lib.data.near_duplicates.find_groups`.
    pairs : of :func:`lib.data.near_duplicates.find_pairs`.

    Returns
    -------
    DataFrame with columns ``name``, ``group``, ``label`` (class name), ``conflict``: whether the
    group has different labels, ``identical``: whether another image has the same pixels, ``closest``:
    the name of the most correlated image of the group and ``correlation`` with it (empty and NaN
    where the group does not come from a pair of this image).
    """
    groups = np.asarray(groups)
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both[groups[both["first"]] == groups[both["second"]]]
    closest = both.sort_values("correlation", ascending=False, kind="stable").groupby("first").first()
    same = set(both.loc[both["identical"], "first"])
    conflicting = set(conflicts(groups, data.labels)["group"])
    members = _with_relatives(groups)
    partner = closest.reindex(members)
    return pd.DataFrame(
        {
            "name": data.names[members],
            "group": groups[members],
            "label": np.array(data.classes)[data.labels[members]],
            "conflict": [group in conflicting for group in groups[members]],
            "identical": [index in same for index in members],
            "closest": ["" if np.isnan(index) else data.names[int(index)] for index in partner["second"]],
            "correlation": partner["correlation"].to_numpy(float).round(3),
        }
    )


def write_review(path: Path, table: pd.DataFrame) -> Path:
    """Write a :func:`review_table`; :func:`read_groups` reads what a person made of it."""
    with artifacts.atomic(path) as temporary:
        table.to_csv(temporary, index=False)
    return Path(path)


def write_groups(path: Path, names: np.ndarray, groups: np.ndarray) -> Path:
    """Write ``name,group``, one row an image in a group of two or more, group by group."""
    members = _with_relatives(groups)
    return write_review(path, pd.DataFrame({"name": names[members], "group": np.asarray(groups)[members]}))


def read_groups(path: Path, names: np.ndarray, complete: bool = False) -> np.ndarray:
    """Groups, int64 (n,), of images called ``names``, from a file with columns ``name`` and ``group``.

    Parameters
    ----------
    path : CSV file; a group is any text.
    names : str (n,).
    complete : whether each image must be in the file; else one left out has no relatives.

    Raises
    ------
    DataError
        If the file is no such CSV, names unknown images or one twice, leaves a group empty, or leaves
        images out where it must be complete.
    FileNotFoundError
        If there is no such file.
    """
    frame = _read(path, ["name", "group"])
    return _groups(path, names, frame["name"], frame["group"], complete)


def read_published(path: Path, names: np.ndarray) -> np.ndarray:
    """The published groups of related images of BUSI, int64 (n,), images left out being alone.

    A file with columns ``group``, ``class`` and ``image``, made from the supplement of Pawłowska, Karwat &
    Żołek 2023 (Data in Brief 48:109247); FACTS, section 3.

    Raises
    ------
    DataError, FileNotFoundError
        As :func:`read_groups`; also if a class is not that in the image's name.
    """
    frame = _read(path, ["group", "class", "image"])
    odd = [image for label, image in zip(frame["class"], frame["image"], strict=True) if not image.startswith(label)]
    if odd:
        raise DataError(f"{path}: class and name differ for {odd[:3]}")
    return _groups(path, names, frame["image"], frame["group"], complete=False)


def apply_overrides(groups: np.ndarray, names: np.ndarray, path: Path, pairs: pd.DataFrame | None = None) -> np.ndarray:
    """Groups, int64 (n,), after the word of a person, which wins over what was found.

    Related pairs share a group, and so do the groups of both.  Unrelated pairs never do, even where other
    images connect them: the group is grown anew, the strongest link first – related pairs of the
    file, then ``pairs`` by falling correlation, then any two members – and a link that would bring an
    unrelated pair together is left out.  Without ``pairs`` the links of the image named ``second``
    come last: it leaves, and the rest of the group stays with ``first``.

    Parameters
    ----------
    groups : int (n,).
    names : str (n,).
    path : CSV file with columns ``first``, ``second`` (names) and ``related``: ``yes`` or ``no``.
    pairs : of :func:`lib.data.near_duplicates.find_pairs`, or None.

    Raises
    ------
    DataError
        If the file is no such CSV, names unknown images, pairs an image with itself, answers
        otherwise, or contradicts itself (also by way of other images).
    FileNotFoundError
        If there is no such file.
    """
    frame = _read(path, ["first", "second", "related"])
    index = {name: k for k, name in enumerate(names)}
    unknown = sorted((set(frame["first"]) | set(frame["second"])) - set(index))
    answers = frame["related"].str.lower()
    wrong = sorted(set(frame.loc[~answers.isin(["yes", "no"]), "related"]))
    alone = frame.loc[frame["first"] == frame["second"], "first"].tolist()
    for problem, found in (("unknown images", unknown), ("images paired with themselves", alone)):
        if found:
            raise DataError(f"{path}: {len(found)} {problem} {found[:3]}")
    if wrong:
        raise DataError(f"{path}: related must be yes or no, not {wrong[:3]}")
    rows = np.array([[index[a], index[b]] for a, b in zip(frame["first"], frame["second"], strict=True)], int)
    rows, yes = rows.reshape(-1, 2), (answers == "yes").to_numpy()
    together = connected(len(names), rows[yes])
    if contradictions := [f"{names[a]} – {names[b]}" for a, b in rows[~yes] if together[a] == together[b]]:
        raise DataError(f"{path}: not related, but connected by rows that say yes: {contradictions[:3]}")
    return _separate(np.asarray(groups), rows[yes], rows[~yes], pairs)


def _separate(groups: np.ndarray, joined: np.ndarray, separated: np.ndarray, pairs: pd.DataFrame | None) -> np.ndarray:
    sets = DisjointSet(range(len(groups)))
    for a, b in joined:
        sets.merge(a, b)
    links = [] if pairs is None else pairs.sort_values("correlation", ascending=False)[["first", "second"]].to_numpy()
    links = [(a, b) for a, b in links if groups[a] == groups[b]]
    leaving = set(separated[:, 1].tolist())
    rest = sorted(related_pairs(groups).tolist(), key=lambda link: not leaving.isdisjoint(link))
    for a, b in [*links, *rest]:
        ends = {sets[a], sets[b]}
        if not any({sets[c], sets[d]} == ends for c, d in separated):
            sets.merge(a, b)
    return number(sets[k] for k in range(len(groups)))


def _with_relatives(groups: np.ndarray) -> np.ndarray:
    """Indices of images in groups of two or more, group by group."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.array([k for k in np.argsort(groups, kind="stable") if counts[inverse[k]] > 1], int)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no CSV file ({error})") from error
    if missing := [column for column in columns if column not in frame.columns]:
        raise DataError(f"{path}: needs columns {', '.join(columns)}; lacks {', '.join(missing)}")
    return frame[columns].apply(lambda column: column.str.strip())


def _groups(path: Path, names: np.ndarray, rows: pd.Series, values: pd.Series, complete: bool) -> np.ndarray:
    unknown, left_out = sorted(set(rows) - set(names)), sorted(set(names) - set(rows))
    repeated, empty = sorted(rows[rows.duplicated()]), sorted(rows[values == ""])
    problems = {"unknown": unknown, "repeated": repeated, "without a group": empty}
    if complete:
        problems["left out"] = left_out
    if any(problems.values()):
        raise DataError(
            f"{path}: " + "; ".join(f"{len(who)} images {what} {who[:3]}" for what, who in problems.items() if who)
        )
    group_of = dict(zip(rows, values, strict=True))
    # A tuple cannot be mistaken for a group of the file.
    return number([group_of.get(name, (name,)) for name in names])
