import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lib.evaluation import metrics

MASKS = hnp.arrays(bool, (7, 9), elements=st.booleans())


def _square(row, column, side=4, size=16):
    mask = np.zeros((size, size), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def _scores(truth, predicted, **settings):
    return metrics.surface_scores(truth[None, ..., None] * 1.0, predicted[None, ..., None] * 1.0, **settings).iloc[0]


def _border(mask):
    """Border pixels by asking each of the four neighbours."""
    padded = np.pad(mask, 1)
    points = []
    for row, column in np.argwhere(mask):
        steps = ((0, 1), (2, 1), (1, 0), (1, 2))
        if not all(padded[row + down, column + right] for down, right in steps):
            points.append((row, column))
    return np.array(points, float)


def _brute_force(truth, predicted, tolerance):
    a, b = _border(truth), _border(predicted)
    distance = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    from_a, from_b = distance.min(1), distance.min(0)
    near = (from_a <= tolerance).sum() + (from_b <= tolerance).sum()
    return max(np.percentile(from_a, 95), np.percentile(from_b, 95)), near / (len(a) + len(b))


@given(MASKS, MASKS, st.sampled_from([0.0, 1.0, 1.5, 2.0]))
@settings(max_examples=150)
def test_against_brute_force(truth, predicted, tolerance):
    scores = _scores(truth, predicted, tolerance=tolerance)
    if truth.any() and predicted.any():
        assert tuple(scores) == pytest.approx(_brute_force(truth, predicted, tolerance))
    elif truth.any() or predicted.any():
        assert tuple(scores) == (pytest.approx(np.hypot(7, 9)), 0)
    else:
        assert tuple(scores) == (0, 1)
    assert tuple(_scores(predicted, truth, tolerance=tolerance)) == pytest.approx(tuple(scores))


def test_shifted_square_by_hand():
    """A 4 × 4 square moved by 3: its border of 12 pixels lies 0, 1, 2 or 3 pixels away."""
    truth, predicted = _square(5, 3), _square(5, 6)
    from_truth, from_predicted = metrics.border_distances(truth, predicted)
    assert sorted(from_truth) == sorted(from_predicted) == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3]
    assert _scores(truth, predicted).hd95 == 3
    assert _scores(truth, predicted, tolerance=3).nsd == 1
    assert tuple(_scores(truth, truth, tolerance=0)) == (0, 1)


def test_hd95_forgives_few_far_pixels_and_looks_both_ways():
    truth = _square(0, 0, side=30, size=64)
    speck = truth.copy()
    speck[60, 60] = True
    # 1 of 117 border pixels is far away; without a percentile the distance would be 43.8.
    assert _scores(truth, speck).hd95 == 0
    assert _scores(truth, speck).nsd == pytest.approx(232 / 233)
    # A second lesion that is missed counts, though all that was drawn is right; and so does one too many.
    second = truth | _square(40, 40, side=10, size=64)
    assert _scores(second, truth).hd95 == _scores(truth, second).hd95 > 14


def test_nsd_grows_with_the_tolerance():
    disc = np.hypot(*np.mgrid[-20:21, -20:21])
    values = [_scores(disc < 10, disc < 14, tolerance=t).nsd for t in (0, 2, 3, 4, 5, 6)]
    assert values == sorted(values)
    assert (values[1], values[-1]) == (0, 1)
    assert _scores(disc < 10, disc < 14).hd95 == pytest.approx(4, abs=0.5)


def test_the_edge_of_the_image_is_a_border():
    full = np.ones((8, 8), bool)
    from_full, from_pixel = metrics.border_distances(full, _square(4, 4, side=1, size=8))
    assert len(from_full) == 28
    assert from_pixel == pytest.approx([3])


def test_masks_are_thresholded_alike_and_one_row_an_image():
    truth, predicted = np.zeros((2, 3, 12, 12, 1), np.float32)
    truth[0, 2:6, 2:6] = 0.5
    predicted[0, 2:6, 2:6] = 0.6
    predicted[1, 0, 0] = 0.49
    predicted[2, 0, 0] = 0.5
    scores = metrics.surface_scores(truth, predicted)
    assert scores.hd95.tolist() == pytest.approx([0, 0, 12 * 2**0.5])
    assert scores.nsd.tolist() == [1, 1, 0]
    assert metrics.surface_scores(truth[:0], predicted[:0]).dtypes.tolist() == [float, float]
