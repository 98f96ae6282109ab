"""What the probabilities of one model are good for: calibration, uncertainty, calling malignant, decision curve."""

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, log_loss

from lib.core import words
from lib.data.splits import Split
from lib.evaluation import calibration, decision_curve, statistics
from lib.experiments.classifiers import AS_PRINTED, MC_DROPOUT, single_backbone
from lib.experiments.grouped_cv import GroupedCV
from lib.experiments.model_comparison import ENSEMBLE, Answers

SENSITIVITY = 0.95  # intended for malignant
THRESHOLDS = np.arange(0.02, 0.8, 0.02)
AS_IS, SCALED = "as it is", "temperature scaled"


def _done(cv: GroupedCV, test: np.ndarray) -> list[Split]:
    """The splits whose test images have an answer."""
    return [split for split in map(cv.split, range(cv.n_folds)) if not np.isnan(test[split.test]).any()]


def probabilities(cv: GroupedCV, one: np.ndarray | None) -> dict[str, pd.DataFrame]:
    """Probabilities of the seeds' mean of the tested images, as they are and after temperature scaling.

    Parameters
    ----------
    one : of :data:`lib.experiments.model_comparison.Answers`; without it there are none.

    Returns
    -------
    By kind, one row per image, one column per class.  Each fold is at the temperature of its own validation fold.
    """
    if one is None:
        return {}
    test, validation = one.mean(axis=1)
    scaled = np.full_like(test, np.nan)
    for split in _done(cv, test):
        temperature = calibration.fit_temperature(cv.labels[split.validation], validation[split.validation])
        scaled[split.test] = calibration.apply_temperature(test[split.test], temperature)
    return {name: pd.DataFrame(p).dropna() for name, p in ((AS_IS, test), (SCALED, scaled))}


def calibration_table(cv: GroupedCV, one: np.ndarray | None) -> pd.DataFrame:
    """Calibration as it is and after temperature scaling, out of fold.

    Returns
    -------
    ``ECE`` with its 95 % interval over groups, ``Brier score`` in [0, 2], ``cross-entropy`` (nats), and of malignant
    against the rest ``slope`` (1 is right) and ``intercept`` (0 is right).  Empty without answers.
    """
    rows = {}
    for name, frame in probabilities(cv, one).items():
        labels, p = cv.labels[frame.index], frame.to_numpy(np.float64)
        p = p / p.sum(axis=1, keepdims=True)
        ece = calibration.ece_interval(labels, p, cv.groups[frame.index], cv.seed)
        slope, intercept = calibration.slope_and_intercept(labels == cv.positive, p[:, cv.positive])
        scores = brier_score_loss(labels, p, scale_by_half=False), log_loss(labels, p)
        rows[name] = [*ece, *scores, slope, intercept, len(p)]
    columns = ["ECE", "95 % low", "95 % high", "Brier score", "cross-entropy", "slope", "intercept", "images"]
    return pd.DataFrame(rows, columns).T


def reliabilities(cv: GroupedCV, one: np.ndarray | None) -> dict[str, pd.DataFrame]:
    """Reliability bins before and after temperature scaling; empty without answers."""
    kinds = probabilities(cv, one).items()
    return {name: calibration.reliability(cv.labels[p.index], p.to_numpy()) for name, p in kinds}


def risk_curves(cv: GroupedCV, answers: Answers) -> dict[str, pd.DataFrame]:
    """Error rate against coverage for three uncertainties: entropy, disagreement of seeds and of dropout passes."""
    image, curves = f"image, {single_backbone(cv.profile)}", {}
    for name in [name for name in (ENSEMBLE, image, MC_DROPOUT) if name in answers]:
        kind, what = (SCALED, "entropy") if name == ENSEMBLE else (AS_IS, "mutual information")
        p = probabilities(cv, answers[name])[kind]
        if what == "entropy":
            uncertainty = calibration.predictive_entropy(p)
        else:
            uncertainty = calibration.mutual_information(answers[name][0][:, p.index])
        curves[f"{name}, {what}"] = calibration.risk_coverage(cv.labels[p.index], p.to_numpy(), uncertainty)
    return curves


