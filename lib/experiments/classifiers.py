"""Every classifier of the comparison under grouped folds, as jobs: the paper's head, its variations, better models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.core import jobs
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.data.record import ImageSet
from lib.experiments import lesion_features
from lib.experiments.grouped_cv import GroupedCV
from lib.models import augmentation, backbones, training
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

# The members of P3, fixed by report/protocol.md, section 5; no result of a run picks one.
_BY_BACKBONE = ("pooled features", "lesion crops")
MEMBERS = (
    *(f"{kind}, {name}" for kind in _BY_BACKBONE for name in ("VGG16", "Xception", "MobileNetV2")),
    *("stage-1 maps", "mask descriptors", "image and mirror image"),
    *("fine-tuned MobileNetV2", "fine-tuned stage-1 encoder"),
)
MC_DROPOUT = "MC dropout"
AS_PRINTED = "image + mask as printed"
_PENALTIES = tuple(10.0**power for power in (-4, -3, -2, -1, 0))
_COMPONENTS = 100
_OWN: dict[str, Any] = {"features": "pooled", "preprocessing": "own"}


@dataclass(frozen=True)
class FineTuningSettings:
    """Configuration of a fine-tuned classifier; the last epoch is kept, so nothing is chosen."""

    backbone: str = "MobileNetV2"  # or stage 1: the layers that were trained there are trained on
    weights: str = "imagenet"
    learning_rate: float = 5e-4  # falls to zero along a cosine
    epochs: int = 24
    batch_size: int = 16
    dropout: float = 0.3


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
    n_components = min(_COMPONENTS, len(train) - 1)
    reduction = [PCA(n_components, random_state=0)] if features.shape[1] > n_components else []
    regression = LogisticRegression(class_weight="balanced", max_iter=5000)
    model = make_pipeline(StandardScaler(), *reduction, regression)
    choices = {"logisticregression__C": _PENALTIES}
    # Not fitted again with the validation images, as it would be by itself.
    search = GridSearchCV(model, choices, scoring="neg_log_loss", cv=[(train, validation)], refit=False)
    best = model.set_params(**search.fit(features, labels).best_params_).fit(features[train], labels[train])
    parts = {"validation": validation, "test": test}
    answers = {name: best.predict_proba(features[part])[None].astype(np.float32) for name, part in parts.items()}
    return {**answers, "penalty": regression.C}


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
    model, _ = classification.fit_heads(features, data.labels, len(data.classes), train, validation, settings, [seed])

    def predict(part: np.ndarray) -> np.ndarray:
        passes = [keras.ops.convert_to_numpy(model(features[part], training=True)) for _ in range(n_passes)]
        return np.stack(passes)[:, :, 0, 0]

    return {"validation": predict(validation), "test": predict(test)}


def _raw(arguments: Mapping[str, Any]) -> dict[str, str]:
    name, weights = arguments["settings"].backbone, arguments["settings"].weights
    return {} if name == "stage 1" else {"weights": backbones.identity(name, weights)}


@jobs.step("fine_tuned", version=1, raw=_raw, needs={"network": ("weights",)})
def fine_tuned(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    settings: FineTuningSettings,
    seed: int,
    network: Mapping[str, Any] | None = None,
    segmenter: SegmenterSettings | None = None,
    state: Path | None = None,
) -> dict[str, Any]:
    """A classifier trained on augmented images, its answers averaged over image and mirror image, as a job.

    Parameters
    ----------
    validation : images that are only predicted.
    network, segmenter : for the backbone ``stage 1``: result of
        :func:`lib.two_stage.segmentation.segmenter` and its settings.

    Returns
    -------
    ``validation`` and ``test``: probabilities, float32 (1, n_images, n_classes); ``history`` by column.
    """
    size, n_classes = data.images.shape[1], len(data.classes)
    n_steps = training.n_steps(settings, len(train))
    key = ("fine-tuned", size, n_classes, settings, segmenter, n_steps)
    model = training.network(key, lambda: _build(size, n_classes, settings, segmenter, n_steps), seed)
    if network is not None:
        model.get_layer("lesion_maps").set_weights(network["weights"])
    x, one_hot = segmentation.as_input(data.images[train]), np.eye(n_classes, dtype=np.float32)[data.labels[train]]
    options: dict[str, Any] = {"augment": augmentation.ultrasound, "keep": "last", "state": state}
    history = training.fit(model, x, one_hot, None, settings, seed, **options)
    parts = {"validation": validation, "test": test}
    answers = {name: segmentation.mean_of_views(model, data.images[part])[None] for name, part in parts.items()}
    return {**answers, "history": history.to_dict("list")}


def _build(
    size: int, n_classes: int, settings: FineTuningSettings, segmenter: SegmenterSettings | None, n_steps: int
) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    if segmenter is None:
        backbone = backbones.build(settings.backbone, size, settings.weights)
        for layer in backbone.layers[-len(backbone.layers) // 4 :]:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
        x = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(2.0, -1.0)(inputs)))
    else:
        reader = lesion_features.reader(segmentation.restore(size, segmenter))
        # Features of different layers differ in scale a hundredfold: the answer would come from one of them.
        x = layers.BatchNormalization(momentum=0.9)(reader(inputs))
    x = layers.Dropout(settings.dropout, seed=0)(x)
    model = keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, n_steps)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def encoder_heads(cv: GroupedCV, fold: int, backbone: str) -> Job:
    """The paper's head on the image with masks of the ImageNet encoder, all of one kind."""
    return cv.heads(cv.split(fold), [cv.features(backbone, "image+mask", cv.unseen_masks(fold))])


