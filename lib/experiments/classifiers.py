"""Every classifier of the comparison under grouped folds, as jobs: the paper's head, its variations, better models."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.core import jobs, runtime
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.data.record import ImageSet
from lib.experiments import fine_tuning, lesion_features
from lib.experiments.fine_tuning import FineTuningSettings
from lib.experiments.grouped_cv import Classifier, GroupedCV
from lib.two_stage import classification
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

# The members of P3, fixed by report/protocol.md, section 5; no result of a run picks one.
MEMBERS = (
    "pooled features, VGG16",
    "pooled features, Xception",
    "pooled features, MobileNetV2",
    "lesion crops, VGG16",
    "lesion crops, Xception",
    "lesion crops, MobileNetV2",
    "stage-1 maps",
    "mask descriptors",
    "image and mirror image",
    "fine-tuned MobileNetV2",
    "fine-tuned stage-1 encoder",
)
MC_DROPOUT = "MC dropout"
_PENALTIES = tuple(10.0**power for power in (-4, -3, -2, -1, 0))
_COMPONENTS = 100
_OWN = {"features": "pooled", "preprocessing": "own"}


@jobs.step("logistic_regression", version=1, needs={"x": ("features",)})
def logistic_regression(
    data: ImageSet, x: Mapping[str, np.ndarray], train: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    """Logistic regression on standardised features, at most 100 principal components, classes weighted, as a job.

    Parameters
    ----------
    x : result with ``features``, float32 (n, n_features).
    validation : chooses the strength of the penalty by its cross-entropy.

    Returns
    -------
    ``validation`` and ``test``: probabilities, float32 (1, n_images, n_classes); ``penalty``: C.
    """
    features, labels = x["features"], data.labels
    models = []
    for penalty in _PENALTIES:
        reduced = min(_COMPONENTS, len(train) - 1)
        steps = [StandardScaler(), *([PCA(reduced, random_state=0)] if features.shape[1] > reduced else [])]
        model = make_pipeline(*steps, LogisticRegression(C=penalty, class_weight="balanced", max_iter=5000))
        models.append(model.fit(features[train], labels[train]))
    losses = [
        log_loss(labels[validation], model.predict_proba(features[validation]), labels=model.classes_)
        for model in models
    ]
    best = int(np.argmin(losses))
    parts = {"validation": validation, "test": test}
    answers = {
        name: models[best].predict_proba(features[part])[None].astype(np.float32) for name, part in parts.items()
    }
    return {**answers, "penalty": _PENALTIES[best]}


@jobs.step("mc_dropout", version=1, needs={"x": ("features",)})
def mc_dropout(
    data: ImageSet,
    x: Mapping[str, np.ndarray],
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: HeadSettings,
    seed: int,
    n_passes: int = 20,
) -> dict[str, Any]:
    """One head whose dropout stays on when it predicts (Gal & Ghahramani 2016), as a job.

    Returns
    -------
    ``validation`` and ``test``: probabilities, float32 (n_passes, n_images, n_classes).
    """
    features = x["features"][:, None]
    n_classes = len(data.classes)
    model, _ = classification.fit_heads(features, data.labels, n_classes, train, validation, settings, [seed])
    runtime.seed_everything(seed)

    def predict(part: np.ndarray) -> np.ndarray:
        passes = [keras.ops.convert_to_numpy(model(features[part], training=True)) for _ in range(n_passes)]
        return np.stack(passes)[:, :, 0, 0]

    return {"validation": predict(validation), "test": predict(test)}


def printed_heads(cv: GroupedCV, fold: int, backbone: str) -> Job:
    """The paper's two inputs side by side: the image, and the image with masks as printed."""
    with_masks = cv.features(backbone, "image+mask", cv.printed_masks(fold))
    return cv.heads(fold, [cv.features(backbone), with_masks])


def encoder_heads(cv: GroupedCV, fold: int, backbone: str) -> Job:
    """The paper's head on the image with masks of the ImageNet encoder, all of one kind."""
    return cv.heads(fold, [cv.features(backbone, "image+mask", cv.unseen_masks(fold))])


