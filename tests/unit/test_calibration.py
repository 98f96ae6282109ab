import numpy as np
import pytest
from scipy.special import log_softmax, softmax
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


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.6, 0.1], "row 2 of the probabilities sums to 1.2"),
        ([0.5, 0.3, 0.198], "row 2 of the probabilities sums to 0.998"),
        ([1.2, -0.2, 0.0], r"row 2 of the probabilities is not in \[0, 1\]"),
        ([np.nan, 0.5, 0.5], r"row 2 of the probabilities is not in"),
    ],
)
def test_rows_that_are_no_probabilities_are_named(row, message):
    p = np.full((5, 3), 1 / 3)
    p[2] = row
    labels = np.zeros(5, int)
    for score in (calibration.ece, calibration.brier, calibration.nll, calibration.risk_coverage):
        with pytest.raises(ValueError, match=message):
            score(labels, p)
    with pytest.raises(ValueError, match=message):
        calibration.predictive_entropy(p)
    with pytest.raises(ValueError, match=r"row \(1, 2\) of the probabilities"):
        calibration.mutual_information(np.stack([np.full((5, 3), 1 / 3), p]))


def test_rounding_is_forgiven():
    p = calibration.check_probabilities(np.array([[0.3333, 0.3333, 0.3333]], np.float32))
    assert p.dtype == np.float64


@pytest.mark.parametrize("shape", [(0, 3), (3,), (4, 1), ()])
def test_shapes_that_are_no_probabilities(shape):
    with pytest.raises(ValueError, match="a row an image"):
        calibration.check_probabilities(np.ones(shape))


def test_labels_must_fit():
    p = np.full((3, 3), 1 / 3)
    for score in (calibration.ece, calibration.brier, calibration.nll, calibration.fit_temperature):
        with pytest.raises(ValueError, match=r"for labels of shape \(2,\)"):
            score(np.array([0, 1]), p)
        with pytest.raises(ValueError, match="from 0 to 2"):
            score(np.array([0, 1, 3]), p)
        with pytest.raises(ValueError, match="from 0 to 2"):
            score(np.array([0, 1, -1]), p)
    with pytest.raises(ValueError, match="at least one"):
        calibration.ece(np.zeros(3, int), p, 0)


def test_ece_by_hand():
    """Ten images at 0.9 with seven right, ten at 0.6 with nine right: (0.2 + 0.3) / 2."""
    labels, p = _binary(np.repeat([0.9, 0.6], 10), np.r_[np.arange(10) < 7, np.arange(10) < 9])
    assert calibration.ece(labels, p) == pytest.approx(0.25)
    # One bin lets the two errors cancel: mean confidence 0.75, accuracy 0.8.
    assert calibration.ece(labels, p, 1) == pytest.approx(0.05)
    bins = calibration.reliability(labels, p, 10)
    filled = bins[bins.images > 0].set_index("bin")
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


def test_scores_are_scikit_learns():
    labels, p = _prediction()
    assert calibration.brier(labels, p) == pytest.approx(metrics.brier_score_loss(labels, p, scale_by_half=False))
    assert calibration.nll(labels, p) == pytest.approx(metrics.log_loss(labels, p))


