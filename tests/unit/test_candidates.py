import numpy as np
import pytest

from lib import candidates, classification, cross_validation, leaderboard
from lib.data import phantoms, splits
from lib.data.splits import Split

SETTINGS = classification.Settings(inputs="image", epochs=6)


@pytest.fixture(scope="module")
def problem():
    """Three classes of points in 12 dimensions, 20 : 70 : 30, clearly apart."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [20, 70, 30])
    x = generator.normal(size=(120, 12)).astype(np.float32)
    x[:, :3] += 4 * np.eye(3)[labels]
    return x, labels, splits.stratified(labels, 0)


def test_heads_and_regressions_learn_what_is_clear(problem):
    x, labels, split = problem
    for predict in (candidates.head(x, labels, 3, SETTINGS, [0, 1]), candidates.logistic(x, labels)):
        said = predict(split, 0)
        assert said.shape[1:] == (120, 3)
        assert said.sum(axis=-1) == pytest.approx(1, abs=1e-5)
        assert (said.mean(axis=0).argmax(axis=1) == labels)[split.test].mean() > 0.8


def test_features_may_differ_with_the_fold(problem):
    x, labels, split = problem
    noise = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    predict = candidates.logistic(np.stack([noise, x]), labels)
    right = [(predict(split, fold)[0].argmax(axis=1) == labels)[split.test].mean() for fold in (0, 1)]
    assert right[1] > right[0]


def test_the_penalty_is_chosen_on_validation_data(problem):
    """Test labels that lie change nothing: they are not read."""
    x, labels, split = problem
    lying = labels.copy()
    lying[split.test] = (labels[split.test] + 1) % 3
    assert (candidates.logistic(x, labels)(split, 0) == candidates.logistic(x, lying)(split, 0)).all()


def test_balances(problem):
    _, labels, split = problem
    chosen, weights = classification._balance(labels, split.train, 3, "resampled", 0)
    assert len(set(np.bincount(labels[chosen]))) == 1
    assert set(chosen) == set(split.train)
    assert (weights == 1).all()
    chosen, weights = classification._balance(labels, split.train, 3, "weights", 0)
    assert (weights[labels[chosen]]).mean() == pytest.approx(1)
    counts = np.bincount(labels[chosen])
    assert weights * counts == pytest.approx(np.full(3, len(chosen) / 3))
    with pytest.raises(ValueError, match="unknown balance"):
        classification._balance(labels, split.train, 3, "wights", 0)


def test_mirror_images_are_learnt_from_and_averaged(problem):
    x, labels, split = problem
    said = candidates.mirrored_head(x, x, labels, 3, SETTINGS, [0])(split, 0)
    assert said.shape == (1, 120, 3)
    assert (said[0].argmax(axis=1) == labels)[split.test].mean() > 0.8


def test_dropout_passes_differ(problem):
    x, labels, split = problem
    said = candidates.mc_dropout(x, labels, 3, SETTINGS, 0, n_passes=3, dropout=0.5)(split, 0)
    assert said.shape == (3, 120, 3)
    assert np.abs(said[0] - said[1]).max() > 1e-3


def test_fine_tuning_learns_and_reads_no_test_image(tmp_path):
    data = phantoms.make(24, 32, 0)
    split = Split(np.arange(0, 24, 2), np.arange(1, 24, 4), np.arange(3, 24, 4))
    said = candidates.fine_tuned(data, "MobileNetV2", "random", 1, [0], tmp_path)(split, 0)
    assert said.shape == (1, 24, 3)
    assert said.sum(axis=-1) == pytest.approx(1, abs=1e-4)
    kept = list(tmp_path.glob("fine-tuned-*.joblib"))
    assert len(kept) == 1
    assert (candidates.fine_tuned(data, "MobileNetV2", "random", 1, [0], tmp_path)(split, 0) == said).all()


def test_the_ensemble_takes_no_row_that_leaks_or_repeats():
    names = dict.fromkeys(
        [leaderboard.LEAKY, "image", "image, mirrored too", "pooled VGG16", "mask descriptors", "MC dropout"]
    )
    assert leaderboard.members(names) == ["image, mirrored too", "pooled VGG16", "mask descriptors"]


def test_operating_point_uses_each_folds_own_threshold():
    folds = np.arange(80) % 2
    labels = np.arange(80) // 2 % 2
    scores = np.where(folds == 0, 0.2, 0.6) + 0.2 * labels
    p = np.stack([1 - scores, scores], axis=1)
    # Validation scores of a fold come from the models that are tested on the other one.
    validation = np.where(folds == 1, 0.2, 0.6) + 0.2 * labels
    v = np.stack([1 - validation, validation], axis=1)
    point, curve = leaderboard.malignant_against_rest(cross_validation.Pooled(p[None], v[None], folds), labels, 1)
    assert point.sensitivity == 1
    assert point.specificity == 1
    assert point["lowest threshold"] < 0.5 < point["highest threshold"]
    assert list(curve.columns[:1]) == ["threshold"]
