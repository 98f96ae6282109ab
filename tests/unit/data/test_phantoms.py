import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.data import phantoms
from lib.data.record import DataError


@pytest.fixture(scope="module")
def data():
    return phantoms.make(300, 64, seed=3)


def test_record_and_proportions(data):
    assert data.images.shape == data.masks.shape == (300, 64, 64, 1)
    assert data.counts().to_dict() == {"normal": 51, "benign": 168, "malignant": 81}
    assert set(np.unique(data.masks)) == {0, 1}
    levels = data.images * 255
    assert np.abs(levels - np.round(levels)).max() < 1e-4
    assert data.images.min() == 0
    assert data.images.max() == 1


@given(st.integers(15, 5000))
def test_class_counts_add_up_and_follow_busi(n):
    counts = phantoms.class_counts(n)
    assert counts.sum() == n
    assert np.abs(counts - n * np.array(phantoms.PROPORTIONS)).max() < 1


def test_seed_decides_everything():
    one, same, other = (phantoms.make(15, 32, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.images, same.images)
    assert np.array_equal(one.masks, same.masks)
    assert not np.array_equal(one.images, other.images)


def test_only_normals_have_no_lesion(data):
    assert ((data.masks.sum(axis=(1, 2, 3)) > 0) == (data.labels > 0)).all()


def test_speckle_is_there_and_fine(data):
    """Neighbouring pixels differ as an envelope's do: not a smooth picture, not white noise."""
    rough = data.images[..., 0] - ndimage.gaussian_filter(data.images[..., 0], (0, 3, 3))
    correlation = np.corrcoef(rough[:, :, 1:].ravel(), rough[:, :, :-1].ravel())[0, 1]
    assert 0.2 < correlation < 0.95
    assert rough.std() > 0.03


def _behind(data, label):
    """Mean brightness below the lesion minus that at the same depth beside it."""
    differences = []
    for image, mask in zip(data.images[data.labels == label], data.masks[data.labels == label], strict=True):
        rows, columns = np.nonzero(mask[..., 0])
        below = slice(rows.max() + 2, min(rows.max() + 14, 64))
        under = np.zeros(64, bool)
        under[columns.min() : columns.max() + 1] = True
        if rows.max() < 56 and not under.all():
            differences.append(image[below, under].mean() - image[below, ~under].mean())
    return np.mean(differences)


def test_shadow_behind_malignant_and_enhancement_behind_benign_lesions(data):
    assert _behind(data, 1) > 0.03
    assert _behind(data, 2) < -0.03


def test_the_mask_alone_tells_benign_from_malignant_often_but_not_always(data):
    def shape(mask):
        inside = mask[..., 0] > 0
        border = inside & ~ndimage.binary_erosion(inside)
        rows, columns = np.nonzero(inside)
        box = (np.ptp(rows) + 1, np.ptp(columns) + 1)
        return [np.log(inside.sum()), border.sum() ** 2 / inside.sum(), inside.sum() / np.prod(box), box[0] / box[1]]

    lesions = data.labels > 0
    x, y = np.array([shape(mask) for mask in data.masks[lesions]]), data.labels[lesions] == 2
    model = make_pipeline(StandardScaler(), LogisticRegression())
    auc = roc_auc_score(y, cross_val_predict(model, x, y, cv=5, method="predict_proba")[:, 1])
    assert 0.75 < auc < 0.97


@pytest.mark.parametrize(("n", "size"), [(14, 64), (20, 31)])
def test_too_few(n, size):
    with pytest.raises(DataError, match="at least 15 images of 32 pixels"):
        phantoms.make(n, size)
