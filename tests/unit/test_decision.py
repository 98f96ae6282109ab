import numpy as np
import pytest
from sklearn import metrics

from lib.evaluation import decision_curve as decision
from lib.evaluation import statistics as significance


def _scores(n=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.random(n) < 0.3
    return labels, np.round(1 / (1 + np.exp(-generator.normal(size=n) - 1.5 * labels + 1)), 2)


@pytest.mark.parametrize("sensitivity", [0.5, 0.8, 0.9, 0.95, 1.0])
def test_operating_point_is_the_best_of_all(sensitivity):
    labels, scores = _scores()
    threshold = decision.operating_point(labels, scores, sensitivity)
    called = scores >= threshold
    assert called[labels].mean() >= sensitivity
    others = [scores >= other for other in np.unique(scores)]
    best = max((~other)[~labels].mean() for other in others if other[labels].mean() >= sensitivity)
    assert (~called)[~labels].mean() == best
    false_alarms, found, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert 1 - best == pytest.approx(false_alarms[found >= sensitivity].min())


def test_operating_point_by_hand():
    labels = np.array([1, 1, 1, 1, 0, 0])
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.1])
    assert [decision.operating_point(labels, scores, s) for s in (0.25, 0.5, 0.75, 0.76, 1)] == [
        0.9,
        0.8,
        0.7,
        0.2,
        0.2,
    ]
    # 0.95 of 20 positives are 19, whatever floating point makes of the product.
    assert decision.operating_point(np.ones(20), np.arange(20), 0.95) == 1
    assert decision.operating_point(np.ones(21), np.arange(21), 0.95) == 1


def test_at_threshold_by_hand():
    labels = np.repeat([1, 0], [21, 58])
    scores = np.r_[np.repeat([0.9, 0.1], [17, 4]), np.repeat([0.9, 0.1], [3, 55])]
    row = decision.at_threshold(labels, scores, 0.9)
    for name, right, n in (("sensitivity", 17, 21), ("specificity", 55, 58), ("ppv", 17, 20), ("npv", 55, 59)):
        assert row[name] == pytest.approx(right / n)
        assert (row[f"{name} low"], row[f"{name} high"]) == significance.proportion_interval(right, n)
    assert row.threshold == 0.9
    assert decision.at_threshold(labels, scores, 0.9, level=0.5)["ppv low"] > row["ppv low"]


def test_undefined_shares_are_nan():
    labels, scores = np.array([0, 0, 1]), np.array([0.1, 0.2, 0.3])
    nobody = decision.at_threshold(labels, scores, 0.9)
    assert (nobody.sensitivity, nobody.specificity) == (0, 1)
    assert nobody[["ppv", "ppv low", "ppv high"]].isna().all()
    assert decision.at_threshold(labels, scores, 0)[["npv", "npv low"]].isna().all()
    healthy = decision.at_threshold(np.zeros(3), scores, 0.15)
    assert healthy[["sensitivity", "sensitivity high"]].isna().all()
    assert (healthy.specificity, healthy.npv, healthy.ppv) == pytest.approx((1 / 3, 1, 0))


def test_net_benefit_by_hand():
    labels, scores = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    frame = decision.net_benefit(labels, scores, np.array([0, 0.2, 0.5, 0.6, 0.95]))
    # At 0.2: both found, two false at a price of 1/4; at 0.5: one found, one false at 1.
    assert frame.model.tolist() == pytest.approx([2 / 5, 2 / 5 - 2 / 5 / 4, 0, 1 / 5 - 1 / 5 * 1.5, 0])
    assert frame["treat all"].tolist() == pytest.approx([0.4, 0.4 - 0.6 / 4, -0.2, 0.4 - 0.6 * 1.5, 0.4 - 0.6 * 19])
    assert (frame["treat none"] == 0).all()


def test_net_benefit_of_a_perfect_and_of_no_model():
    labels, _ = _scores()
    thresholds = np.linspace(0.01, 0.99, 50)
    perfect = decision.net_benefit(labels, labels.astype(float), thresholds)
    np.testing.assert_allclose(perfect.model, labels.mean())
    # The prevalence as score treats all below it and none above: it is never worse than either.
    constant = decision.net_benefit(labels, np.full(len(labels), labels.mean()), thresholds)
    np.testing.assert_allclose(constant.model, np.maximum(constant["treat all"], 0), atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5], "scores of shape"),
        ([], [], "scores of shape"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "0 or 1"),
        ([0, 1], [0.1, np.nan], "finite"),
    ],
)
def test_refuses_what_is_not_binary(labels, scores, message):
    labels, scores = np.array(labels), np.array(scores)
    for call in (
        lambda: decision.operating_point(labels, scores),
        lambda: decision.at_threshold(labels, scores, 0.5),
        lambda: decision.net_benefit(labels, scores, np.array([0.1])),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_refuses_settings():
    labels, scores = np.array([0, 1]), np.array([0.1, 0.9])
    for sensitivity in (0, 1.1, np.nan):
        with pytest.raises(ValueError, match="sensitivity"):
            decision.operating_point(labels, scores, sensitivity)
    with pytest.raises(ValueError, match="no positive image"):
        decision.operating_point(np.zeros(2), scores)
    with pytest.raises(ValueError, match="probabilities"):
        decision.net_benefit(labels, scores * 2, np.array([0.1]))
    for thresholds in ([1.0], [-0.1], [np.nan]):
        with pytest.raises(ValueError, match="threshold probabilities"):
            decision.net_benefit(labels, scores, np.array(thresholds))
