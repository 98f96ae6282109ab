"""Text, calipers and pictograms burned into ultrasound images: found, removed, and what their removal changes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import ndimage

# Of find_marks, tuned on BUSI at 128 × 128 against the sharp steps in the files; gray levels of [0, 1].
_STROKE, _FAINT_STROKE, _LINE = 0.35, 0.25, 0.2
_EVIDENCE = 0.8
N_CONTROLS = 3
_LOGO = (0.1, 0.16)  # height and width of the corner in which BUSI shows the end of the scanner's name


def find_marks(images: np.ndarray) -> np.ndarray:
    """Text, calipers and pictograms burned into ultrasound images: bool (n, height, width).

    A heuristic.  A scanner's pulse blurs tissue sideways, so tissue has no bright stroke that is narrow
    across; writing has.  Strokes are found by a horizontal top-hat, kept in groups, and grown to fainter
    strokes and horizontal lines near by.

    Limits: horizontal rules and dashes are found only next to other strokes; dark marks and the scanner's
    name in the upper left corner (on most images of BUSI, whatever the class) are not looked for; a steep
    fascia is sometimes taken for a stroke.  Made for BUSI at 128 or 256 pixels, ``resize="bilinear"``: at
    128 it finds marks on 247 of 780 images.  The files of 256 have sideways steps of more than 110 of 255
    levels (the sides of sector images among them), and 236 of the 247 are among these.  At 64 pixels a
    fifth of the images is missed and a quarter of the finds false; smoothed by ``resize="area"``, two
    fifths are missed.

    Parameters
    ----------
    images : (n, height, width, 1) in [0, 1].
    """
    return np.array([_find_marks(image[..., 0]) for image in images], bool).reshape(np.shape(images)[:3])


def _find_marks(image: np.ndarray) -> np.ndarray:
    height, width = image.shape
    unit = max(1, round(width / 128))  # the width of a stroke

    def near(where: np.ndarray, distance: int) -> np.ndarray:
        return ndimage.maximum_filter(where, 2 * distance * unit + 1)

    across = image - ndimage.grey_opening(image, (1, 2 * unit + 1))
    along = image - ndimage.grey_opening(image, (6 * unit + 1, 1))
    across[: round(_LOGO[0] * height), : round(_LOGO[1] * width)] = 0
    strokes = across > _STROKE
    # One bright speckle is no mark: a group must hold as much contrast as two to three pixels of writing.
    groups, n_groups = ndimage.label(near(strokes, 2))
    evidence = ndimage.sum_labels(across * strokes, groups, np.arange(n_groups + 1)) / unit**2
    strokes &= (evidence >= _EVIDENCE)[groups]
    strokes |= near(strokes, 4) & (across > _FAINT_STROKE)
    lines = near(strokes, 2) & (np.maximum(across, along) > _LINE)
    return near(strokes | lines, 1)  # with the soft edge


def without_marks(images: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """``images`` with the pixels under ``marks`` interpolated from their surroundings, float32, same shape.

    The new value is the average of unmarked pixels under a Gaussian of 1.5 pixels; deeper inside a mark
    it is the nearest unmarked pixel's.  Speckle is not imitated.  An image marked all over stays as it is.

    Parameters
    ----------
    images, marks : (n, height, width, 1) and bool (n, height, width).
    """
    filled = np.array(images, np.float32)
    for index in np.flatnonzero(marks.any(axis=(1, 2)) & ~marks.all(axis=(1, 2))):
        image, known = filled[index, ..., 0], ~marks[index]
        weight = ndimage.gaussian_filter(known.astype(float), 1.5)
        smooth = ndimage.gaussian_filter(np.where(known, image, 0).astype(float), 1.5) / np.maximum(weight, 1e-3)
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        filled[index, ..., 0] = np.where(known, image, np.where(weight > 1e-3, smooth, image[tuple(nearest)]))
    return filled


def occlude(predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """What the removal of annotations changes, beside the removal of as many pixels elsewhere.

    Annotations matter if ``without_marks`` differs from ``before`` by more than ``control`` does.  A control
    is their own shape, moved at random (round the borders) to where it covers least of them.
    Images without annotations stay as they are.

    Parameters
    ----------
    predict : from images (n, height, width, 1) to class probabilities (n, n_classes).

    Returns
    -------
    One row per image: ``area`` of the annotations as a share of the image; the probability of the label
    predicted ``before``, the same ``without_marks`` and with the ``control`` (mean of :data:`N_CONTROLS` places);
    ``flipped``: whether the prediction changes without them; ``control_flipped``: in which share of the
    controls it does.
    """
    generator, marks = np.random.default_rng(seed), find_marks(images)
    before = np.asarray(predict(images))
    label, rows = before.argmax(axis=1), np.arange(len(before))
    after = np.repeat(before[None], 1 + N_CONTROLS, axis=0)
    marked = np.flatnonzero(marks.any(axis=(1, 2)))
    for run in range(1 + N_CONTROLS if len(marked) else 0):
        where = np.array([_elsewhere(mark, generator) if run else mark for mark in marks[marked]])
        after[run, marked] = predict(without_marks(images[marked], where))
    probability, flipped = after[:, rows, label], after.argmax(axis=2) != label
    return pd.DataFrame(
        {
            "area": marks.mean(axis=(1, 2)),
            "before": before[rows, label],
            "without_marks": probability[0],
            "control": probability[1:].mean(axis=0),
            "flipped": flipped[0],
            "control_flipped": flipped[1:].mean(axis=0),
        }
    )


def _elsewhere(mark: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    moved = (np.roll(mark, generator.integers(1, mark.shape), axis=(0, 1)) for _ in range(30))
    return min(moved, key=lambda place: (place & mark).sum())
