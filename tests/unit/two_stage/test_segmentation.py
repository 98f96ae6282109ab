import numpy as np
import pytest

from lib.core.store import pack_masks, unpack_masks
from lib.data import phantoms
from lib.two_stage import segmentation
from lib.two_stage.segmentation import SegmenterSettings

NONE = np.empty(0, np.int64)
ENCODER = SegmenterSettings(
    architecture="mobilenetv2",
    weights="random",
    bn_momentum=0.8,
    epochs=2,
    batch_size=8,
    keep="last",
    loss="bce+dice",
    augmentation="ultrasound",
    schedule="cosine",
)


def test_an_encoder_trains_without_validation_and_predicts():
    data = phantoms.make(24, 32, 0)
    model, history = segmentation.fit(data, np.arange(24), NONE, ENCODER, 0)
    assert history["kept"].tolist() == [False, True]
    assert history["bce"].iloc[1] < history["bce"].iloc[0]
    masks = segmentation.predict(model, data.images[:3], mirrored=True)
    assert masks.shape == (3, 32, 32, 1)
    flipped = segmentation.predict(model, data.images[:3, :, ::-1], mirrored=True)
    assert masks == pytest.approx(flipped[:, :, ::-1], abs=1e-5)


def test_what_stage_1_cannot_do():
    data = phantoms.make(16, 32, 0)
    with pytest.raises(ValueError, match="there are none"):
        segmentation.fit(data, np.arange(16), NONE, SegmenterSettings(filters=4, epochs=1), 0)
    with pytest.raises(ValueError, match="unknown architecture"):
        segmentation.restore(32, SegmenterSettings(architecture="unett"))


def _part(masks, predicted=None):
    return {"masks": pack_masks(masks)} | ({} if predicted is None else {"predicted": predicted})


def test_masks_of_several_networks_are_put_together():
    """Later parts replace earlier ones; a network that did not predict an image cannot be asked for it."""
    generator = np.random.default_rng(0)
    everything, some = generator.uniform(size=(6, 4, 4, 1)), generator.uniform(size=(2, 4, 4, 1))
    rounded, replaced = (unpack_masks(pack_masks(masks)) for masks in (everything, some))
    first = (_part(everything), np.array([0, 2, 3]))
    second = (_part(some, np.array([5, 3])), None)
    masks = segmentation.assemble_masks([first, second], 6)
    assert (masks[[0, 2]] == rounded[[0, 2]]).all()
    assert (masks[[5, 3]] == replaced).all()
    assert not masks[[1, 4]].any()
    with pytest.raises(KeyError, match="0"):
        segmentation.assemble_masks([(second[0], np.array([0]))], 6)
