"""What both stages look at: activation maps, and what the answers depend on.

The maps are HiResCAM (Draelos & Carin 2020, arXiv 2011.08891): map times gradient, place by place, which is faithful
behind the flattened features of the paper's head, where Grad-CAM's average over space also lights places that
the head ignores.  They show where a score came from, not that it came from there for a good reason; the
counterfactuals (no mask, no image, no burned-in annotations) measure an effect instead.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from lib.core import jobs
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.data.record import ImageSet
from lib.evaluation import statistics
from lib.experiments import burned_in, classifiers
from lib.experiments.grouped_cv import GroupedCV
from lib.models import backbones
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import backbone_weights
from lib.two_stage.model import TwoStageModel, TwoStageSettings

_N_WRONG = 3


@jobs.step("explanation", version=1, raw=backbone_weights, needs={"network": ("weights",), "head": ("weights",)})
def explanation(
    data: ImageSet,
    network: Mapping[str, Any],
    head: Mapping[str, Any],
    test: np.ndarray,
    settings: TwoStageSettings,
    seed: int,
) -> dict[str, Any]:
    """Both stages of one test fold explained, as a job: the first head of the first kind of features.

    Parameters
    ----------
    network, head : results of :func:`lib.two_stage.segmentation.segmenter` and
        :func:`lib.two_stage.classification.heads`.
    seed : of the places where control pixels are removed.

    Returns
    -------
    ``shown``: indices of one right image of each class and the surest wrong ones; their ``predicted`` labels, and
    ``stage_1`` and ``stage_2``: activation maps, uint8 (m, height, width).  ``test``; ``emptied`` and ``occluded``:
    :func:`emptied_channels` and columns of :func:`lib.experiments.burned_in.occlude`, one value per test image.
    """
    weights = network["weights"], head["weights"]
    model = TwoStageModel.of_weights(data.images.shape[1], data.classes, settings, *weights)
    images, true = data.images[test], data.labels[test]
    prediction = model.predict(images)
    right = [np.flatnonzero((prediction.labels == true) & (true == k))[:1] for k in range(len(data.classes))]
    wrong = np.flatnonzero(prediction.labels != true)
    wrong = wrong[np.argsort(-prediction.probabilities.max(axis=1)[wrong], kind="stable")][:_N_WRONG]
    chosen = np.concatenate([*right, wrong])
    return {
        "shown": test[chosen],
        "predicted": prediction.labels[chosen],
        "stage_1": np.rint(mask_map(model, images[chosen]) * 255).astype(np.uint8),
        "stage_2": np.rint(class_map(model, images[chosen]) * 255).astype(np.uint8),
        "test": test,
        "emptied": emptied_channels(model, images),
        "occluded": burned_in.occlude(lambda x: model.predict(x).probabilities, images, seed).to_dict("list"),
    }


def explained(cv: GroupedCV, fold: int = 0) -> Job:
    """:func:`explanation` of image + mask of the ImageNet encoder in the single backbone, one test fold."""
    name = classifiers.single_backbone(cv.profile)
    settings = TwoStageSettings.of(cv.profile, segmentation.SegmenterSettings.pretrained(cv.profile), name=name)
    networks = {"network": cv.stage_1(fold), "head": classifiers.encoder_heads(cv, fold, name)}
    return explanation(data=cv.source, **networks, test=cv.members(fold), settings=settings, seed=cv.seed)


def planned(profile: Profile, seed: int) -> list[Job]:
    """The one explained fold."""
    return [explained(GroupedCV.of(profile, seed))]


def dependence_table(cv: GroupedCV, result: Result) -> pd.DataFrame:
    """What the answers of :func:`explained` depend on, with 95 % intervals over groups; empty while not done."""
    if not result:
        return pd.DataFrame()
    emptied, occluded = pd.DataFrame(result["emptied"]), pd.DataFrame(result["occluded"])
    right = emptied.eq(cv.labels[result["test"]], axis=0).astype(float)
    marked = occluded[occluded.area > 0].astype(float)
    values = {
        "accuracy": right.label,
        "change of accuracy, mask emptied": right.label_without_mask - right.label,
        "change of accuracy, image emptied": right.label_without_image - right.label,
        "images with burned-in annotations (heuristic)": (occluded.area > 0).astype(float),
        "change of probability, annotations removed": marked.without_marks - marked.before,
        "change of probability, as much removed elsewhere": marked.control - marked.before,
        "answers changed, annotations removed": marked.flipped,
        "answers changed, as much removed elsewhere": marked.control_flipped,
    }
    columns = pd.DataFrame(values)
    mean = statistics.mean_bootstrap(columns, cv.groups[result["test"]], seed=cv.seed)
    return pd.DataFrame(mean.row(), columns.columns).assign(images=columns.count())


def class_map(model: TwoStageModel, images: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
    """Where stage 2 found what speaks for the predicted class: maps, float32 (n, height, width) in [0, 1].

    Given ``masks`` replace stage 1's.  The score is the class's logit (the input of the softmax), differentiated
    through the head with respect to the backbone's last map, which is 4 × 4 for most networks at 128 pixels.  Each
    map is scaled to a maximum of 1, so two do not compare in strength; one without positive evidence is all zeros.
    """
    prediction, backbone = model.predict(images, masks), model.settings.backbone
    score = _linear(model.head)
    inputs = classification.stack_inputs(images, prediction.masks, model.settings.inputs)
    prepared = backbones.preprocess(backbone.name, inputs, backbone.preprocessing)
    one_hot = np.eye(len(model.classes), dtype=np.float32)[prediction.labels]

    def target(x):
        x = keras.ops.mean(x, axis=(1, 2)) if backbone.features == "pooled" else keras.ops.reshape(x, (len(x), -1))
        return keras.ops.sum(keras.ops.multiply(score(x[:, None], training=False)[:, 0, 0], one_hot))

    return _activation_maps(images, model.backbone.predict(prepared, verbose=0), target)


def mask_map(model: TwoStageModel, images: np.ndarray) -> np.ndarray:
    """What stage 1's deepest layer saw of the lesion that it predicted: maps as :func:`class_map`.

    The score is the sum of the mask's logits over the predicted lesion (probability ≥ 0.5),
    differentiated with respect to the layer ``bottleneck``; the skip connections are held fixed
    (seg-Grad-CAM, Vinogradova et al. 2020, arXiv 2002.11434).  Without a predicted lesion the map is all zeros.
    """
    lesions = (model.predict(images).masks >= 0.5).astype(np.float32)
    inputs = keras.ops.convert_to_tensor(segmentation.as_input(images))
    unet = _linear(model.unet)
    deepest = unet.get_layer("bottleneck").output
    maps = keras.Model(unet.inputs, deepest)(inputs, training=False)
    decoder = keras.Model([*unet.inputs, deepest], unet.outputs[0])

    def target(x):
        return keras.ops.sum(keras.ops.multiply(decoder([inputs, x], training=False), lesions))

    return _activation_maps(images, keras.ops.convert_to_numpy(maps), target)


def emptied_channels(model: TwoStageModel, images: np.ndarray) -> dict[str, list[int]]:
    """What stage 2 predicts when its mask channels, or its image channel, are emptied (set to 0).

    The model knows empty masks from normal images; a black image it has never seen.

    Returns
    -------
    ``label`` predicted with both, ``label_without_mask`` and ``label_without_image``, one value per image.
    """
    masks = model.predict(images).masks
    black, empty = np.zeros_like(images), np.zeros_like(masks)
    channels = {"label": (images, masks), "label_without_mask": (images, empty), "label_without_image": (black, masks)}
    return {name: model.predict(*both).labels.tolist() for name, both in channels.items()}


def _linear(model: keras.Model) -> keras.Model:
    """A copy of ``model`` without its last softmax or sigmoid, whose gradient vanishes where it is sure.

    A copy, since a model cut open at a layer can no longer be saved: Keras adds nodes to the layers that it shares.
    """
    last = {**model.layers[-1].get_config(), "activation": "linear"}

    def clone(layer):
        return type(layer).from_config(last if layer is model.layers[-1] else layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _gradient(function: Callable, x: Any) -> np.ndarray:
    """The gradient of a scalar ``function`` at ``x``; Keras has none of its own, so each backend's."""
    x = keras.ops.convert_to_tensor(x)
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(x)
                score = function(x)
            gradient = tape.gradient(score, x)
        case "jax":
            import jax

            gradient = jax.grad(function)(x)
        case "torch":
            import torch

            x = x.detach().requires_grad_()
            with torch.enable_grad():
                gradient = torch.autograd.grad(function(x), x)[0]
    return keras.ops.convert_to_numpy(gradient)


def _activation_maps(images: np.ndarray, maps: np.ndarray, target: Callable) -> np.ndarray:
    """HiResCAM of few images in their size, each scaled to a maximum of 1 unless it is all zeros.

    ``target`` is the score, to be differentiated, from the maps (n, h, w, c).
    """
    coarse = np.maximum((_gradient(target, maps) * maps).sum(axis=-1, keepdims=True), 0)
    fine = keras.ops.convert_to_numpy(keras.ops.image.resize(coarse, images.shape[1:3]))[..., 0]
    top = fine.max(axis=(1, 2), keepdims=True)
    return np.divide(fine, top, out=np.zeros_like(fine, np.float32), where=top > 0)
