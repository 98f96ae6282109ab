import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from lib.evaluation import metrics as evaluation

CLASSES = ("normal", "benign", "malignant")
MASKS = hnp.arrays(np.float32, (3, 6, 6, 1), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def _mask(*pixels):
    mask = np.zeros((1, 4, 4, 1), np.float32)
    for row, column in pixels:
        mask[0, row, column] = 1
    return mask


def test_known_overlap():
    scores = evaluation.mask_scores(_mask((0, 0), (0, 1), (1, 0)), _mask((0, 0), (0, 1), (2, 2), (3, 3))).iloc[0]
    assert scores.dice == pytest.approx(2 * 2 / (3 + 4))
    assert scores.iou == pytest.approx(2 / 5)
    assert scores.true_area == 3 / 16
    assert scores.predicted_area == 4 / 16
    assert scores.kind == "lesion"


@pytest.mark.parametrize(
    ("truth", "predicted", "dice", "kind"),
    [
        (_mask(), _mask(), 1, "no lesion"),
        (_mask(), _mask((0, 0)), 0, "no lesion"),
        (_mask((0, 0)), _mask(), 0, "lesion"),
    ],
)
def test_empty_masks_are_defined(truth, predicted, dice, kind):
    scores = evaluation.mask_scores(truth, predicted).iloc[0]
    assert (scores.dice, scores.iou, scores.kind) == (dice, dice, kind)


@given(MASKS, MASKS)
def test_properties_of_overlap(truth, predicted):
    scores = evaluation.mask_scores(truth, predicted)
    assert scores.dice.between(0, 1).all()
    np.testing.assert_allclose(scores.iou, scores.dice / (2 - scores.dice), atol=1e-12)
    np.testing.assert_allclose(evaluation.mask_scores(predicted, truth).dice, scores.dice)
    assert (evaluation.mask_scores(truth, truth).dice == 1).all()


def test_bce_is_keras():
    import keras

    generator = np.random.default_rng(0)
    truth, predicted = generator.uniform(size=(2, 5, 8, 8, 1)).astype(np.float32)
    expected = keras.ops.mean(keras.losses.binary_crossentropy(truth, predicted), axis=(1, 2))
    assert evaluation.mask_scores(truth, predicted).bce.to_numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_table_row_against_counting():
    labels, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 2])
    row = evaluation.table_row(labels, predicted, CLASSES)
    assert row["accuracy"] == pytest.approx(4 / 6)
    assert row.filter(like="precision").tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert row.filter(like="recall").tolist() == pytest.approx([1 / 2, 2 / 3, 1])
    assert row["f1 benign"] == pytest.approx(2 / 3)
    assert evaluation.confusion(labels, predicted, CLASSES).to_numpy().tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_undefined_scores_are_nan_not_zero():
    row = evaluation.table_row(np.array([0, 0]), np.array([0, 1]), CLASSES)
    assert row[["precision malignant", "recall malignant", "f1 malignant", "recall benign"]].isna().all()
    assert row["precision benign"] == 0


def test_score_row_is_scikit_learn():
    labels, predicted = np.random.default_rng(0).integers(0, 3, (2, 80))
    expected = metrics.precision_recall_fscore_support(labels, predicted)[:3]
    row = evaluation.score_row(labels, predicted)
    assert row == pytest.approx(np.concatenate([[metrics.accuracy_score(labels, predicted)], *expected]))