def test_extremes_of_the_scores():
    labels, sure = np.array([0, 2]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    wrong = sure[:, [1, 0, 2]][::-1]
    assert (calibration.brier(labels, sure), calibration.nll(labels, sure)) == (0, 0)
    assert calibration.brier(labels, wrong) == 2
    assert calibration.nll(labels, wrong) == pytest.approx(-np.log(1e-7))
    # A class that no image has is still a column.
    uniform = np.full((2, 3), 1 / 3)
    assert calibration.brier(labels, uniform) == pytest.approx(2 / 3)
    assert calibration.nll(labels, uniform) == pytest.approx(np.log(3))


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_temperature_is_found_again(sharpness):
    labels, p = _prediction(4000, sharpness)
    temperature = calibration.fit_temperature(labels, p)
    assert temperature == pytest.approx(sharpness, rel=0.08)
    cured = calibration.apply_temperature(p, temperature)
    assert calibration.nll(labels, cured) <= calibration.nll(labels, p)
    assert calibration.ece(labels, cured) < 0.03
    np.testing.assert_array_equal(cured.argmax(1), p.argmax(1))
    # Where the likelihood is largest the mean logit of the labels is the expected one.
    logits = np.log(p)
    assert (cured * logits).sum(1).mean() == pytest.approx(logits[np.arange(4000), labels].mean(), abs=1e-5)


def test_probabilities_serve_as_logits():
    labels, p = _prediction(200, 2)
    logits = np.log(p) + np.random.default_rng(0).normal(size=(200, 1))
    fitted = calibration.fit_temperature(labels, logits, logits=True)
    assert fitted == pytest.approx(calibration.fit_temperature(labels, p), rel=1e-5)
    np.testing.assert_allclose(
        calibration.apply_temperature(logits, 1.7, logits=True), calibration.apply_temperature(p, 1.7), atol=1e-9
    )
    np.testing.assert_allclose(np.log(calibration.apply_temperature(p, 2)), log_softmax(np.log(p) / 2, axis=1))
    np.testing.assert_allclose(calibration.apply_temperature(p, 1), p, atol=1e-6)


def test_temperature_where_the_likelihood_has_no_maximum():
    labels, p = np.array([0, 1]), np.array([[0.6, 0.4], [0.3, 0.7]])
    assert calibration.fit_temperature(labels, p) == 1
    assert calibration.fit_temperature(1 - labels, p) == pytest.approx(1000, rel=1e-3)
    for temperature in (0, -1, np.nan):
        with pytest.raises(ValueError, match="must be positive"):
            calibration.apply_temperature(p, temperature)
    with pytest.raises(ValueError, match="finite"):
        calibration.fit_temperature(labels, np.array([[0, np.inf], [0, 0]]), logits=True)


def test_saturated_probabilities_stay_finite():
    labels, p = np.array([0, 0, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    temperature = calibration.fit_temperature(labels, p)
    cured = calibration.apply_temperature(p, temperature)
    # Two of three right, all equally sure: the best constant confidence is 2/3.
    assert cured.max(1) == pytest.approx([2 / 3] * 3, rel=1e-4)


def test_risk_coverage_by_hand():
    labels, p = _binary([0.6, 0.99, 0.8, 0.9], [False, True, True, False])
    curve = calibration.risk_coverage(labels, p)
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert calibration.aurc(curve) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.uncertainty.tolist() == pytest.approx([0.01, 0.1, 0.2, 0.4])
    # The best order puts both errors last.
    best = calibration.risk_coverage(labels, p, uncertainty=labels.astype(float))
    assert best.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_ties_do_not_depend_on_the_order_of_images():
    labels, p = _binary([0.8] * 6, [True, True, True, False, False, True])
    curve = calibration.risk_coverage(labels, p)
    assert curve.risk.tolist() == pytest.approx([1 / 3] * 6)
    labels, p = _prediction(200)
    p = np.round(p, 1)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    p = np.clip(p, 0, 1)
    uncertainty = 1 - p.max(axis=1).round(1)
    order = np.random.default_rng(1).permutation(200)
    curves = [calibration.risk_coverage(labels[rows], p[rows], uncertainty[rows]) for rows in (np.arange(200), order)]
    np.testing.assert_allclose(curves[0], curves[1])


def test_uncertainty_must_fit():
    labels, p = _prediction(10)
    for uncertainty in (np.zeros(9), np.full(10, np.nan)):
        with pytest.raises(ValueError, match="each of 10 images"):
            calibration.risk_coverage(labels, p, uncertainty)


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
    with pytest.raises(ValueError, match="members, images, classes"):
        calibration.mutual_information(uniform)
