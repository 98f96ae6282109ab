"""Groups of related images in any set of ultrasound images: one lesion must not be trained on and tested.

The thresholds were chosen on BUSI with the published list of its related images at hand (Pawłowska,
Karwat & Żołek 2023, Data in Brief 48:109247), so the recall measured on that list is optimistic.  It does
not hang on them, though: for any ``min_score`` from 0.5 to 0.7 each of the 254 listed pairs ends in one
group.  What the threshold decides is how many pairs are found beyond the list: 29 at 0.5, 8 at 0.6,
which all look like two frames of one lesion, 1 at 0.7.  Phantoms, unrelated by construction, reach 0.56
among 160 of 64 × 64 pixels (five sets), and at 128 × 128 0.61 in one of five sets.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lib.core import jobs, paths, raw
from lib.core.run import Run
from lib.data import group_files, registration
from lib.data.record import DataError, ImageSet
from lib.data.sources import Source

PROPOSAL = 0.55  # similarity of codes from which a pair is looked at
SCORE = 0.6  # correlation · √overlap of the registered details, from which a pair is related
UNCERTAIN = 0.5  # the same, from which a pair is worth a look

PUBLISHED = "busi_related_images.csv"
OVERRIDES = "overrides.csv"
_MIN_SIDE = 32


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
    _check(images)
    pixels = images[..., 0]
    found = pd.concat([_identical(pixels), *_registered(pixels)])
    found = found[found["score"] >= min_score]
    # Identical pixels first, then of two orientations the better one.
    found = found.sort_values(["identical", "score"], ascending=False, kind="stable")
    found = found.drop_duplicates(["first", "second"])
    return found.sort_values(["score", "first", "second"], ascending=[False, True, True], ignore_index=True)


def find_groups(images: np.ndarray) -> np.ndarray:
    """Group of each image, int64 (n,), of images as :func:`find_pairs` takes them; one without relatives is alone."""
    return connected(len(images), find_pairs(images)[["first", "second"]].to_numpy())


def connected(n: int, pairs: np.ndarray) -> np.ndarray:
    """Connected components of ``n`` images, int64 (n,), numbered from 0 by their first image; pairs (m, 2)."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return group_files.number(connected_components(graph, directed=False)[1])


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
        groups = listed = group_files.number(data.groups)
    return {"groups": groups, "found": found, "listed": listed}


def groups_job(source: Source) -> jobs.Job:
    """The job that groups the images of ``source``."""
    return image_groups(data=source, pairs=related_pairs(data=source))


def related_groups(run: Run, source: Source) -> np.ndarray:
    """Groups of related images of ``source``, int64 (n,); see :func:`image_groups`."""
    return run.result(groups_job(source))["groups"]


def compare_groups(found: np.ndarray, listed: np.ndarray) -> dict[str, Any]:
    """How many listed pairs were found, a pair counting as found if its images share a group.

    Parameters
    ----------
    found, listed : groups (n,).

    Returns
    -------
    ``listed``, ``found``, ``recalled``: numbers of pairs; ``recall``: recalled / listed, NaN
    without listed pairs; ``missed``, ``extra``: int64 (m, 2), pairs only listed or only found.
    """
    ours, theirs = (set(map(tuple, group_files.pairs_within(groups).tolist())) for groups in (found, listed))
    both = len(ours & theirs)
    return {
        "listed": len(theirs),
        "found": len(ours),
        "recalled": both,
        "recall": both / len(theirs) if theirs else np.nan,
        "missed": np.array(sorted(theirs - ours), np.int64).reshape(-1, 2),
        "extra": np.array(sorted(ours - theirs), np.int64).reshape(-1, 2),
    }


def conflicts(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each image belongs to a group whose images have different labels, bool (n,)."""
    different = pd.Series(labels).groupby(np.asarray(groups)).transform("nunique")
    return different.to_numpy() > 1


def _registered(pixels: np.ndarray) -> Iterator[pd.DataFrame]:
    """Proposed pairs with their registration, not mirrored and mirrored."""
    details = registration.detail(pixels)
    for mirrored, (pairs, start) in enumerate(registration.propose(details, PROPOSAL)):
        first, second = details[pairs[:, 0]], details[pairs[:, 1]]
        second = second[:, :, ::-1] if mirrored else second
        _, correlation, overlap = registration.register(first, second, start)
        yield _frame(pairs, correlation, overlap, mirrored=bool(mirrored), identical=False)


def _identical(pixels: np.ndarray) -> pd.DataFrame:
    """Pairs of the same pixels: certain without a registration, and flat images have none."""
    copies = defaultdict(list)
    for index, image in enumerate(pixels):
        copies[image.tobytes()].append(index)
    pairs = np.array([pair for same in copies.values() for pair in combinations(same, 2)], int).reshape(-1, 2)
    return _frame(pairs, np.ones(len(pairs)), np.ones(len(pairs)), mirrored=False, identical=True)


def _frame(
    pairs: np.ndarray, correlation: np.ndarray, overlap: np.ndarray, mirrored: bool, identical: bool
) -> pd.DataFrame:
    columns = {
        "first": pairs[:, 0],
        "second": pairs[:, 1],
        "correlation": np.minimum(correlation, 1).astype(float),
        "overlap": overlap.astype(float),
        "score": (correlation * np.sqrt(overlap)).astype(float),
        "mirrored": np.full(len(pairs), mirrored),
        "identical": np.full(len(pairs), identical),
    }
    return pd.DataFrame(columns)


def _check(images: np.ndarray) -> None:
    if images.ndim != 4 or images.shape[3] != 1 or min(images.shape[1:3]) < _MIN_SIDE:
        raise DataError(f"images {images.shape} are not (n, height, width, 1) with {_MIN_SIDE} pixels a side or more")
    # Written so that NaN fails too.
    if len(images) and not (images.min() >= 0 and images.max() <= 1):
        raise DataError("images hold values outside [0, 1], or NaN")
