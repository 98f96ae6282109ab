import numpy as np
import pytest

from lib.experiments import grouped_cv as cross_validation
from lib.experiments.grouped_cv import Pooled

CLASSES = ("normal", "benign", "malignant")


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 3, 90)


@pytest.fixture
def folds():
    return np.arange(90) % 3


def said(labels, right):
    """Probabilities 0.8 for the label where ``right``, else for the next one."""
    named = np.where(right, labels, (labels + 1) % 3)
    return np.full((len(labels), 3), 0.1) + 0.7 * np.eye(3)[named]


def test_each_image_is_tested_once_and_chooses_once(folds):
    for fold in range(3):
        split = cross_validation.split_of(folds, fold)
        assert set(folds[split.test]) == {fold}
        assert set(folds[split.validation]) == {(fold + 1) % 3}
        assert set(folds[split.train]) == {(fold + 2) % 3}


def test_pooling_takes_each_fold_from_its_own_models(folds, labels):
    def predict(split, fold):
        return np.full((2, 90, 3), 0.1) + 0.7 * np.eye(3)[np.full(90, fold)]

    pooled = cross_validation.run(predict, folds)
    assert (pooled.mean().argmax(axis=1) == folds).all()
    assert (pooled.validation[0].argmax(axis=1) == (folds - 1) % 3).all()


def test_probabilities_must_be_some(folds):
    with pytest.raises(ValueError, match="sum"):
        cross_validation.run(lambda split, fold: np.full((1, 90, 3), 0.5), folds)


def test_scores_of_known_answers(folds, labels):
    right = np.ones(90, bool)
    right[:18] = False
    one = Pooled(said(labels, right)[None], said(labels, right)[None], folds)
    row = cross_validation.scores(one, labels, np.arange(90), CLASSES)
    assert row.accuracy == pytest.approx(0.8)
    assert row["accuracy low"] < 0.8 < row["accuracy high"]
    recalls = [right[labels == label].mean() for label in range(3)]
    assert row["balanced accuracy"] == pytest.approx(np.mean(recalls))
    assert np.isnan(row["sd seeds"])
    wide = cross_validation.scores(one, labels, np.arange(90) // 18, CLASSES)
    assert wide["accuracy high"] - wide["accuracy low"] > row["accuracy high"] - row["accuracy low"]


def test_comparison_of_known_answers(folds, labels):
    all_right, some = np.ones(90, bool), np.arange(90) >= 9
    a, b = (Pooled(said(labels, right)[None], said(labels, right)[None], folds) for right in (all_right, some))
    row = cross_validation.compare(a, b, labels, np.arange(90), 2)
    assert row.difference == pytest.approx(0.1)
    assert (row["only first"], row["only second"]) == (9, 0)
    assert row["p McNemar"] == pytest.approx(2 * 0.5**9)
    assert row["95 % low"] > 0


def test_the_ensemble_is_the_plain_mean(folds, labels):
    sure, wrong = said(labels, np.ones(90, bool)), said(labels, np.zeros(90, bool))
    a, b = Pooled(np.stack([sure, sure]), np.stack([sure, sure]), folds), Pooled(wrong[None], wrong[None], folds)
    assert cross_validation.ensemble({"a": a, "b": b}).mean() == pytest.approx((sure + wrong) / 2)


def test_temperatures_come_from_the_choosing_fold(folds, labels):
    """Fold 0 is chosen for by fold 1: only there are the models overconfident."""
    generator = np.random.default_rng(1)
    right = generator.random(90) < 0.7
    sure = said(labels, right) ** 6
    sure /= sure.sum(axis=1, keepdims=True)
    mild = np.full((90, 3), 0.15) + 0.55 * np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    validation = np.where((folds == 1)[:, None], sure, mild)
    calibrated, temperatures = Pooled(sure[None], validation[None], folds).calibrated(labels)
    assert temperatures[0] > 2 * max(temperatures[1:])
    assert (calibrated.argmax(axis=1) == sure.argmax(axis=1)).all()
    assert calibrated.sum(axis=1) == pytest.approx(1)


def test_table_of_folds(folds, labels):
    table = cross_validation.fold_table(folds, labels, np.arange(90) // 2, CLASSES)
    assert table[list(CLASSES)].to_numpy().sum() == 90
    assert table.loc[0, "groups"] == len(set((np.arange(90) // 2)[folds == 0]))
