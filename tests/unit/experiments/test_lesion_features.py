import numpy as np
import pytest

from lib.data import phantoms
from lib.experiments import lesion_features
from lib.two_stage import segmentation
from lib.two_stage.segmentation import SegmenterSettings


def disc(size=96, centre=(20, 70)):
    row, column = np.mgrid[:size, :size] - np.array(centre)[:, None, None]
    return (row**2 + column**2 <= 64).astype(np.float32)[None, ..., None]


def test_maps_are_averaged_inside_the_mask():
    one = np.zeros((2, 4, 4, 1), np.float32)
    one[:, :2] = 3
    mask = np.zeros((2, 16, 16, 1), np.float32)
    mask[0, :8] = 1
    inside = np.asarray(lesion_features._inside(one, mask))
    assert inside[0, 0] == pytest.approx(3 * 8 / 9)
    assert inside[1, 0] == 0


@pytest.mark.parametrize("architecture", ["unet", "mobilenetv2"])
def test_features_are_those_of_the_trained_weights(architecture):
    settings = SegmenterSettings(architecture, filters=4, weights="random")
    data = phantoms.make(15, 32, 0)
    found, unet = [], segmentation.restore(32, settings)
    for scale in (1.0, 1.5, 1.0):
        weights = [part * np.float32(scale) for part in unet.get_weights()]
        found.append(lesion_features.stage_1_maps.function(data, {"weights": weights}, settings)["features"])
    assert found[0].shape[0] == 15
    assert (found[0] == found[2]).all()
    assert np.abs(found[0] - found[1]).max() > 1e-3
    views = [data.images, data.images[:, :, ::-1]]
    reader = lesion_features.reader(unet)
    assert all(one is other for one, other in zip(reader.weights, unet.weights, strict=True)), "another order"
    alone = np.mean([reader.predict(segmentation.as_input(x), verbose=0) for x in views], axis=0)
    assert found[2] == pytest.approx(alone, abs=1e-4)


def test_crops_enlarge_the_lesion_and_leave_normals():
    mask = np.concatenate([disc(), np.zeros((1, 96, 96, 1), np.float32)])
    crops = lesion_features.lesion_crops(mask, mask)
    assert crops[0].mean() > 4 * mask[0].mean()
    assert crops[0, 48, 48, 0] == pytest.approx(1)
    picture = np.random.default_rng(0).random((1, 96, 96, 1))
    assert lesion_features.lesion_crops(picture, mask[1:]) == pytest.approx(picture)
    assert lesion_features.lesion_crops(picture, np.ones((1, 96, 96, 1), np.float32)) == pytest.approx(picture)


def test_crops_of_finer_images_show_the_same_place():
    mask = disc()
    fine = mask.repeat(2, axis=1).repeat(2, axis=2)
    crops = lesion_features.lesion_crops(fine, mask)
    assert crops.shape == mask.shape
    assert np.abs(crops - lesion_features.lesion_crops(mask, mask)).mean() < 0.02
