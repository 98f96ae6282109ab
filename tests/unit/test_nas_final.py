import random

import keras
import numpy as np
import pytest

from lib.nas import final
from lib.nas.notation import parse
from lib.nas.training import Data, Recipe, TrainingError, augment, predict, train
from lib.plots import nas as plots
from lib.reported import nas as reported

TINY = parse("CN(4,3) P(2,2) GAP() FC(2)")


@pytest.fixture
def data() -> Data:
    """Bright and dark squares: any network learns them."""
    generator = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = (generator.random((80, 8, 8, 1)) * 0.3 + 0.5 * labels[:, None, None, None]).astype(np.float32)
    return Data(images[:60], labels[:60], images[60:], labels[60:], 2)


def test_training_learns_and_repeats(data):
    recipe = Recipe(epochs=6, learning_rate=0.02, l2=0.0, batch=16)
    _, first = train(TINY, data, recipe, 3)
    _, second = train(TINY, data, recipe, 3)
    assert first.accuracy > 0.9
    assert first.history == second.history


def test_early_stopping_ends_a_training_that_does_not_get_better(data):
    plain = parse("C(4,3) P(2,2) GAP() FC(2)")  # normalisation goes on moving its averages
    _, outcome = train(plain, data, Recipe(epochs=30, learning_rate=0.0), 0)
    assert outcome.epochs == 3


def test_the_penalty_is_part_of_the_loss_but_not_of_the_reported_one(data):
    model = TINY.build(data.input_shape, l2=0.02)
    kernels = sum((array**2).sum() for array in model.get_weights() if array.ndim > 1)
    assert sum(float(loss) for loss in model.losses) == pytest.approx(0.02 * kernels, rel=1e-5)
    _, outcome = train(TINY, data, Recipe(epochs=2), 0)
    assert min(outcome.history["val_loss"]) > outcome.loss


def test_wrong_number_of_classes_is_said(data):
    with pytest.raises(TrainingError, match="tells 3 classes apart, the data have 2"):
        train(parse("C(4,3) F() FC(3)"), data, Recipe(), 0)


def test_a_final_training_runs_once_and_exports_a_model_that_loads(data, tmp_path):
    test = (data.validation_images, data.validation_labels)
    recipe = Recipe(epochs=2, patience=0, cosine=True, decay=0.01, l2=0.0, augment=1.0)
    first = final.train_and_test(TINY, data, test, recipe, 0, tmp_path)
    second = final.train_and_test(TINY, data, test, recipe, 0, tmp_path)
    assert first.seconds == second.seconds
    assert not list(tmp_path.glob("*backup*"))
    path = final.export(TINY, first.weights, data.input_shape, tmp_path / "winner")
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(predict(loaded, test[0]), first.probabilities, atol=1e-5)
    assert path.with_suffix(".txt").read_text().startswith(str(TINY))


def test_a_training_depends_on_its_own_seed_only(data, monkeypatch):
    """Other threads of a cluster's worker draw from Python's global generator at any time."""
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: None)
    outcomes = []
    for disturbed in (1, 2):
        random.seed(disturbed)
        model, outcome = train(TINY, data, Recipe(epochs=1, batch=16), 3)
        outcomes.append((outcome.history, [array.tolist() for array in model.get_weights()]))
    assert outcomes[0] == outcomes[1]


def test_augmented_images_keep_what_is_far_from_the_border():
    images = np.zeros((3, 28, 28, 1), np.float32)
    images[:, 12:16, 12:16] = 1
    moved = augment(images, np.random.default_rng(0), 2.0)
    assert moved.shape == images.shape
    assert not np.array_equal(moved, images)
    np.testing.assert_allclose(moved.sum(axis=(1, 2, 3)), 16, rtol=0.35)
    np.testing.assert_allclose(augment(images, np.random.default_rng(0), 1e-9), images, atol=1e-5)


def test_scores_without_skill_are_the_majority():
    labels = np.repeat([0, 1], [8, 2])
    scores = final.scores(labels, np.tile([0.9, 0.1], (10, 1)))
    assert scores["accuracy"] == scores["majority"] == 0.8
    assert scores["balanced"] == 0.5
    assert scores["macro_f1"] == pytest.approx(8 / 18)
    assert 0.49 < scores["low"] < 0.8 < scores["high"] < 0.95


@pytest.mark.parametrize("name", ["M_3", "KAU-BCMD BbNAS", "MNIST SE-BbNAS"])
def test_a_drawing_has_a_box_for_every_layer(name):
    row = reported.architectures().loc[name]
    architecture = parse(row.text)
    figure = plots.draw_architecture(architecture, (row.height, row.width, row.channels))
    boxes = [patch for patch in figure.axes[0].patches if "FancyBbox" in type(patch).__name__]
    assert len(boxes) == len(architecture) + 1


def test_printed_results_belong_to_printed_architectures():
    assert set(reported.results().index) == set(reported.architectures().index)
    assert reported.results().accuracy.between(0.8, 1).all()
