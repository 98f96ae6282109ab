"""The paper's method and better ones under grouped cross-validation: each a row, each compared on the same images."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core.config import Profile, SettingsError, check_choice
from lib.data.record import ImageSet
from lib.evaluation import calibration
from lib.evaluation import decision_curve as decision
from lib.experiments import classifiers as candidates
from lib.experiments import descriptors, fine_tuning
from lib.experiments import grouped_cv as cross_validation
from lib.experiments import grouped_data as honest
from lib.experiments import lesion_features as lesion_maps
from lib.experiments.grouped_cv import Pooled
from lib.models import backbones
from lib.two_stage import classification, segmentation

IMAGE = "image"
PAPER = "image + mask"
OWN_MASKS = "image + mask as in the paper"
LEAKY = f"{IMAGE}, random folds"
LEAKY_MASKS = f"{OWN_MASKS}, random folds"
# The paper's two inputs under random and grouped folds, and the cure of its training masks.
PROTOCOLS = (LEAKY, IMAGE, LEAKY_MASKS, OWN_MASKS, PAPER)
ENSEMBLE = "ensemble"
CHOSEN = "ensemble, rows chosen on validation data"
MC_DROPOUT = "MC dropout"
_FINE_TUNED = "MobileNetV2"


def evaluate(
    data: ImageSet,
    fine: np.ndarray,
    masks: np.ndarray,
    folds: np.ndarray,
    random_folds: np.ndarray,
    profile: Profile,
    seed: int,
    cache: Path,
) -> dict[str, Pooled]:
    """Every row of the comparison that ``profile.grouped_rows`` asks for, resumable.

    Parameters
    ----------
    fine : of :func:`lib.experiments.grouped_data.fine_images`.
    masks : of :func:`lib.experiments.grouped_cv.nested_masks`.
    folds, random_folds : grouped folds, and folds that ignore relatives.

    Returns
    -------
    In this order: the paper's head on the image and on image and mask with random folds; the same with
    grouped folds, image and mask both with ``masks`` and with those of the paper
    (:func:`lib.experiments.grouped_cv.own_masks`); on the image with balanced classes or mirror images, and on
    both inputs in the other backbones; logistic regressions on pooled features of each backbone, of lesion
    crops, of stage 1's own maps and on mask descriptors; fine-tuned networks; dropout kept on; the mean of
    the members that :func:`members` names, and a mean of those rows that validation data choose.
    """
    n_classes, segmenter = len(data.classes), honest.segmenter(profile)
    seeds = range(seed, seed + profile.grouped_seeds)
    settings = replace(classification.Settings.of(profile), inputs="image")

    def features(images: np.ndarray, drawn: np.ndarray | None = None, **changes) -> np.ndarray:
        return classification.features(images, drawn, replace(settings, **changes), cache, seed)

    def head(x: np.ndarray, **changes) -> candidates.Predict:
        return candidates.head(x, data.labels, n_classes, replace(settings, **changes), seeds, cache)

    def logistic(x: np.ndarray) -> candidates.Predict:
        return candidates.logistic(x, data.labels)

    def stacked(drawn_by_fold: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.stack([of(drawn) for drawn in drawn_by_fold])

    def crops(name: str) -> np.ndarray:
        return stacked(masks, lambda drawn: features(candidates.lesion_crops(fine, drawn), backbone=name, **pooled))

    def drawer(fold: int) -> keras.Model:
        return cross_validation.trained_beside(data, folds, fold, segmenter, seed, cache)

    def with_masks(drawn_by_fold: np.ndarray = masks, **changes) -> candidates.Predict:
        changes = {**changes, "inputs": "image+mask"}
        return head(stacked(drawn_by_fold, lambda drawn: features(data.images, drawn, **changes)), **changes)

    def own_masks(parts: np.ndarray) -> np.ndarray:
        return cross_validation.own_masks(data, parts, segmenter, seed, cache)

    image, pooled = features(data.images), {"features": "pooled", "preprocessing": "own"}
    # Made when its turn comes: a row that the profile leaves out costs nothing.
    rows: dict[str, Callable[[], candidates.Predict]] = {
        IMAGE: lambda: head(image),
        PAPER: with_masks,
        OWN_MASKS: lambda: with_masks(own_masks(folds)),
        "image, classes weighted": lambda: head(image, balance="weights"),
        "image, rare classes resampled": lambda: head(image, balance="resampled"),
        "image, mirrored too": lambda: candidates.mirrored_head(
            image, features(data.images[:, :, ::-1]), data.labels, n_classes, settings, seeds, cache
        ),
    }
    for name in usable(profile.grouped_backbones.split(), data.images.shape[1], profile.weights):
        if name != profile.backbone:
            rows[f"{IMAGE}, {name}"] = lambda name=name: head(features(data.images, backbone=name), backbone=name)
            rows[f"{PAPER}, {name}"] = lambda name=name: with_masks(backbone=name)
        rows[f"pooled {name}"] = lambda name=name: logistic(features(data.images, backbone=name, **pooled))
        rows[f"lesion crops {name}"] = lambda name=name: logistic(crops(name))
    n_folds = int(folds.max()) + 1
    rows |= {
        "U-Net bottleneck": lambda: logistic(
            np.stack([segmentation.bottleneck(drawer(fold), data.images) for fold in range(n_folds)])
        ),
        "U-Net maps over the lesion": lambda: logistic(
            np.stack([lesion_maps.describe(drawer(fold), data.images) for fold in range(n_folds)])
        ),
        "mask descriptors": lambda: logistic(
            stacked(masks, lambda drawn: descriptors.describe(data.images, drawn).to_numpy())
        ),
        f"fine-tuned {_FINE_TUNED}": lambda: fine_tuning.from_imagenet(
            data, _FINE_TUNED, profile.weights, profile.fine_tuned_epochs, seeds[:1], cache
        ),
        "fine-tuned U-Net": lambda: fine_tuning.from_stage_1(
            data, drawer, {"segmenter": segmenter, "seed of stage 1": seed}, profile.fine_tuned_epochs, seeds[:1], cache
        ),
        MC_DROPOUT: lambda: candidates.mc_dropout(image, data.labels, n_classes, settings, seed),
    }
    wanted = {IMAGE, PAPER, OWN_MASKS, MC_DROPOUT} | set(
        list(rows) if profile.grouped_rows == "all" else profile.grouped_rows.split("; ")
    )
    for name in wanted:
        check_choice("row", name, tuple(rows))
    leaky = {LEAKY: rows[IMAGE](), LEAKY_MASKS: with_masks(own_masks(random_folds))}
    results = {name: cross_validation.run(predict, random_folds) for name, predict in leaky.items()}
    results |= {name: cross_validation.run(make(), folds) for name, make in rows.items() if name in wanted}
    joined = {name: results[name] for name in members(results)}
    if not joined:
        raise SettingsError(f"grouped_rows {profile.grouped_rows!r} has no member of the ensemble")
    honest_rows = {name: one for name, one in results.items() if name not in leaky}
    return {
        **results,
        ENSEMBLE: cross_validation.ensemble(joined),
        CHOSEN: cross_validation.chosen_ensemble(honest_rows, data.labels),
    }


def members(names: Mapping[str, object]) -> list[str]:
    """Members of the ensemble, by kinds that are fixed here; no result of a run picks one."""
    kinds = ("image, mirrored too", "pooled ", "lesion crops ", "U-Net maps", "mask descriptors", "fine-tuned ")
    return [name for name in names if name.startswith(kinds)]


def usable(names: list[str], size: int, weights: str) -> list[str]:
    """Those backbones whose weights are here or can be downloaded."""
    found = []
    for name in names:
        try:
            if weights == "random" or backbones.weights_file(name) or backbones.build(name, size, weights):
                found.append(name)
        except backbones.WeightsError:
            continue
    return found


def comparisons(results: Mapping[str, Pooled], data: ImageSet, groups: np.ndarray, seed: int) -> pd.DataFrame:
    """Paired differences on the same images (see :func:`lib.experiments.grouped_cv.compare`).

    Each row against the image alone, and so the leak: random against grouped folds.  Image and mask stand
    against the image alone in the same backbone and under the same folds, and against grouped folds.
    """
    positive = data.classes.index("malignant")
    pairs = [(name, _base(name)) for name in results if name != IMAGE] + [(LEAKY_MASKS, OWN_MASKS), (PAPER, OWN_MASKS)]
    rows = {
        f"{one} – {base}": cross_validation.compare(results[one], results[base], data.labels, groups, positive, seed)
        for one, base in pairs
    }
    return pd.DataFrame(rows).T


def _base(name: str) -> str:
    if name == LEAKY_MASKS:
        return LEAKY
    return name.replace(PAPER, IMAGE) if name.startswith(f"{PAPER}, ") else IMAGE


def uncertainties(results: Mapping[str, Pooled], calibrated: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Probabilities and an uncertainty of each image: entropy, rounds that disagree, dropout passes that disagree."""
    entropy = calibration.predictive_entropy(calibrated)
    found = {f"{ENSEMBLE}: entropy": (calibrated, entropy)}
    for name, title in ((IMAGE, "rounds as an ensemble"), (MC_DROPOUT, MC_DROPOUT)):
        said = results[name].test
        found[f"{title}: mutual information"] = (said.mean(axis=0), calibration.mutual_information(said))
    return found


