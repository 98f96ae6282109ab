import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn import metrics

from lib.evaluation import calibration


def _prediction(n=500, sharpness=1.0, seed=0, k=3):
    """Labels drawn from softmax(z), and softmax(sharpness · z): calibrated where the sharpness is 1."""
    generator = np.random.default_rng(seed)
    logits = 2 * generator.normal(size=(n, k))
    labels = np.array([generator.choice(k, p=row) for row in softmax(logits, axis=1)])
    return labels, softmax(sharpness * logits, axis=1)


def _binary(confidences, right):
    """Two classes, class 0 predicted with these confidences; label 0 where that is right."""
    return np.where(right, 0, 1), np.stack([confidences, 1 - np.asarray(confidences)], axis=1)


def test_ece_by_hand():
    """Ten images at 0.9 with seven right, ten at 0.6 with nine right: (0.2 + 0.3) / 2."""
    labels, p = _binary(np.repeat([0.9, 0.6], 10), np.r_[np.arange(10) < 7, np.arange(10) < 9])
    assert calibration.ece(labels, p) == pytest.approx(0.25)
    # One bin lets the two errors cancel: mean confidence 0.75, accuracy 0.8.
    assert calibration.ece(labels, p, 1) == pytest.approx(0.05)
    bins = calibration.reliability(labels, p, 10)
    filled = bins[bins.images > 0]
    assert filled.confidence.to_dict() == pytest.approx({5: 0.6, 8: 0.9})
    assert filled.accuracy.to_dict() == pytest.approx({5: 0.9, 8: 0.7})
    assert bins.images.sum() == 20
    assert bins[bins.images == 0][["confidence", "accuracy"]].isna().all(axis=None)


def test_ece_against_a_loop():
    labels, p = _prediction(sharpness=2)
    confidence, right = p.max(1), p.argmax(1) == labels
    expected = 0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            expected += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    assert calibration.ece(labels, p) == pytest.approx(expected)
    assert expected > 0.05


def test_certainty_falls_into_the_last_bin():
    labels, p = np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert calibration.reliability(labels, p, 5).images.tolist() == [0, 0, 0, 0, 3]
    assert calibration.ece(labels, p) == pytest.approx(1 / 3)


def test_the_interval_of_the_ece_surrounds_it():
    labels, p = _prediction(sharpness=3)
    value, low, high = calibration.ece_interval(labels, p, np.arange(500))
    assert value == calibration.ece(labels, p)
    assert low < value < high


@pytest.mark.parametrize(("sharpness", "shift"), [(1, 0), (2, 0), (1, 0.7)])
def test_slope_and_intercept_are_found_again(sharpness, shift):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=20000)
    positive = generator.random(20000) < expit(logits)
    slope, intercept = calibration.slope_and_intercept(positive, expit(sharpness * logits + shift))
    assert slope == pytest.approx(1 / sharpness, abs=0.05)
    assert intercept == pytest.approx(-shift, abs=0.05)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_temperature_is_found_again(sharpness):
    labels, p = _prediction(4000, sharpness)
    temperature = calibration.fit_temperature(labels, p)
    assert temperature == pytest.approx(sharpness, rel=0.08)
    cured = calibration.apply_temperature(p, temperature)
    assert metrics.log_loss(labels, cured) <= metrics.log_loss(labels, p)
    assert calibration.ece(labels, cured) < 0.03
    np.testing.assert_array_equal(cured.argmax(1), p.argmax(1))
    # Where the likelihood is largest the mean logit of the labels is the expected one.
    logits = np.log(p)
    assert (cured * logits).sum(1).mean() == pytest.approx(logits[np.arange(4000), labels].mean(), abs=1e-5)


def test_a_temperature_divides_logits():
    _, p = _prediction(200, 2)
    np.testing.assert_allclose(np.log(calibration.apply_temperature(p, 2)), log_softmax(np.log(p) / 2, axis=1))
    np.testing.assert_allclose(calibration.apply_temperature(p, 1), p, atol=1e-6)


def test_temperature_where_the_likelihood_has_no_maximum():
    labels, p = np.array([0, 1]), np.array([[0.6, 0.4], [0.3, 0.7]])
    assert calibration.fit_temperature(labels, p) == 1
    assert calibration.fit_temperature(1 - labels, p) == pytest.approx(1000, rel=1e-3)


def test_saturated_probabilities_stay_finite():
    labels, p = np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    temperature = calibration.fit_temperature(labels, p)
    cured = calibration.apply_temperature(p, temperature)
    # Two of three right, all equally sure: the best constant confidence is 2/3.
    assert cured.max(1) == pytest.approx([2 / 3] * 3, rel=1e-4)


def test_risk_coverage_by_hand():
    labels, p = _binary([0.6, 0.99, 0.8, 0.9], [False, True, True, False])
    curve = calibration.risk_coverage(labels, p, 1 - p.max(axis=1))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.uncertainty.tolist() == pytest.approx([0.01, 0.1, 0.2, 0.4])
    # The best order puts both errors last.
    best = calibration.risk_coverage(labels, p, uncertainty=labels.astype(float))
    assert best.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_ties_do_not_depend_on_the_order_of_images():
    labels, p = _binary([0.8] * 6, [True, True, True, False, False, True])
    curve = calibration.risk_coverage(labels, p, 1 - p.max(axis=1))
    assert curve.risk.tolist() == pytest.approx([1 / 3] * 6)
    labels, p = _prediction(200)
    p = np.round(p, 1)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    p = np.clip(p, 0, 1)
    uncertainty = 1 - p.max(axis=1).round(1)
    order = np.random.default_rng(1).permutation(200)
    curves = [calibration.risk_coverage(labels[rows], p[rows], uncertainty[rows]) for rows in (np.arange(200), order)]
    np.testing.assert_allclose(curves[0], curves[1])


def test_entropy_and_mutual_information():
    uniform, sure = np.full((1, 3), 1 / 3), np.array([[0.0, 1.0, 0.0]])
    assert calibration.predictive_entropy(np.concatenate([uniform, sure])) == pytest.approx([np.log(3), 0])
    # Members that agree, though unsure: none of the uncertainty is the model's.
    assert calibration.mutual_information(np.stack([uniform] * 7))[0] == pytest.approx(0, abs=1e-15)
    # Members that are each sure of another class: all of it is.
    members = np.eye(3)[:, None]
    assert calibration.mutual_information(members) == pytest.approx([np.log(3)])
    generator = np.random.default_rng(0)
    members = generator.dirichlet(np.ones(3), (5, 40))
    information = calibration.mutual_information(members)
    # The mean divergence of the members from their mean, another way to write it.
    divergence = (members * np.log(members / members.mean(0))).sum(-1).mean(0)
    np.testing.assert_allclose(information, divergence, atol=1e-12)
    assert (information <= calibration.predictive_entropy(members.mean(0))).all()