def malignant_calls(cv: GroupedCV, one: np.ndarray | None) -> pd.DataFrame:
    """Malignant against the rest on test folds, at thresholds that find :data:`SENSITIVITY` of each validation fold.

    The second time with a margin: of n malignant validation images n + 1 times that share are found, so that a new
    one is found at least as often (split conformal prediction).  ``threshold`` and ``score`` name the rows.
    """
    if one is None:
        return pd.DataFrame()
    test, validation = one.mean(axis=1)[..., cv.positive]
    malignant, tables = cv.labels == cv.positive, {}
    for name, more in (("as chosen", 0), ("with margin", 1)):
        threshold = np.full(len(test), np.nan)
        for split in _done(cv, test):
            chosen = malignant[split.validation]
            asked = min(SENSITIVITY * (chosen.sum() + more) / chosen.sum(), 1)
            threshold[split.test] = decision_curve.operating_point(chosen, validation[split.validation], asked)
        done = ~np.isnan(threshold)
        called = test[done] >= threshold[done]
        tables[name] = decision_curve.called_scores(malignant[done], called, cv.groups[done], seed=cv.seed)
    return pd.concat(tables, names=["threshold", "score"])


def missed_in_words(calls: pd.DataFrame) -> str:
    """Whether :func:`malignant_calls` keep the intended sensitivity, and how many malignant images they miss."""
    if calls.empty:
        return words.NO_RESULT
    lines = []
    for (threshold, _), row in calls[calls.index.get_level_values("score") == "sensitivity"].iterrows():
        verdict = statistics.verdict_bound(row.value, row["95 % low"], row["95 % high"], SENSITIVITY)
        missed = f"{(1 - row.value) * row.images:.0f} of {row.images:.0f} malignant images missed"
        lines.append(
            f"Threshold {threshold}: {row.value:.3f} ({words.interval(row)}), {missed}; {SENSITIVITY}: {verdict}."
        )
    return "\n".join(lines)


def decision_curves(cv: GroupedCV, answers: Answers) -> pd.DataFrame:
    """Net benefit of calibrated models for malignant against the rest, and of treating all.

    The models are the ensemble, and both inputs of the paper in the single backbone: ``model`` names them.
    """
    name, curves = single_backbone(cv.profile), dict[str, pd.DataFrame]()
    for model in (ENSEMBLE, f"{AS_PRINTED}, {name}", f"image, {name}"):
        if model in answers:
            p = probabilities(cv, answers[model])[SCALED][cv.positive]
            truth, shared = cv.labels[p.index] == cv.positive, (THRESHOLDS, cv.groups[p.index], cv.seed)
            curves.setdefault("treat all", decision_curve.net_benefit(truth, np.ones(len(p)), *shared))
            curves[model] = decision_curve.net_benefit(truth, p.to_numpy(), *shared)
    return pd.concat(curves, names=["model"]).reset_index(0) if curves else pd.DataFrame()


def useful_in_words(curves: pd.DataFrame) -> str:
    """What each model of :func:`decision_curves` adds to the better of treating all or none, at a few thresholds."""
    if curves.empty:
        return f"Net benefit: {words.NO_RESULT}."
    wide = curves.pivot_table("net benefit", "threshold", "model")
    simple = wide.pop("treat all").clip(lower=0)
    gained = wide.sub(simple, axis=0)
    few = gained.iloc[[gained.index.get_indexer([one], "nearest")[0] for one in (0.02, 0.1, 0.3, 0.5)]]
    lines = [f"Threshold {threshold:.2f}: {words.listed(row, '+.3f')}." for threshold, row in few.iterrows()]
    return "\n".join(["Net benefit beyond that of treating all or none as malignant:", *lines])