def malignant_against_rest(
    pooled: Pooled, labels: np.ndarray, malignant: int, sensitivity: float = 0.95
) -> tuple[pd.Series, pd.DataFrame]:
    """The operating point of :func:`lib.evaluation.decision_curve.at_threshold` and the decision curve of calibrated probabilities.

    Each fold's threshold comes from its own validation fold; the scores are shifted by it and pooled.  So does
    each fold's temperature.
    """
    n_folds = int(pooled.folds.max()) + 1
    scores, validation = pooled.mean()[:, malignant], pooled.validation.mean(axis=0)[:, malignant]
    shifted, thresholds = np.empty_like(scores), []
    for fold in range(n_folds):
        chosen, tested = pooled.folds == cross_validation.chooser(fold, n_folds), pooled.folds == fold
        thresholds.append(decision.operating_point(labels[chosen] == malignant, validation[chosen], sensitivity))
        shifted[tested] = scores[tested] - thresholds[-1]
    point = decision.at_threshold(labels == malignant, shifted, 0.0).drop("threshold")
    point["lowest threshold"], point["highest threshold"] = min(thresholds), max(thresholds)
    calibrated, _ = pooled.calibrated(labels)
    return point, decision.net_benefit(labels == malignant, calibrated[:, malignant], np.arange(0.02, 0.8, 0.02))
