import types

import numpy as np
import pytest

from lib.data import phantoms, splits
from lib.data.splits import Split
from lib.evaluation import decision_curve as decision
from lib.experiments import classifiers as candidates
from lib.experiments import fine_tuning
from lib.experiments import grouped_cv as cross_validation
from lib.experiments import lesion_features as lesion_maps
from lib.experiments import model_comparison as leaderboard
from lib.pipeline import results
from lib.two_stage import classification, segmentation

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
    said = fine_tuning.from_imagenet(data, "MobileNetV2", "random", 1, [0], tmp_path)(split, 0)
    assert said.shape == (1, 24, 3)
    assert said.sum(axis=-1) == pytest.approx(1, abs=1e-4)
    kept = list(tmp_path.glob("fine-tuned-*.joblib"))
    assert len(kept) == 1
    assert (fine_tuning.from_imagenet(data, "MobileNetV2", "random", 1, [0], tmp_path)(split, 0) == said).all()


def test_a_network_that_draws_learns_to_name(tmp_path):
    data = phantoms.make(24, 32, 0)
    split = Split(np.arange(0, 24, 2), np.arange(1, 24, 4), np.arange(3, 24, 4))
    stage_1 = segmentation.Settings(architecture="mobilenetv2", weights="random", epochs=1, batch_size=8, keep="last")
    asked = []

    def segmenter(fold):
        asked.append(fold)
        return segmentation.train(data, split, stage_1, 0, tmp_path)[0]

    predict = fine_tuning.from_stage_1(data, segmenter, {"segmenter": stage_1}, 1, [0], tmp_path)
    said = predict(split, 1)
    assert said.shape == (1, 24, 3)
    assert said.sum(axis=-1) == pytest.approx(1, abs=1e-4)
    assert (predict(split, 1) == said).all()
    assert asked == [1]


def test_lesion_maps_are_averaged_inside_the_mask():
    one = np.zeros((2, 4, 4, 1), np.float32)
    one[:, :2] = 3
    mask = np.zeros((2, 16, 16, 1), np.float32)
    mask[0, :8] = 1
    inside = np.asarray(lesion_maps.InsideMask()([one, mask]))
    assert inside[0, 0] == pytest.approx(3 * 8 / 9)
    assert inside[1, 0] == 0


@pytest.mark.parametrize("architecture", segmentation.ARCHITECTURES)
def test_every_stage_1_can_be_read(architecture):
    unet = segmentation.build(32, segmentation.Settings(architecture=architecture, filters=4, weights="random"), 0)
    x = lesion_maps.describe(unet, phantoms.make(15, 32, 0).images)
    assert x.shape[0] == 15
    assert np.isfinite(x).all()


def test_validation_data_choose_the_members():
    """A member that is right on validation data is picked, and test labels that lie change nothing."""
    folds, labels = np.arange(60) % 3, np.arange(60) // 3 % 2
    good = np.where(labels[:, None] == [0, 1], 0.9, 0.1)
    bad = np.full((60, 2), 0.5)
    members = {
        "bad in validation": cross_validation.Pooled(good[None], bad[None], folds),
        "good in validation": cross_validation.Pooled(bad[None], good[None], folds),
    }
    chosen = cross_validation.chosen_ensemble(members, labels)
    assert (chosen.test == bad).all()
    assert chosen.validation[0] == pytest.approx(good)


def test_the_ensemble_takes_no_row_that_leaks_or_repeats():
    names = dict.fromkeys(
        [*leaderboard.PROTOCOLS, "image, mirrored too", "pooled VGG16", "mask descriptors", "MC dropout"]
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


def test_image_and_mask_stand_against_the_image_in_the_same_backbone_and_folds():
    data = phantoms.make(30, 32, 0)
    p = np.random.default_rng(0).dirichlet(np.ones(3), len(data))[None]
    one = cross_validation.Pooled(p, p, np.arange(30) % 3)
    names = [*leaderboard.PROTOCOLS, "image, VGG16", "image + mask, VGG16"]
    table = leaderboard.comparisons(dict.fromkeys(names, one), data, np.arange(30), 0)
    assert list(table.index) == [
        "image, random folds – image",
        "image + mask as in the paper, random folds – image, random folds",
        "image + mask as in the paper – image",
        "image + mask – image",
        "image, VGG16 – image",
        "image + mask, VGG16 – image, VGG16",
        "image + mask as in the paper, random folds – image + mask as in the paper",
        "image + mask – image + mask as in the paper",
    ]
    assert (table.difference == 0).all()
    run = types.SimpleNamespace(read_table=lambda _: table.assign(difference=np.arange(8)))
    assert results.least_grouped_gain(run)[0] == 3, "of image + mask over image, whatever the backbone"


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ((0.9, 0.85, 0.95), "yes"),
        ((0.9, 0.75, 0.95), "reached, not shown"),
        ((0.9, np.nan, np.nan), "reached, no interval"),
        ((0.7, 0.6, 0.9), "no"),
        ((np.nan,) * 3, "no"),
    ],
)
def test_a_target_is_met_only_if_its_interval_is(values, met, monkeypatch):
    monkeypatch.setattr(results, "TARGETS", (results.Target("x", 0.8, lambda _: values),))
    assert results.targets(None).met.tolist() == [met]
    less = results.Target("x", -0.8, lambda _: tuple(-np.array(values)[[0, 2, 1]]), above=False)
    monkeypatch.setattr(results, "TARGETS", (less,))
    assert results.targets(None).met.tolist() == [met]


def test_the_decision_curve_is_of_calibrated_probabilities():
    generator = np.random.default_rng(0)
    labels, folds = generator.integers(0, 2, 400), np.arange(400) % 2
    logits = np.stack([-8 * (labels - 0.5), 8 * (labels - 0.5)], axis=1) + 8 * generator.normal(size=(400, 2))
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # far too sure of itself
    pooled = cross_validation.Pooled(sure[None], sure[None], folds)
    _, curve = leaderboard.malignant_against_rest(pooled, labels, 1)
    expected = decision.net_benefit(labels == 1, pooled.calibrated(labels)[0][:, 1], curve.threshold.to_numpy())
    assert np.allclose(curve.model, expected.model)
    raw = decision.net_benefit(labels == 1, sure[:, 1], curve.threshold.to_numpy())
    assert not np.allclose(curve.model, raw.model)
