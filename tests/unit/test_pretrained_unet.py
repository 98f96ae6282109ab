import keras
import numpy as np
import pytest

from lib.data import phantoms
from lib.data.splits import Split
from lib.models import augmentation
from lib.models.pretrained_unet import build_pretrained_unet
from lib.two_stage import segmentation

SETTINGS = segmentation.Settings(
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


def test_shapes_and_what_is_frozen():
    model = build_pretrained_unet(64, "random")
    assert model.output_shape == (None, 64, 64, 1)
    assert model.get_layer("bottleneck").output.shape == (None, 2, 2, 320)
    encoder = model.get_layer("encoder")
    trained = {layer.name for layer in encoder.layers if layer.trainable and layer.weights}
    assert "block_3_expand" in trained
    assert not any("BN" in name or name.startswith(("Conv1", "block_1_", "block_2_")) for name in trained)
    with pytest.raises(ValueError, match="divisible by 32"):
        build_pretrained_unet(48, "random")


def test_it_trains_without_validation_and_predicts():
    data = phantoms.make(24, 32, 0)
    none = np.empty(0, np.int64)
    model, history = segmentation.train(data, Split(np.arange(24), none, none), SETTINGS, 0)
    assert history.kept.tolist() == [False, True]
    assert history.bce.iloc[1] < history.bce.iloc[0]
    masks = segmentation.predict(model, data.images[:3], mirrored=True)
    assert masks.shape == (3, 32, 32, 1)
    flipped = segmentation.predict(model, data.images[:3, :, ::-1], mirrored=True)
    assert masks == pytest.approx(flipped[:, :, ::-1], abs=1e-5)
    assert segmentation.bottleneck(model, data.images[:3]).shape == (3, 320)


def test_the_best_epoch_needs_validation_data():
    data = phantoms.make(16, 32, 0)
    none = np.empty(0, np.int64)
    with pytest.raises(ValueError, match="there are none"):
        segmentation.train(data, Split(np.arange(16), none, none), segmentation.Settings(filters=4, epochs=1), 0)


def test_gated_skips_are_an_option():
    plain, gated = (
        segmentation.build(32, segmentation.Settings(architecture=name, filters=4), 0) for name in ("unet", "attention")
    )
    assert gated.count_params() > plain.count_params()
    assert sum(isinstance(layer, keras.layers.Multiply) for layer in gated.layers) == 4
    assert gated.get_layer("bottleneck").output.shape[-1] == 64
    with pytest.raises(ValueError, match="unknown architecture"):
        segmentation.build(32, segmentation.Settings(architecture="unett"), 0)


def test_augmentation_moves_mask_and_image_alike_and_keeps_up_up():
    image = np.zeros((64, 32, 32, 1), np.float32)
    image[:, 4:8, 10:14] = 0.5
    generator = np.random.default_rng(0)
    images, masks = augmentation.ultrasound(generator, image, (image > 0).astype(np.float32))
    assert ((images > 0) == (masks > 0)).all()
    assert (np.abs(images.max(axis=(1, 2, 3)) / 0.5 - 1) <= augmentation.GAIN + 1e-6).all()
    assert len({mask.tobytes() for mask in masks}) > 10
    assert masks[:, 16:].sum() == 0, "nothing is turned upside down"
    assert image.max() == 0.5, "the originals are left alone"
    labels = np.eye(3)[:2]
    same = augmentation.ultrasound(generator, image[:2], labels)[1]
    assert (same == labels).all()


def test_augmented_training_repeats_and_resumes(tmp_path):
    """Order and changes depend on seed and epoch alone."""
    from lib.models.training import _Batches

    x = np.random.default_rng(0).random((10, 8, 8, 1)).astype(np.float32)
    whole, later = (_Batches(x, x, 4, 3, augmentation.ultrasound, epoch) for epoch in (0, 1))
    whole.on_epoch_end()
    assert len(whole) == 3
    for index in range(3):
        assert (whole[index][0] == later[index][0]).all()
