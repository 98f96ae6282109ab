"""Why a model says what it says: class activation maps of both stages, and what happens without a part of the input.

The maps are Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) for stage 2 and seg-Grad-CAM (Vinogradova
et al. 2020, arXiv 2002.11434) for stage 1.  They show where a score came from, not that it came from there
for a good reason; the counterfactuals (no mask, no image, no burnt-in marks) measure an effect instead.
"""

from collections.abc import Callable

import keras
import numpy as np
import pandas as pd

from lib.core.config import check_choice
from lib.models import backbones
from lib.two_stage import classification, segmentation
from lib.two_stage.model import TwoStageModel

METHODS = ("grad-cam", "hirescam")

_BATCH = 16


def grad_cam_class(
    model: TwoStageModel, images: np.ndarray, class_index: int | np.ndarray | None = None, method: str = "grad-cam"
) -> np.ndarray:
    """Where stage 2 found what speaks for a class: maps, float32 (n, height, width) in [0, 1].

    The score is the class's logit (the input of the softmax), differentiated through the head with respect
    to the backbone's last map, which is 4 × 4 for most networks at 128 pixels.  Each map is scaled to a
    maximum of 1, so two do not compare in strength; one without positive evidence is all zeros.

    Parameters
    ----------
    images : (n, size, size, 1) in [0, 1].
    class_index : of which class, one for all images or int (n,); None: the predicted one.
    method : ``"grad-cam"`` weighs each channel with its gradient averaged over space.  Behind flattened
        features (the paper's) the head treats each place in its own way, and the average also lights
        places that it ignores.  ``"hirescam"`` (Draelos and Carin 2020, arXiv 2011.08891) multiplies map
        and gradient place by place: faithful there, and the same map for pooled features.

    Raises
    ------
    ValueError
        For images that the model does not take, a class it does not have or an unknown method.
    """
    check_choice("method", method, METHODS)
    prediction = model.predict(images)
    chosen = prediction.labels if class_index is None else np.broadcast_to(class_index, len(images))
    if not np.isin(chosen, range(len(model.classes))).all():
        raise ValueError(f"class_index must lie in 0 … {len(model.classes) - 1}, not {class_index}")
    stage_2 = model.settings.classifier
    head = _copy(model.head)
    score = keras.Model(head.inputs, _without_activation(head))
    inputs = classification.stack_inputs(images, prediction.masks, stage_2.inputs)
    prepared = backbones.preprocess(stage_2.backbone, inputs, stage_2.preprocessing)

    def cam(batch: slice) -> np.ndarray:
        maps = model.backbone.predict(prepared[batch], verbose=0)
        one_hot = np.eye(len(model.classes), dtype=np.float32)[chosen[batch]]

        def target(x):
            pooled = stage_2.features == "pooled"
            features = keras.ops.mean(x, axis=(1, 2)) if pooled else keras.ops.reshape(x, (len(maps), -1))
            return keras.ops.sum(keras.ops.multiply(score(features, training=False), one_hot))

        return _activation_map(maps, _gradient(target, maps), method)

    return _in_batches(cam, np.shape(images))


def grad_cam_mask(model: TwoStageModel, images: np.ndarray, method: str = "grad-cam") -> np.ndarray:
    """What stage 1's deepest layer saw of the lesion it drew: maps, float32 (n, height, width) in [0, 1].

    The score is the sum of the mask's logits over the predicted lesion (probability ≥ 0.5),
    differentiated with respect to the layer ``bottleneck``; the skip connections are held fixed.
    Without a predicted lesion there is nothing to explain: the map is all zeros.  Parameters as in
    :func:`grad_cam_class`.
    """
    check_choice("method", method, METHODS)
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

        return _activation_map(maps, _gradient(target, maps), method)

    return _in_batches(cam, np.shape(images))


def sensitivity_through_mask(model: TwoStageModel, images: np.ndarray) -> pd.DataFrame:
    """What stage 2 says when its mask channels, or its image channel, are emptied (set to 0).

    The model knows empty masks from normal images; a black image it has never seen.  Channels that
    stage 2 does not take (inputs ``"image"`` or ``"mask"``) change nothing.

    Returns
    -------
    One row an image: ``label`` predicted with both and its ``probability``; the probability of the
    same class ``without_mask`` and ``without_image``; the then predicted ``label_without_mask`` and
    ``label_without_image`` (the last is what the mask alone tells).
    """
    prediction = model.predict(images)
    images, label = np.asarray(images, np.float32), prediction.labels
    columns = {"label": label, "probability": prediction.probabilities.max(axis=1)}
    emptied = {
        "without_mask": (images, np.zeros_like(prediction.masks)),
        "without_image": (np.zeros_like(images), prediction.masks),
    }
    stage_2 = model.settings.classifier
    for name, channels in emptied.items():
        inputs = classification.stack_inputs(*channels, stage_2.inputs)
        probabilities = model.head.predict(classification.extract(model.backbone, inputs, stage_2), verbose=0)
        columns |= {name: probabilities[np.arange(len(label)), label], f"label_{name}": probabilities.argmax(axis=1)}
    return pd.DataFrame(columns)


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


def _activation_map(maps: np.ndarray, gradients: np.ndarray, method: str) -> np.ndarray:
    weights = gradients.mean(axis=(1, 2), keepdims=True) if method == "grad-cam" else gradients
    return np.maximum((weights * maps).sum(axis=-1), 0)


def _in_batches(cam: Callable[[slice], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The maps of all images in their size, each scaled to a maximum of 1 unless it is all zeros."""
    if shape[0] == 0:
        return np.empty(shape[:3], np.float32)
    coarse = np.concatenate([cam(slice(start, start + _BATCH)) for start in range(0, shape[0], _BATCH)])
    maps = keras.ops.convert_to_numpy(keras.ops.image.resize(coarse[..., None], shape[1:3]))[..., 0]
    top = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, top, out=np.zeros_like(maps, np.float32), where=top > 0)
