import numpy as np
import pytest

from lib.data import splits
from lib.data.record import ImageSet
from lib.experiments import classifiers
from lib.two_stage.classification import HeadSettings


@pytest.fixture(scope="module")
def problem():
    """Three classes of points in 12 dimensions, 20 : 70 : 30, clearly apart."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [20, 70, 30])
    x = generator.normal(size=(120, 12)).astype(np.float32)
    x[:, :3] += 4 * np.eye(3)[labels]
    data = ImageSet(None, labels, np.arange(120).astype(str), ("normal", "benign", "malignant"), "points")
    return data, {"features": x}, splits.stratified(labels, 0).parts()


def test_a_regression_learns_what_is_clear(problem):
    data, x, parts = problem
    found = classifiers.logistic_regression.function(data, x, **parts)
    assert found["test"].shape == (1, len(parts["test"]), 3)
    assert found["test"].dtype == np.float32
    assert (found["test"][0].argmax(axis=1) == data.labels[parts["test"]]).mean() > 0.8
    assert found["penalty"] in (1e-4, 1e-3, 1e-2, 1e-1, 1)


def test_test_labels_and_features_change_no_training(problem):
    data, x, parts = problem
    lying, noise = data.labels.copy(), x["features"].copy()
    lying[parts["test"]] = (lying[parts["test"]] + 1) % 3
    noise[parts["test"]] = 0
    other = ImageSet(None, lying, data.names, data.classes, "lies")
    found = [
        classifiers.logistic_regression.function(one, {"features": features}, **parts)
        for one, features in ((data, x["features"]), (other, noise))
    ]
    assert (found[0]["validation"] == found[1]["validation"]).all()


def test_validation_data_choose_the_penalty(problem):
    data, _, parts = problem
    noise = {"features": np.random.default_rng(1).normal(size=(120, 12)).astype(np.float32)}
    assert classifiers.logistic_regression.function(data, noise, **parts)["penalty"] < 1e-2


def test_passes_with_dropout_differ(problem):
    data, x, parts = problem
    settings = HeadSettings(epochs=2, dropout=0.5)
    found = classifiers.mc_dropout.function(data, x, **parts, settings=settings, seed=0, n_passes=4)
    assert found["test"].shape == (4, len(parts["test"]), 3)
    assert np.abs(found["test"][0] - found["test"][1]).max() > 1e-3
    assert found["test"].sum(axis=-1) == pytest.approx(1, abs=1e-5)
