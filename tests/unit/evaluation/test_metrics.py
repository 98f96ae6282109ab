import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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
    ("truth", "drawn", "dice", "kind"),
    [
        (_mask(), _mask(), 1, "no lesion"),
        (_mask(), _mask((0, 0)), 0, "no lesion"),
        (_mask((0, 0)), _mask(), 0, "lesion"),
    ],
)
def test_empty_masks_are_defined(truth, drawn, dice, kind):
    scores = evaluation.mask_scores(truth, drawn).iloc[0]
    assert (scores.dice, scores.iou, scores.kind) == (dice, dice, kind)


@given(MASKS, MASKS)
def test_properties_of_overlap(truth, drawn):
    scores = evaluation.mask_scores(truth, drawn)
    assert scores.dice.between(0, 1).all()
    np.testing.assert_allclose(scores.iou, scores.dice / (2 - scores.dice), atol=1e-12)
    np.testing.assert_allclose(evaluation.mask_scores(drawn, truth).dice, scores.dice)
    assert (evaluation.mask_scores(truth, truth).dice == 1).all()


def test_bce_is_keras():
    import keras

    generator = np.random.default_rng(0)
    truth, drawn = generator.uniform(size=(2, 5, 8, 8, 1)).astype(np.float32)
    expected = keras.ops.mean(keras.losses.binary_crossentropy(truth, drawn), axis=(1, 2))
    assert evaluation.mask_scores(truth, drawn).bce.to_numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_summary_keeps_lesions_and_normals_apart():
    truth = np.concatenate([_mask((0, 0)), _mask((1, 1)), _mask(), _mask()])
    drawn = np.concatenate([_mask((0, 0)), _mask((2, 2)), _mask(), _mask((0, 0))])
    summary = evaluation.summarise_masks(evaluation.mask_scores(truth, drawn))
    assert summary.loc["lesion", ["images", "dice", "missed"]].tolist() == [2, 0.5, 0.5]
    assert summary.loc["no lesion", ["images", "dice", "drawn"]].tolist() == [2, 0.5, 0.5]
    assert np.isnan(summary.loc["lesion", "drawn"])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="cannot be compared"):
        evaluation.mask_scores(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 5, 1)))


def test_class_scores_against_counting():
    labels, said = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 2])
    scores = evaluation.class_scores(labels, said, CLASSES)
    assert scores.precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert scores.recall.tolist() == pytest.approx([1 / 2, 2 / 3, 1])
    assert scores.support.tolist() == [2, 3, 1]
    row = evaluation.table_row(labels, said, CLASSES)
    assert row["accuracy"] == pytest.approx(4 / 6)
    assert row["f1 benign"] == pytest.approx(2 / 3)
    assert evaluation.confusion(labels, said, CLASSES).to_numpy().tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_undefined_scores_are_nan_not_zero():
    scores = evaluation.class_scores(np.array([0, 0]), np.array([0, 1]), CLASSES)
    assert np.isnan(scores.loc["malignant", ["precision", "recall"]].astype(float)).all()
    assert np.isnan(scores.loc["benign", "recall"])


@pytest.mark.parametrize("said", [np.array([1]), np.array([1, 1, 1])])
def test_lengths_must_agree(said):
    with pytest.raises(ValueError, match="predictions for 2 labels"):
        evaluation.accuracy(np.array([0, 1]), said)


def test_the_best_threshold_is_the_one_that_the_masks_were_drawn_for():
    truth = np.zeros((3, 8, 8, 1), np.float32)
    truth[:2, 2:6, 2:6] = 1
    drawn = np.full_like(truth, 0.21)  # the background; a threshold of 0.2 or less draws everything
    drawn[truth == 1] = 0.33
    assert evaluation.best_threshold(truth, drawn) == pytest.approx(0.25)
    assert (evaluation.mask_scores(truth, evaluation.at_threshold(drawn, 0.25)).dice == 1).all()
    assert (evaluation.mask_scores(truth, drawn).dice[:2] == 0).all()
    with pytest.raises(ValueError, match="without a lesion"):
        evaluation.best_threshold(truth[2:], drawn[2:])
