"""What the probabilities of one model are good for: calibration, uncertainty, calling malignant, decision curve."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, log_loss

from lib.evaluation import calibration, decision_curve, statistics
from lib.experiments import model_comparison
from lib.experiments.classifiers import MC_DROPOUT, single_backbone
from lib.experiments.grouped_cv import GroupedCV, Pooled

SENSITIVITY = 0.95  # asked for on validation data
THRESHOLDS = np.arange(0.02, 0.8, 0.02)


def calibrated(cv: GroupedCV, one: Pooled) -> np.ndarray:
    """Probabilities of the seeds' mean, (n, n_classes), each fold at the temperature of its own validation fold."""
    probabilities, validation = (part.mean(axis=0) for part in (one.test, one.validation))
    scaled = np.full_like(probabilities, np.nan)
    for fold in _folds_done(cv, one):
        chosen, tested = cv.members(cv.validates(fold)), cv.members(fold)
        temperature = calibration.fit_temperature(cv.labels[chosen], validation[chosen])
        scaled[tested] = calibration.apply_temperature(probabilities[tested], temperature)
    return scaled


def calibration_table(cv: GroupedCV, one: Pooled | None) -> pd.DataFrame:
    """Calibration as it is and after temperature scaling, out of fold.

    Returns
    -------
    ``ECE`` with its 95 % interval over groups, ``Brier score`` in [0, 2], ``cross-entropy`` (nats), and of malignant
    against the rest ``slope`` (1 is right) and ``intercept`` (0 is right).  Empty without answers.
    """
    if one is None:
        return pd.DataFrame()
    done = one.done
    labels, malignant = cv.labels[done], cv.labels[done] == cv.positive
    rows = {}
    for name, p in {"as it is": one.test.mean(axis=0), "temperature scaled": calibrated(cv, one)}.items():
        p = np.asarray(p[done], np.float64)
        p = p / p.sum(axis=1, keepdims=True)
        ece, low, high = calibration.ece_interval(labels, p, cv.groups[done], cv.seed)
        slope, intercept = calibration.slope_and_intercept(malignant, p[:, cv.positive])
        rows[name] = {
            "ECE": ece,
            "95 % low": low,
            "95 % high": high,
            "Brier score": brier_score_loss(labels, p, scale_by_half=False),
            "cross-entropy": log_loss(labels, p),
            "slope": slope,
            "intercept": intercept,
            "images": int(done.sum()),
        }
    return pd.DataFrame(rows).T


def reliabilities(cv: GroupedCV, one: Pooled | None) -> dict[str, pd.DataFrame]:
    """Reliability bins before and after temperature scaling; empty without answers."""
    if one is None:
        return {}
    kinds = {"as it is": one.test.mean(axis=0), "temperature scaled": calibrated(cv, one)}
    return {name: calibration.reliability(cv.labels[one.done], p[one.done]) for name, p in kinds.items()}


def risk_curves(cv: GroupedCV, answers: Mapping[str, Pooled], model: str) -> dict[str, pd.DataFrame]:
    """Error rate against coverage for three uncertainties: entropy, disagreement of seeds and of dropout passes."""
    found = {}
    if model in answers:
        p = calibrated(cv, answers[model])
        found[f"{model}, entropy"] = (p, calibration.predictive_entropy(p), answers[model].done)
    for name in (f"image, {single_backbone(cv.profile)}", MC_DROPOUT):
        if name in answers:
            one = answers[name]
            information = calibration.mutual_information(one.test)
            found[f"{name}, mutual information"] = (one.test.mean(axis=0), information, one.done)
    return {
        name: calibration.risk_coverage(cv.labels[done], p[done], uncertainty[done])
        for name, (p, uncertainty, done) in found.items()
    }


def malignant_calls(cv: GroupedCV, one: Pooled | None) -> pd.DataFrame:
    """Malignant against the rest on test folds, at thresholds that validation data chose for :data:`SENSITIVITY`."""
    if one is None:
        return pd.DataFrame()
    scores, validation = (part.mean(axis=0)[:, cv.positive] for part in (one.test, one.validation))
    malignant, called = cv.labels == cv.positive, np.zeros(len(scores), bool)
    for fold in _folds_done(cv, one):
        chosen, tested = cv.members(cv.validates(fold)), cv.members(fold)
        called[tested] = scores[tested] >= decision_curve.operating_point(
            malignant[chosen], validation[chosen], SENSITIVITY
        )
    done = one.done
    return decision_curve.called_scores(malignant[done], called[done], cv.groups[done], seed=cv.seed)


def calls_in_words(table: pd.DataFrame) -> str:
    """Whether the sensitivity that was asked for on validation data is kept on test folds."""
    if table.empty:
        return model_comparison.NOT_YET
    row = table.loc["sensitivity"]
    low, high = row["95 % low"], row["95 % high"]
    verdict = statistics.verdict_bound(row.value, low, high, SENSITIVITY)
    return (
        f"Asked for on validation data: {SENSITIVITY}. On test folds: {row.value:.3f} (95 % interval {low:.3f} to "
        f"{high:.3f}, {row.images:.0f} malignant images): {verdict}."
    )


def decision_curves(cv: GroupedCV, answers: Mapping[str, Pooled], models: Mapping[str, str]) -> pd.DataFrame:
    """Net benefit of calibrated models by title, for malignant against the rest; see :func:`net_benefit`."""
    table = pd.DataFrame()
    for title, name in models.items():
        if name in answers:
            one = answers[name]
            p = calibrated(cv, one)[one.done][:, cv.positive]
            curve = decision_curve.net_benefit(cv.labels[one.done] == cv.positive, p, THRESHOLDS)
            table = curve.rename(columns={"model": title}) if table.empty else table.assign(**{title: curve.model})
    return table


def _folds_done(cv: GroupedCV, one: Pooled) -> list[int]:
    return [fold for fold in range(cv.n_folds) if one.done[cv.members(fold)].all()]


def calibration_in_words(table: pd.DataFrame) -> str:
    """How far confidence and accuracy lie apart, before and after temperature scaling."""
    if table.empty:
        return model_comparison.NOT_YET
    parts = [
        f"{row.ECE:.3f} {name} (95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f})"
        for name, row in table.iterrows()
    ]
    slope = table.slope.iloc[-1]
    return f"Expected calibration error: {', '.join(parts)}; slope for malignant after scaling: {slope:.2f}."


def compared(cv: GroupedCV) -> dict[str, str]:
    """Models of the decision curve by title: the ensemble, and both inputs of the paper in the single backbone."""
    name = single_backbone(cv.profile)
    titles = {"ensemble": model_comparison.ENSEMBLE}
    return titles | {title: f"{title}, {name}" for title in ("image + mask as printed", "image")}
