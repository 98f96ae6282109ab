import numpy as np
import pytest
from sklearn import metrics

from lib.evaluation import decision_curve as decision


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
    labels = np.array([1, 1, 1, 1, 0, 0], bool)
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.1])
    assert [decision.operating_point(labels, scores, s) for s in (0.25, 0.5, 0.75, 0.76, 1)] == [
        0.9,
        0.8,
        0.7,
        0.2,
        0.2,
    ]
    # 0.95 of 20 positives are 19, whatever floating point makes of the product.
    assert decision.operating_point(np.ones(20, bool), np.arange(20), 0.95) == 1
    assert decision.operating_point(np.ones(21, bool), np.arange(21), 0.95) == 1


def test_calls_by_hand():
    labels = np.repeat([True, False], [21, 58])
    called = np.r_[np.arange(21) < 17, np.arange(58) < 3]
    table = decision.called_scores(labels, called, np.arange(79))
    assert table.value.tolist() == pytest.approx([17 / 21, 55 / 58, 17 / 20, 55 / 59])
    assert table.images.tolist() == [21, 58, 20, 59]
    assert ((table["95 % low"] < table.value) & (table.value < table["95 % high"])).all()


def test_undefined_shares_are_nan():
    labels, nobody = np.array([False, False, True]), np.zeros(3, bool)
    table = decision.called_scores(labels, nobody, np.arange(3))
    assert table.value.tolist()[:2] == [0, 1]
    assert table.loc["PPV", ["value", "95 % low", "95 % high"]].isna().all()


def _benefit(labels, scores, thresholds):
    frame = decision.net_benefit(labels, scores, np.asarray(thresholds), np.arange(len(labels)))
    assert (frame["95 % low"] <= frame["net benefit"]).all()
    assert (frame["net benefit"] <= frame["95 % high"]).all()
    return frame["net benefit"].to_numpy()


def test_net_benefit_by_hand():
    labels, scores = np.array([1, 1, 0, 0, 0], bool), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    thresholds = [0, 0.2, 0.5, 0.6, 0.95]
    # At 0.2: both found, two false at a price of 1/4; at 0.5: one found, one false at 1.
    model = _benefit(labels, scores, thresholds)
    assert model == pytest.approx([2 / 5, 2 / 5 - 2 / 5 / 4, 0, 1 / 5 - 1 / 5 * 1.5, 0])
    treat_all = _benefit(labels, np.ones(5), thresholds)
    assert treat_all == pytest.approx([0.4, 0.4 - 0.6 / 4, -0.2, 0.4 - 0.6 * 1.5, 0.4 - 0.6 * 19])


def test_net_benefit_of_a_perfect_and_of_no_model():
    labels, _ = _scores()
    thresholds = np.linspace(0.01, 0.99, 50)
    assert _benefit(labels, labels.astype(float), thresholds) == pytest.approx(labels.mean())
    # The prevalence as score treats all below it and none above: it is never worse than either.
    treat_all = _benefit(labels, np.ones(len(labels)), thresholds)
    constant = _benefit(labels, np.full(len(labels), labels.mean()), thresholds)
    assert constant == pytest.approx(np.maximum(treat_all, 0), abs=1e-12)
