import numpy as np

from lib.models import augmentation


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


def test_strong_augmentation_turns_mask_and_image_alike():
    image = np.zeros((16, 32, 32, 1), np.float32)
    image[:, 10:20, 14:18] = 0.5
    images, masks = augmentation.strong(np.random.default_rng(0), image, (image > 0).astype(np.float32))
    assert images.min() >= 0
    assert images.max() <= 1
    assert ((images > 0) == (masks > 0)).all()
    areas = masks.sum(axis=(1, 2, 3)) / 40
    assert areas.min() < 0.9
    assert areas.max() > 1.1, "scaled both ways"
    assert len({mask.tobytes() for mask in masks}) == 16