def logistic(cv: GroupedCV, fold: int, x: Job) -> Job:
    return logistic_regression(data=cv.source, x=x, **cv.parts(fold))


def crops(cv: GroupedCV, fold: int, backbone: str) -> Job:
    """Pooled features of lesion crops out of finer images."""
    fine = replace(cv.source, size=cv.profile.crop_size) if cv.profile.crop_size else cv.source
    settings = BackboneSettings(backbone, cv.profile.weights, **_OWN)
    return lesion_features.crop_features(data=fine, masks=cv.unseen_masks(fold), settings=settings)


def tuned(cv: GroupedCV, fold: int) -> Job:
    """MobileNetV2 with the last quarter of its layers trained."""
    settings = FineTuningSettings(weights=cv.profile.weights, epochs=cv.profile.fine_tuned_epochs)
    return fine_tuning.fine_tuned(data=cv.source, **cv.parts(fold), settings=settings, seed=cv.seed)


def tuned_stage_1(cv: GroupedCV, fold: int) -> Job:
    """The fold's stage-1 network, taught to name the lesion as well."""
    return fine_tuning.fine_tuned(
        data=cv.source,
        **cv.parts(fold),
        settings=FineTuningSettings("stage 1", "", learning_rate=2e-4, epochs=cv.profile.fine_tuned_epochs),
        seed=cv.seed,
        network=cv.stage_1(fold),
        segmenter=SegmenterSettings.pretrained(cv.profile),
    )


def single_backbone(profile: Profile) -> str:
    """The backbone of single heads: VGG16, or the first at hand."""
    return "VGG16" if "VGG16" in profile.backbones else profile.backbones[0]


def classifiers(profile: Profile) -> dict[str, Classifier]:
    """Every classifier by name, in the order of their value: the paper's inputs first."""
    one = single_backbone(profile)
    head = HeadSettings(epochs=profile.head_epochs, dropout=0.2)  # the paper's 0.05 hardly varies the answers
    found: dict[str, Classifier] = {}
    for name in profile.backbones:
        found[f"image, {name}"] = (lambda cv, k, b=name: printed_heads(cv, k, b), 0)
        found[f"image + mask as printed, {name}"] = (lambda cv, k, b=name: printed_heads(cv, k, b), 1)
    for name in profile.backbones:
        found[f"image + mask, {name}"] = (lambda cv, k, b=name: encoder_heads(cv, k, b), 0)
    for name in profile.backbones:
        found[f"pooled features, {name}"] = (lambda cv, k, b=name: logistic(cv, k, cv.features(b, **_OWN)), 0)
        found[f"lesion crops, {name}"] = (lambda cv, k, b=name: logistic(cv, k, crops(cv, k, b)), 0)
    segmenter = SegmenterSettings.pretrained(profile)

    def maps(cv: GroupedCV, k: int) -> Job:
        return lesion_features.stage_1_maps(data=cv.source, network=cv.stage_1(k), settings=segmenter)

    def shapes(cv: GroupedCV, k: int) -> Job:
        return lesion_features.mask_descriptors(data=cv.source, masks=cv.unseen_masks(k))

    def passes(cv: GroupedCV, k: int) -> Job:
        return mc_dropout(data=cv.source, x=cv.features(one), **cv.parts(k), settings=head, seed=cv.seed)

    return found | {
        "stage-1 maps": (lambda cv, k: logistic(cv, k, maps(cv, k)), 0),
        "mask descriptors": (lambda cv, k: logistic(cv, k, shapes(cv, k)), 0),
        "image and mirror image": (
            lambda cv, k: cv.heads(k, [cv.features(one)], [cv.features(one, mirrored=True)]),
            0,
        ),
        "fine-tuned MobileNetV2": (tuned, 0),
        "fine-tuned stage-1 encoder": (tuned_stage_1, 0),
        "class-weighted head": (lambda cv, k: cv.heads(k, [cv.features(one)], balance="weights"), 0),
        MC_DROPOUT: (passes, 0),
    }


def members(profile: Profile) -> list[str]:
    """Members of the ensemble: all of P3 whose backbone the profile has."""
    return [name for name in MEMBERS if name in classifiers(profile)]
