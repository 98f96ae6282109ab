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
from lib.core.jobs import Job
from lib.core.run import Run
from lib.data.record import ImageSet
from lib.evaluation import statistics
from lib.experiments import burned_in, classifiers
from lib.experiments.grouped_cv import GroupedCV
from lib.models import backbones
from lib.two_stage import classification, segmentation
from lib.two_stage.model import TwoStageModel, TwoStageSettings

_BATCH = 16
_N_WRONG = 3


def _raw(arguments: Mapping[str, Any]) -> dict[str, str]:
    backbone = arguments["settings"].backbone
    return {"weights": backbones.identity(backbone.name, backbone.weights)}


@jobs.step("explanation", version=1, raw=_raw, needs={"network": ("weights",), "head": ("weights",)})
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
    columns of :func:`emptied_channels` and :func:`lib.experiments.burned_in.occlude`, one value per test image.
    """
    size = data.images.shape[1]
    backbone = classification.frozen_backbone(size, settings.backbone)
    weights = [part[:1, :1] for part in head["weights"]]
    model = TwoStageModel.of_weights(size, data.classes, settings, network["weights"], weights, backbone)
    images = data.images[test]
    prediction = model.predict(images)
    true = data.labels[test]
    right = [np.flatnonzero((prediction.labels == true) & (true == k))[:1] for k in range(len(data.classes))]
    wrong = np.flatnonzero(prediction.labels != true)
    wrong = wrong[np.argsort(-prediction.probabilities.max(axis=1)[wrong], kind="stable")][:_N_WRONG]
    chosen = np.concatenate([*right, wrong])
    occluded = burned_in.occlude(lambda x: model.predict(x).probabilities, images, seed)
    return {
        "shown": test[chosen],
        "predicted": prediction.labels[chosen],
        "stage_1": np.rint(mask_map(model, images[chosen]) * 255).astype(np.uint8),
        "stage_2": np.rint(class_map(model, images[chosen]) * 255).astype(np.uint8),
        "test": test,
        "emptied": emptied_channels(model, images).to_dict("list"),
        "occluded": occluded.to_dict("list"),
    }


def explained(cv: GroupedCV, fold: int = 0) -> Job:
    """:func:`explanation` of image + mask of the ImageNet encoder in the single backbone, one test fold."""
    name = classifiers.single_backbone(cv.profile)
    settings = TwoStageSettings(
        segmentation.SegmenterSettings.pretrained(cv.profile),
        classification.BackboneSettings(name, cv.profile.weights),
        classification.HeadSettings(epochs=cv.profile.head_epochs),
    )
    head = classifiers.encoder_heads(cv, fold, name)
    tested = cv.members(fold)
    return explanation(
        data=cv.source, network=cv.stage_1(fold), head=head, test=tested, settings=settings, seed=cv.seed
    )


def dependence_table(run: Run, cv: GroupedCV) -> pd.DataFrame:
    """What the answers of the first test fold depend on, with 95 % intervals over groups; empty while not done."""
    result = run.result(explained(cv))
    if not result:
        return pd.DataFrame()
    emptied, occluded = pd.DataFrame(result["emptied"]), pd.DataFrame(result["occluded"])
    groups, labels = cv.groups[result["test"]], cv.labels[result["test"]]
    marked = occluded.area > 0
    right = (emptied.label == labels).astype(float)
    values = {
        "accuracy": right,
        "change of accuracy, mask emptied": (emptied.label_without_mask == labels) - right,
        "change of accuracy, image emptied": (emptied.label_without_image == labels) - right,
        "images with burned-in annotations (heuristic)": marked.astype(float),
        "change of probability, annotations removed": (occluded.without_marks - occluded.before).where(marked),
        "change of probability, as much removed elsewhere": (occluded.control - occluded.before).where(marked),
        "answers changed, annotations removed": occluded.flipped.astype(float).where(marked),
        "answers changed, as much removed elsewhere": occluded.control_flipped.where(marked),
    }
    rows = {}
    for name, column in values.items():
        bounds = statistics.mean_bootstrap(column.to_numpy(float), groups, seed=cv.seed)
        images = int(column.notna().sum())
        rows[name] = {"value": bounds.estimate, "95 % low": bounds.low, "95 % high": bounds.high, "images": images}
    return pd.DataFrame(rows).T.astype({"images": int})


def class_map(model: TwoStageModel, images: np.ndarray) -> np.ndarray:
    """Where stage 2 found what speaks for the predicted class: maps, float32 (n, height, width) in [0, 1].

    The score is the class's logit (the input of the softmax), differentiated through the head with respect
    to the backbone's last map, which is 4 × 4 for most networks at 128 pixels.  Each map is scaled to a
    maximum of 1, so two do not compare in strength; one without positive evidence is all zeros.
    """
    prediction = model.predict(images)
    backbone = model.settings.backbone
    head = _copy(model.head)
    score = keras.Model(head.inputs, _without_activation(head))
    inputs = classification.stack_inputs(images, prediction.masks, model.settings.inputs)
    prepared = backbones.preprocess(backbone.name, inputs, backbone.preprocessing)

    def cam(batch: slice) -> np.ndarray:
        maps = model.backbone.predict(prepared[batch], verbose=0)
        one_hot = np.eye(len(model.classes), dtype=np.float32)[prediction.labels[batch]]

        def target(x):
            pooled = backbone.features == "pooled"
            features = keras.ops.mean(x, axis=(1, 2)) if pooled else keras.ops.reshape(x, (len(maps), -1))
            return keras.ops.sum(score(features[:, None], training=False)[:, 0, 0] * one_hot)

        return _activation_map(maps, _gradient(target, maps))

    return _in_batches(cam, images.shape)


def mask_map(model: TwoStageModel, images: np.ndarray) -> np.ndarray:
    """What stage 1's deepest layer saw of the lesion that it predicted: maps as :func:`class_map`.

    The score is the sum of the mask's logits over the predicted lesion (probability ≥ 0.5),
    differentiated with respect to the layer ``bottleneck``; the skip connections are held fixed
    (seg-Grad-CAM, Vinogradova et al. 2020, arXiv 2002.11434).  Without a predicted lesion the map is all zeros.
    """
    lesions = (model.predict(images).masks >= 0.5).astype(np.float32)
    inputs = segmentation.as_input(np.asarray(images, np.float32))
    unet = _copy(model.unet)
    deepest = unet.get_layer("bottleneck").output
    encoder = keras.Model(unet.inputs, deepest)
    decoder = keras.Model([*unet.inputs, deepest], _without_activation(unet))

    def cam(batch: slice) -> np.ndarray:
        shown = keras.ops.convert_to_tensor(inputs[batch])
        maps = keras.ops.convert_to_numpy(encoder(shown, training=False))

        def target(x):
            return keras.ops.sum(keras.ops.multiply(decoder([shown, x], training=False), lesions[batch]))

        return _activation_map(maps, _gradient(target, maps))

    return _in_batches(cam, images.shape)


def emptied_channels(model: TwoStageModel, images: np.ndarray) -> pd.DataFrame:
    """What stage 2 predicts when its mask channels, or its image channel, are emptied (set to 0).

    The model knows empty masks from normal images; a black image it has never seen.

    Returns
    -------
    One row per image: ``label`` predicted with both, ``label_without_mask`` and ``label_without_image``.
    """
    prediction = model.predict(images)
    black = {
        "label_without_mask": (images, np.zeros_like(prediction.masks)),
        "label_without_image": (np.zeros_like(images), prediction.masks),
    }
    emptied = {name: model.classify(*channels).argmax(axis=1) for name, channels in black.items()}
    return pd.DataFrame({"label": prediction.labels, **emptied})


def _copy(model: keras.Model) -> keras.Model:
    # A model cut open at a layer can no longer be saved: Keras adds nodes to the layers that it shares.
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _without_activation(model: keras.Model):
    """The output of ``model`` before its softmax or sigmoid, whose gradient vanishes where it is sure."""
    last = model.layers[-1]
    if isinstance(last, keras.layers.Activation):
        return last.input
    linear = type(last).from_config({**last.get_config(), "activation": "linear", "name": f"{last.name}_logit"})
    output = linear(last.input)
    linear.set_weights(last.get_weights())
    return output


def _gradient(function: Callable, x: np.ndarray) -> np.ndarray:
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
        case other:
            raise NotImplementedError(f"gradients on the backend {other}")
    return keras.ops.convert_to_numpy(gradient)


def _activation_map(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return np.maximum((gradients * maps).sum(axis=-1), 0)


def _in_batches(cam: Callable[[slice], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The maps of all images in their size, each scaled to a maximum of 1 unless it is all zeros."""
    coarse = np.concatenate([cam(slice(start, start + _BATCH)) for start in range(0, shape[0], _BATCH)])
    maps = keras.ops.convert_to_numpy(keras.ops.image.resize(coarse[..., None], shape[1:3]))[..., 0]
    top = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, top, out=np.zeros_like(maps, np.float32), where=top > 0)
