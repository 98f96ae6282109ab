from dataclasses import replace

import numpy as np

from lib.data import phantoms


def test_relatives_are_appended_and_their_masks_move_along():
    data = phantoms.make(30, 64, seed=2)
    more = phantoms.with_relatives(data, 30)
    assert len(more) == 60
    assert np.array_equal(more.images[:30], data.images)
    assert np.array_equal(more.masks[:30], data.masks)
    originals = more.groups[30:]
    assert np.array_equal(np.sort(originals), np.arange(30))
    assert np.array_equal(more.labels[30:], data.labels[originals])
    assert ((more.masks.sum(axis=(1, 2, 3)) > 0) == (more.labels > 0)).all()
    levels = more.images * 255
    assert np.abs(levels - np.round(levels)).max() < 1e-4
    for k, original in enumerate(originals):
        image, mask, was = more.images[30 + k], more.masks[30 + k], data.masks[original]
        kind = phantoms.RELATIVES[k % 5]
        assert not np.array_equal(image, data.images[original])
        if kind == "mirror":
            assert np.array_equal(mask, was[:, ::-1])
            assert np.allclose(image, data.images[original][:, ::-1], atol=1e-6)
        elif kind in ("brightness", "mark"):
            assert np.array_equal(mask, was)
        elif kind == "crop" and was.any():
            assert mask.sum() > was.sum()


def test_a_shifted_mask_stays_on_its_lesion():
    data = phantoms.make(30, 64, seed=2)
    # Images that are their own masks: so both must move alike.
    more = phantoms.with_relatives(replace(data, images=data.masks), 30)
    moved = np.isin(np.arange(30) % 5, [1, 2])
    assert np.array_equal(more.images[30:][moved], more.masks[30:][moved])
