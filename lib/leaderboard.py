"""The paper's method and better ones under grouped cross-validation: each a row, each compared on the same images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib import (
    calibration,
    candidates,
    classification,
    cross_validation,
    crossfit,
    decision,
    descriptors,
    honest,
    segmentation,
    two_stage,
)
from lib.cross_validation import Pooled
from lib.data.record import ImageSet
from lib.models import backbones
from lib.profiles import Profile, check_choice

LEAKY = "image, random folds (paper's protocol)"
IMAGE = "image"
PAPER = "image + mask"
ENSEMBLE = "ensemble"
MC_DROPOUT = "MC dropout"
_FINE_TUNED = "MobileNetV2"


def evaluate(
    data: ImageSet,
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
    masks : of :func:`lib.cross_validation.nested_masks`.
    folds, random_folds : grouped folds, and folds that ignore relatives.

    Returns
    -------
    In this order: the paper's head on the image with random folds, on the image, on image and mask; the
    paper's head on the image with balanced classes or mirror images; logistic regressions on pooled
    features of each backbone, of lesion crops, of the U-Net's bottleneck and on mask descriptors; a
    fine-tuned network; dropout kept on; and the mean of the members that :func:`members` names.
    """
    n_classes, seeds = len(data.classes), range(seed, seed + profile.grouped_seeds)
    settings = replace(classification.Settings.of(profile), inputs="image")

    def features(images: np.ndarray, drawn: np.ndarray | None = None, **changes) -> np.ndarray:
        return classification.features(images, drawn, replace(settings, **changes), cache, seed)

    def head(x: np.ndarray, **changes) -> candidates.Predict:
        return candidates.head(x, data.labels, n_classes, replace(settings, **changes), seeds, cache)

    def logistic(x: np.ndarray) -> candidates.Predict:
        return candidates.logistic(x, data.labels)

    def stacked(drawn_by_fold: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.stack([of(drawn) for drawn in drawn_by_fold])

    def crops(drawn: np.ndarray) -> np.ndarray:
        return features(candidates.lesion_crops(data.images, drawn), backbone=_FINE_TUNED, **pooled)

    image, pooled = features(data.images), {"features": "pooled", "preprocessing": "own"}
    # Made when its turn comes: a row that the profile leaves out costs nothing.
    rows: dict[str, Callable[[], candidates.Predict]] = {
        IMAGE: lambda: head(image),
        PAPER: lambda: head(
            stacked(masks, lambda drawn: features(data.images, drawn, inputs="image+mask")), inputs="image+mask"
        ),
        "image, classes weighted": lambda: head(image, balance="weights"),
        "image, rare classes resampled": lambda: head(image, balance="resampled"),
        "image, mirrored too": lambda: candidates.mirrored_head(
            image, features(data.images[:, :, ::-1]), data.labels, n_classes, settings, seeds, cache
        ),
    }
    for name in usable(profile.grouped_backbones.split(), data.images.shape[1], profile.weights):
        rows[f"pooled {name}"] = lambda name=name: logistic(features(data.images, backbone=name, **pooled))
    rows |= {
        "lesion crops": lambda: logistic(stacked(masks, crops)),
        "U-Net bottleneck": lambda: logistic(bottlenecks(data, folds, honest.segmenter(profile), seed, cache)),
        "mask descriptors": lambda: logistic(
            stacked(masks, lambda drawn: descriptors.describe(data.images, drawn).to_numpy())
        ),
        f"fine-tuned {_FINE_TUNED}": lambda: candidates.fine_tuned(
            data, _FINE_TUNED, profile.weights, profile.fine_tuned_epochs, seeds[:1], cache
        ),
        MC_DROPOUT: lambda: candidates.mc_dropout(image, data.labels, n_classes, settings, seed),
    }
    wanted = {IMAGE, PAPER, MC_DROPOUT} | set(
        list(rows) if profile.grouped_rows == "all" else profile.grouped_rows.split("; ")
    )
    for name in wanted:
        check_choice("row", name, tuple(rows))
    results = {LEAKY: cross_validation.run(rows[IMAGE](), random_folds)}
    results |= {name: cross_validation.run(make(), folds) for name, make in rows.items() if name in wanted}
    return {**results, ENSEMBLE: cross_validation.ensemble({name: results[name] for name in members(results)})}


def members(names: Mapping[str, object]) -> list[str]:
    """Members of the ensemble: one of each kind of knowledge, named before any result was seen."""
    kinds = ("image, mirrored too", "pooled ", "lesion crops", "U-Net bottleneck", "mask descriptors", "fine-tuned ")
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


def bottlenecks(
    data: ImageSet, folds: np.ndarray, settings: segmentation.Settings, seed: int, cache: Path
) -> np.ndarray:
    """Pooled bottleneck features for each test fold, float32 (n_folds, n, n_features).

    Of the network that has seen neither the tested nor the choosing fold, so both look alike to it.
    """
    n_folds, x = int(folds.max()) + 1, []
    for fold in range(n_folds):
        pair = tuple(sorted((fold, cross_validation.chooser(fold, n_folds))))
        model = crossfit.without(data, folds, pair, settings, seed, cache)
        both = [segmentation.bottleneck(model, images) for images in (data.images, data.images[:, :, ::-1])]
        x.append(np.mean(both, axis=0))
    return np.stack(x)


def comparisons(results: Mapping[str, Pooled], data: ImageSet, groups: np.ndarray, seed: int) -> pd.DataFrame:
    """Each row against the image alone under the same folds, and the leak: random against grouped folds."""
    positive = data.classes.index("malignant")
    rows = {
        f"{name} – {IMAGE}": cross_validation.compare(one, results[IMAGE], data.labels, groups, positive, seed)
        for name, one in results.items()
        if name != IMAGE
    }
    return pd.DataFrame(rows).T


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
    """The operating point of :func:`lib.decision.at_threshold` and the decision curve.

    Each fold's threshold comes from its own validation fold; the scores are shifted by it and pooled.
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
    return point, decision.net_benefit(labels == malignant, scores, np.arange(0.02, 0.8, 0.02))


@dataclass(frozen=True)
class Cases:
    """Images of the first fold that are looked at, with titles, and the indices of the whole fold."""

    images: np.ndarray
    titles: list[str]
    test: np.ndarray


def explained_model(
    data: ImageSet, masks: np.ndarray, folds: np.ndarray, profile: Profile, seed: int, cache: Path, n_wrong: int = 3
) -> tuple[two_stage.TwoStageModel, Cases]:
    """The two stages tested on the first fold as one model; a right case a class, and the surest wrong ones."""
    split = cross_validation.split_of(folds, 0)
    stage_1, stage_2 = honest.segmenter(profile), classification.Settings.of(profile)
    n_folds = int(folds.max()) + 1
    unet = crossfit.without(data, folds, (0, cross_validation.chooser(0, n_folds)), stage_1, seed, cache)
    x = classification.features(data.images, masks[0], stage_2, cache, seed)
    head, _ = classification.train_head(x, data.labels, len(data.classes), split, stage_2, seed)
    backbone = backbones.build(stage_2.backbone, data.images.shape[1], stage_2.weights, seed)
    model = two_stage.TwoStageModel(two_stage.Settings(stage_1, stage_2), data.classes, unet, backbone, head)
    said = model.predict(data.images[split.test])
    true = data.labels[split.test]
    right = [np.flatnonzero((said.labels == true) & (true == label))[:1] for label in range(len(data.classes))]
    wrong = np.flatnonzero(said.labels != true)
    wrong = wrong[np.argsort(-said.probabilities.max(axis=1)[wrong])][:n_wrong]
    shown = np.concatenate([*right, wrong])
    titles = [f"{data.classes[true[i]]}, said {data.classes[said.labels[i]]}" for i in shown]
    return model, Cases(data.images[split.test[shown]], titles, split.test)


def why_table(through: pd.DataFrame, occluded: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """What the answers depend on, from :func:`lib.explain.sensitivity_through_mask` and :func:`lib.explain.occlude`."""
    marked = occluded[occluded.area > 0]
    values = {
        "accuracy": (through.label == labels).mean(),
        "accuracy without mask": (through.label_without_mask == labels).mean(),
        "accuracy without image (what the mask alone tells)": (through.label_without_image == labels).mean(),
        "images": len(through),
        "images with burnt-in marks (heuristic)": len(marked),
        "mean change of the probability, marks removed": (marked.without_marks - marked.before).mean(),
        "mean change of the probability, as much removed elsewhere": (marked.control - marked.before).mean(),
        "answers flipped, marks removed": marked.flipped.mean(),
        "answers flipped, as much removed elsewhere": marked.control_flipped.mean(),
    }
    return pd.DataFrame({"value": values})
