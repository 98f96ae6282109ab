"""Groups of related images in any folder of ultrasound images: one lesion must not be trained on and tested.

:func:`find_groups` finds them, :mod:`lib.data.group_files` writes them for a person to review and
correct, and reads overrides that win over what was found.

The thresholds were chosen on BUSI with the published list of its related images at hand (Pawłowska,
Karwat & Żołek 2023; FACTS, section 3), so the recall measured on that list is optimistic.  It does
not hang on them, though: for any ``min_score`` from 0.5 to 0.7 each of the 254 listed pairs ends in one
group.  What the threshold decides is how many pairs are found beyond the list: 29 at 0.5, 8 at 0.6,
which all look like two frames of one lesion, 1 at 0.7.  Phantoms, unrelated by construction, reach 0.56
among 160 of 64 × 64 pixels (five sets), and at 128 × 128 0.61 in one of five sets.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lib.data import registration as similarity
from lib.data.record import DataError

PROPOSAL = 0.55  # similarity of codes from which a pair is looked at
SCORE = 0.6  # correlation · √overlap of the registered details, from which a pair is related

_MIN_SIDE = 32


def find_pairs(
    images: np.ndarray,
    names: np.ndarray | None = None,
    min_score: float = SCORE,
    proposal: float = PROPOSAL,
) -> pd.DataFrame:
    """Pairs of images that show the same tissue: crops, stretches, shifts, mirrors, other gain, burnt-in marks.

    A perceptual code of each image and its parts proposes pairs, the correlation of their details after
    registration confirms them (:mod:`lib.data.registration`).

    Parameters
    ----------
    images : (n, height, width, 1) in [0, 1], at least 32 pixels a side; they may be stretched.
    names : str (n,), or None; adds columns ``first_name`` and ``second_name``.
    min_score : score that confirms a pair, in [0, 1].
    proposal : similarity of the codes that proposes one, in [0, 1]; lower is slower and finds no fewer.

    Returns
    -------
    DataFrame, one row a pair, the highest score first, with columns

    - ``first``, ``second``: indices, first < second.
    - ``distance``: Hamming distance of the 256-bit pHash, the second image mirrored where ``mirrored``.
    - ``correlation``: normalised cross-correlation of the overlapping details, at most 1.
    - ``overlap``: share of the one image that lies on the other, the smaller of both, in [0, 1].
    - ``score``: correlation · √overlap.
    - ``mirrored``: whether the second image was mirrored left to right.
    - ``stretch_y``, ``stretch_x``: how much larger the first image's tissue is drawn in the second.
    - ``shift_y``, ``shift_x``: where the first image's centre lies in the second (mirrored where
      ``mirrored``), from the second's centre, in shares of its side; down and right are positive.
    - ``identical``: the same pixels, at the size given.

    Raises
    ------
    DataError
        If the images are of another shape, smaller, or hold values outside [0, 1] or NaN.
    ValueError
        If ``names`` are more or fewer.
    """
    _check(images)
    if names is not None and len(names) != len(images):
        raise ValueError(f"{len(names)} names for {len(images)} images")
    pixels = images[..., 0]
    found = pd.concat([_identical(pixels), *_registered(pixels, proposal)])
    found = found[found["score"] >= min_score]
    # Identical pixels first, then of two orientations the better one.
    found = found.sort_values(["identical", "score"], ascending=False, kind="stable")
    found = found.drop_duplicates(["first", "second"])
    found = found.sort_values(["score", "first", "second"], ascending=[False, True, True], ignore_index=True)
    found.insert(2, "distance", _distance(pixels, found))
    if names is not None:
        found.insert(2, "first_name", np.asarray(names)[found["first"]])
        found.insert(3, "second_name", np.asarray(names)[found["second"]])
    return found


def find_groups(images: np.ndarray, **settings: float) -> np.ndarray:
    """Group of each image, int64 (n,); an image without relatives has a group of its own.

    Parameters
    ----------
    images : (n, height, width, 1) in [0, 1].
    settings : of :func:`find_pairs`, whose errors it raises.
    """
    return connected(len(images), find_pairs(images, **settings))


def connected(n: int, pairs: pd.DataFrame | np.ndarray | Iterable[tuple[int, int]]) -> np.ndarray:
    """Connected components of ``n`` images, int64 (n,), numbered from 0 by their first image.

    ``pairs`` are rows (first, second) of indices, or a frame with these columns.

    Raises
    ------
    ValueError
        If a pair names an index outside 0 … n - 1.
    """
    edges = pairs[["first", "second"]].to_numpy() if isinstance(pairs, pd.DataFrame) else np.array(list(pairs))
    edges = edges.reshape(-1, 2).astype(np.int64)
    if len(edges) and (edges.min() < 0 or edges.max() >= n):
        raise ValueError(f"pairs name images outside 0 … {n - 1}")
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return number(connected_components(graph, directed=False)[1])


def number(groups: Iterable) -> np.ndarray:
    """The same groups, of whatever values, as int64 numbered from 0 by their first image."""
    first: dict = {}
    return np.array([first.setdefault(group, len(first)) for group in groups], np.int64)


def related_pairs(groups: np.ndarray) -> np.ndarray:
    """All pairs of images in one group, int64 (m, 2), first < second, ascending."""
    groups = np.asarray(groups)
    return np.argwhere(np.triu(groups[:, None] == groups[None, :], 1))


def compare_groups(found: np.ndarray, published: np.ndarray) -> dict:
    """How many published pairs were found, a pair counting as found if its images share a group.

    Parameters
    ----------
    found, published : groups (n,).

    Returns
    -------
    ``published``, ``found``, ``recalled``: numbers of pairs; ``recall``: recalled / published, NaN
    without published pairs; ``missed``, ``extra``: int64 (m, 2), pairs only published or only found.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if len(found) != len(published):
        raise ValueError(f"{len(found)} found and {len(published)} published groups: not of the same images")
    return compare_pairs(related_pairs(found), related_pairs(published))


