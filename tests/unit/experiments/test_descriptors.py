import numpy as np
import pytest

from lib.experiments import lesion_features


def ellipse(height, width, size=96, tilt=0.0, centre=(48, 48)):
    row, column = np.mgrid[:size, :size] - np.array(centre)[:, None, None]
    along = column * np.cos(tilt) + row * np.sin(tilt)
    across = row * np.cos(tilt) - column * np.sin(tilt)
    return ((along / (width / 2)) ** 2 + (across / (height / 2)) ** 2 <= 1).astype(np.float32)[None, ..., None]


def describe(mask, image=None):
    image = np.full_like(mask, 0.5) if image is None else image
    return lesion_features.describe(image, mask).iloc[0]


def test_a_circle():
    row = describe(ellipse(40, 40))
    assert row["height / width"] == pytest.approx(1, abs=0.03)
    assert row.elongation == pytest.approx(0, abs=0.03)
    assert row.solidity > 0.95
    assert row.compactness == pytest.approx(1, abs=0.06)
    assert row.area == pytest.approx(np.sqrt(np.pi * 20**2 / 96**2), rel=0.02)
    assert row.pieces == 1


def test_wide_tall_and_tilted():
    assert describe(ellipse(20, 60))["height / width"] == pytest.approx(1 / 3, abs=0.03)
    assert describe(ellipse(60, 20))["height / width"] == pytest.approx(3, abs=0.3)
    assert describe(ellipse(20, 60)).tilt == pytest.approx(0, abs=0.02)
    assert describe(ellipse(60, 20)).tilt == pytest.approx(1, abs=0.02)
    assert describe(ellipse(20, 60, tilt=np.pi / 4)).tilt == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert describe(ellipse(20, 60)).elongation == pytest.approx(2 / 3, abs=0.03)


def test_a_star_is_neither_solid_nor_compact():
    cross = np.maximum(ellipse(8, 70), ellipse(70, 8))
    assert describe(cross).solidity < 0.6
    assert describe(cross).compactness < 0.5


def test_echo_contrast_and_shadow():
    mask = ellipse(30, 30)
    image = np.where(mask > 0, 0.2, 0.6).astype(np.float32)
    image[:, 63:, 33:63] = 0.1
    row = describe(mask, image)
    assert row.echo == pytest.approx(0.2, abs=0.01)
    assert row.contrast > 0.25
    assert row.behind < -0.2
    assert row.texture == pytest.approx(0, abs=0.01)


def test_nothing_predicted_is_all_zeros():
    row = describe(np.zeros((1, 32, 32, 1), np.float32))
    assert len(row) == 13
    assert (row == 0).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_lesions_have_finite_descriptors(n):
    mask = np.zeros((1, 32, 32, 1), np.float32)
    mask[0, 31, :n] = 1
    assert np.isfinite(describe(mask)).all()