def single_backbone(profile: Profile) -> str:
    """The backbone of single heads: VGG16, or the first at hand."""
    return "VGG16" if "VGG16" in profile.backbones else profile.backbones[0]


def classifiers(cv: GroupedCV, fold: int) -> dict[str, Job]:
    """Every classifier that is tested on ``fold``, by name, in the order of their value: the paper's inputs first.

    These two are kinds of features of one job: the heads are trained side by side.
    """
    profile, split, unseen = cv.profile, cv.split(fold), cv.unseen_masks(fold)
    segmenter, network = SegmenterSettings.pretrained(profile), cv.stage_1(fold)
    source: Any = cv.source  # of images, whatever their size
    fine = replace(source, size=profile.crop_size) if profile.crop_size else source
    one = cv.features(single_backbone(profile))
    found: dict[str, Job] = {}
    for name in profile.backbones:
        with_masks = cv.features(name, "image+mask", [(cv.paper_unet(fold), None)])
        heads = cv.heads(split, [cv.features(name), with_masks])
        found |= {f"image, {name}": heads, f"{AS_PRINTED}, {name}": heads}
    found |= {f"image + mask, {name}": encoder_heads(cv, fold, name) for name in profile.backbones}

    features = {}
    for name in profile.backbones:
        settings = BackboneSettings(name, profile.weights, **_OWN)
        features[f"pooled features, {name}"] = cv.features(name, **_OWN)
        features[f"lesion crops, {name}"] = lesion_features.crop_features(data=fine, masks=unseen, settings=settings)
    features["stage-1 maps"] = lesion_features.stage_1_maps(data=cv.source, network=network, settings=segmenter)
    features["mask descriptors"] = lesion_features.mask_descriptors(data=cv.source, masks=unseen)
    found |= {name: logistic_regression(data=cv.source, x=x, **split.parts()) for name, x in features.items()}

    tuned = FineTuningSettings(weights=profile.weights, epochs=profile.fine_tuned_epochs)
    stage_1 = replace(tuned, backbone="stage 1", weights="", learning_rate=2e-4)
    shared = {"data": cv.source, **split.parts(), "seed": cv.seed}
    dropout = HeadSettings(epochs=profile.head_epochs, dropout=0.2)  # the paper's 0.05 hardly varies the answers
    return found | {
        "image and mirror image": cv.heads(split, [one], [cv.features(single_backbone(profile), mirrored=True)]),
        "fine-tuned MobileNetV2": fine_tuned(**shared, settings=tuned),
        "fine-tuned stage-1 encoder": fine_tuned(**shared, settings=stage_1, network=network, segmenter=segmenter),
        "class-weighted head": cv.heads(split, [one], balance="weights"),
        MC_DROPOUT: mc_dropout(**shared, x=one, settings=dropout),
    }


def members(profile: Profile) -> list[str]:
    """Members of the ensemble: all of P3 whose backbone the profile has."""
    return [name for name in MEMBERS if name.rpartition(", ")[2] in (name, *profile.backbones)]