def compare_pairs(found: pd.DataFrame | np.ndarray, published: np.ndarray) -> dict:
    """:func:`compare_groups` for pairs as they are, not what they connect: (m, 2) or :func:`find_pairs`' frame."""
    if isinstance(found, pd.DataFrame):
        found = found[["first", "second"]].to_numpy()
    ours, theirs = ({tuple(sorted(pair)) for pair in np.asarray(pairs).tolist()} for pairs in (found, published))
    both = len(ours & theirs)
    return {
        "published": len(theirs),
        "found": len(ours),
        "recalled": both,
        "recall": both / len(theirs) if theirs else np.nan,
        "missed": np.array(sorted(theirs - ours), np.int64).reshape(-1, 2),
        "extra": np.array(sorted(ours - theirs), np.int64).reshape(-1, 2),
    }


def conflicts(
    groups: np.ndarray, labels: np.ndarray, names: np.ndarray | None = None, pairs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Groups whose images have different labels, one row a group.

    Columns: ``group``; ``images``: how many; ``labels``: the different ones, a tuple; ``members``: a tuple of
    names, or of indices without ``names``; and with ``pairs`` of :func:`find_pairs` ``identical``:
    whether two images of the same pixels have different labels, which no reading of them can justify.
    """
    groups, labels = np.asarray(groups), np.asarray(labels)
    same = np.empty((0, 2), int) if pairs is None else pairs.loc[pairs.identical, ["first", "second"]].to_numpy()
    contradictory = set(groups[[a for a, b in same if labels[a] != labels[b]]].tolist())
    rows = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        different = tuple(np.unique(labels[members]).tolist())
        if len(different) > 1:
            who = tuple((members if names is None else np.asarray(names)[members]).tolist())
            rows.append((group, len(members), different, who, group in contradictory))
    frame = pd.DataFrame(rows, columns=["group", "images", "labels", "members", "identical"])
    return frame if pairs is not None else frame.drop(columns="identical")


def _registered(pixels: np.ndarray, proposal: float) -> Iterator[pd.DataFrame]:
    """Proposed pairs with their registration, not mirrored and mirrored."""
    details = similarity.detail(pixels)
    for mirrored, (pairs, start) in enumerate(similarity.propose(details, proposal)):
        first, second = details[pairs[:, 0]], details[pairs[:, 1]]
        second = second[:, :, ::-1] if mirrored else second
        places, correlation, overlap = similarity.register(first, second, start)
        yield _frame(pairs, correlation, overlap, places, mirrored=bool(mirrored), identical=False)


def _identical(pixels: np.ndarray) -> pd.DataFrame:
    """Pairs of the same pixels: certain without a registration, and flat images have none."""
    copies = defaultdict(list)
    for index, image in enumerate(pixels):
        copies[image.tobytes()].append(index)
    pairs = np.array([pair for same in copies.values() for pair in combinations(same, 2)], int).reshape(-1, 2)
    ones = np.ones(len(pairs))
    places = np.broadcast_to([1.0, 0.0], (len(pairs), 2, 2))
    return _frame(pairs, ones, ones, places, mirrored=False, identical=True)


def _frame(
    pairs: np.ndarray, correlation: np.ndarray, overlap: np.ndarray, places: np.ndarray, mirrored: bool, identical: bool
) -> pd.DataFrame:
    shift = places[..., 0] / 2 + places[..., 1] - 0.5
    columns = {
        "first": pairs[:, 0],
        "second": pairs[:, 1],
        "correlation": np.minimum(correlation, 1).astype(float),
        "overlap": overlap.astype(float),
        "score": correlation * np.sqrt(overlap),
        "mirrored": np.full(len(pairs), mirrored),
        "stretch_y": places[:, 0, 0],
        "stretch_x": places[:, 1, 0],
        "shift_y": shift[:, 0],
        "shift_x": shift[:, 1],
        "identical": np.full(len(pairs), identical),
    }
    return pd.DataFrame(columns)


def _distance(pixels: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    first, second = pixels[pairs["first"]], pixels[pairs["second"]]
    second = np.where(pairs["mirrored"].to_numpy()[:, None, None], second[:, :, ::-1], second)
    return (similarity.perceptual_hash(first) != similarity.perceptual_hash(second)).sum(axis=1)


def _check(images: np.ndarray) -> None:
    if images.ndim != 4 or images.shape[3] != 1 or min(images.shape[1:3]) < _MIN_SIDE:
        raise DataError(f"images {images.shape} are not (n, height, width, 1) with {_MIN_SIDE} pixels a side or more")
    # Written so that NaN fails too.
    if len(images) and not (images.min() >= 0 and images.max() <= 1):
        raise DataError("images hold values outside [0, 1], or NaN")
