"""Groups of related images in any set of ultrasound images: one lesion must not be trained on and tested.

The thresholds were chosen on BUSI with the published list of its related images at hand (Pawłowska,
Karwat & Żołek 2023, Data in Brief 48:109247), so the recall measured on that list is optimistic.  It does
not hang on them, though: for any ``min_score`` from 0.5 to 0.7 each of the 254 listed pairs ends in one
group.  What the threshold decides is how many pairs are found beyond the list: 29 at 0.5, 8 at 0.6,
which all look like two frames of one lesion, 1 at 0.7.  Phantoms, unrelated by construction, reach 0.56
among 160 of 64 × 64 pixels (five sets), and at 128 × 128 0.61 in one of five sets.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lib.core import jobs, paths, raw
from lib.data import group_files, registration
from lib.data.group_files import number, pairs_within
from lib.data.record import DataError, ImageSet, Source

PROPOSAL = 0.55  # similarity of codes from which a pair is looked at
SCORE = 0.6  # correlation · √overlap of the registered details, from which a pair is related
UNCERTAIN = 0.5  # the same, from which a pair is worth a look

PUBLISHED = "busi_related_images.csv"
OVERRIDES = "overrides.csv"


def find_pairs(images: np.ndarray, min_score: float = SCORE) -> pd.DataFrame:
    """Pairs of images that show the same tissue: crops, stretches, shifts, mirrors, other gain, burned-in marks.

    A perceptual code of each image and its parts proposes pairs, the correlation of their details after
    registration confirms them (:mod:`lib.data.registration`).

    Parameters
    ----------
    images : (n, height, width, 1) in [0, 1], at least 32 pixels a side; they may be stretched.
    min_score : score that confirms a pair, in [0, 1].

    Returns
    -------
    One row per pair, the highest score first: ``first``, ``second``: indices, first < second;
    ``correlation`` of the overlapping details, at most 1; ``overlap``: share of the one image that lies on the
    other, the smaller of both; ``score``: correlation · √overlap; ``mirrored``: whether the second image was
    mirrored left to right; ``identical``: the same pixels.

    Raises
    ------
    DataError
        If the images are of another shape, smaller, or hold values outside [0, 1] or NaN.
    """
    if images.ndim != 4 or images.shape[3] != 1 or min(images.shape[1:3]) < 32:
        raise DataError(f"images {images.shape} are not (n, height, width, 1) with 32 pixels a side or more")
    # Written so that NaN fails too.
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise DataError("images hold values outside [0, 1], or NaN")
    found = pd.concat(_scored(images[..., 0])).query("score >= @min_score")
    # Identical pixels first, then of two orientations the better one.
    found = found.sort_values(["identical", "score"], ascending=False).drop_duplicates(["first", "second"])
    return found.sort_values(["score", "first", "second"], ascending=[False, True, True], ignore_index=True)


def connected(n: int, pairs: np.ndarray) -> np.ndarray:
    """Connected components of ``n`` images, int64 (n,), numbered from 0 by their first image; pairs (m, 2)."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return number(connected_components(graph, directed=False)[1])


@jobs.step("related_pairs", version=1, quick=True)
def related_pairs(data: ImageSet) -> dict[str, Any]:
    """Columns of :func:`find_pairs` from the score :data:`UNCERTAIN` on, as a job."""
    return {"pairs": find_pairs(data.images, UNCERTAIN).to_dict("list")}


def _files_beside(arguments: Mapping[str, Any]) -> dict[str, str]:
    beside = (OVERRIDES, PUBLISHED) if getattr(arguments["data"], "folder", "") == "busi" else ()
    return {name: raw.identity(name) for name in beside}


@jobs.step("image_groups", version=1, quick=True, raw=_files_beside)
def image_groups(data: ImageSet, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Groups of related images, as a job: connected components of the pairs found, corrected by ``overrides.csv``.

    Planted or known groups of the data (phantoms, patients) are taken as they are.

    Parameters
    ----------
    pairs : result of :func:`related_pairs`.

    Returns
    -------
    ``groups``, ``found``, ``listed``: int64 (n,), to be used; from the pairs alone; planted, or of the published
    list if it is at hand, else of single images.
    """
    frame = pd.DataFrame(pairs["pairs"])
    frame = frame[frame["score"] >= SCORE]
    found = connected(len(data), frame[["first", "second"]].to_numpy(int))
    overrides, published = (paths.find_data(name) if data.groups is None else None for name in (OVERRIDES, PUBLISHED))
    groups = group_files.apply_overrides(found, data.names, overrides, frame) if overrides else found
    listed = group_files.read_published(published, data.names) if published else np.arange(len(data))
    if data.groups is not None:
        groups = listed = number(data.groups)
    return {"groups": groups, "found": found, "listed": listed}


def groups_job(source: Source) -> jobs.Job:
    """The job that groups the images of ``source``."""
    return image_groups(data=source, pairs=related_pairs(data=source))


def compare_groups(found: np.ndarray, listed: np.ndarray) -> dict[str, Any]:
    """How many listed pairs were found, a pair counting as found if its images share a group.

    Parameters
    ----------
    found, listed : groups (n,).

    Returns
    -------
    ``listed``, ``recalled``: numbers of pairs; ``extra``: int64 (m, 2), pairs only found.
    """
    ours, theirs = (np.triu(groups[:, None] == groups, 1) for groups in (found, listed))
    return {"listed": theirs.sum(), "recalled": (ours & theirs).sum(), "extra": np.argwhere(ours & ~theirs)}


def conflicts(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each image belongs to a group whose images have different labels, bool (n,)."""
    return pd.Series(labels).groupby(groups).transform("nunique").to_numpy() > 1


def _scored(pixels: np.ndarray) -> Iterator[pd.DataFrame]:
    """Pairs of the same pixels, which need no registration; proposed pairs with theirs, as they are and mirrored."""
    same = pairs_within(number(image.tobytes() for image in pixels))
    yield _frame(same, np.ones(len(same)), np.ones(len(same)), mirrored=False, identical=True)
    details = registration.detail(pixels)
    for mirrored, (pairs, start) in enumerate(registration.propose(details, PROPOSAL)):
        first, second = details[pairs[:, 0]], details[pairs[:, 1]]
        second = second[:, :, ::-1] if mirrored else second
        _, correlation, overlap = registration.register(first, second, start)
        yield _frame(pairs, correlation, overlap, mirrored=bool(mirrored), identical=False)


def _frame(pairs: np.ndarray, correlation: np.ndarray, overlap: np.ndarray, **kind: bool) -> pd.DataFrame:
    scores = {"correlation": np.minimum(correlation, 1), "overlap": overlap, "score": correlation * np.sqrt(overlap)}
    frame = pd.DataFrame({"first": pairs[:, 0], "second": pairs[:, 1], **scores}).astype(dict.fromkeys(scores, float))
    return frame.assign(**kind).astype(dict.fromkeys(kind, bool))  # empty ones would be objects
