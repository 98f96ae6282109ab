"""Stage 2's frozen feature extractors: the networks of Table II with their ImageNet weights.

Weights are looked up as ``<backbone>_notop_*.weights.h5`` in the folders of :mod:`lib.core.paths`, then
downloaded by Keras, then a :class:`WeightsError` says what to put where.  Random weights are never
a fallback: they are asked for by name.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import applications

from lib.core import paths, raw, runtime
from lib.core.config import check_choice

WEIGHTS = ("imagenet", "random")


class WeightsError(paths.MissingDataError):
    """Pretrained weights that are missing, or that belong to another network."""


# Modules of Keras Applications, in the order of Table II.  The paper takes "the variant with the highest
# reported performance" of each family: the sizes of EfficientNet, EfficientNetV2, ConvNeXt and NASNet follow.
BACKBONES = {
    "VGG16": applications.vgg16,
    "ResNet152": applications.resnet,
    "ResNet152V2": applications.resnet_v2,
    "InceptionV3": applications.inception_v3,
    "InceptionResNetV2": applications.inception_resnet_v2,
    "Xception": applications.xception,
    "DenseNet201": applications.densenet,
    "MobileNet": applications.mobilenet,
    "MobileNetV2": applications.mobilenet_v2,
    "NASNetLarge": applications.nasnet,
    "EfficientNetB7": applications.efficientnet,
    "EfficientNetV2L": applications.efficientnet_v2,
    "ConvNeXtXLarge": applications.convnext,
}


def builder(name: str) -> Callable[..., keras.Model]:
    """The function of Keras Applications that builds backbone ``name``."""
    return getattr(BACKBONES[check_choice("backbone", name, tuple(BACKBONES))], name)


def pattern(name: str) -> str:
    """Pattern of the names of local weights files of backbone ``name``."""
    check_choice("backbone", name, tuple(BACKBONES))
    return f"{name.lower()}_notop_*.weights.h5"


def identity(name: str, weights: str) -> str:
    """What a job's key and a table call these weights, found without building the network."""
    check_choice("weights", weights, WEIGHTS)
    return "random" if weights == "random" else raw.weights_identity(pattern(name))


def build(name: str, size: int, weights: str = "imagenet", seed: int = 0) -> keras.Model:
    """The frozen backbone without its top, from (n, size, size, 3) to a map (n, h, w, channels).

    Parameters
    ----------
    name : key of :data:`BACKBONES`.
    size : side of the input in pixels, at least the network's minimum (32 to 75).
    weights : ``"imagenet"``, or ``"random"`` for tests and the smoke profile.
    seed : of random weights.

    Raises
    ------
    WeightsError
        If ImageNet weights are neither local nor to be downloaded, or the file is another network's.
    """
    check_choice("weights", weights, WEIGHTS)
    runtime.seed_everything(seed)
    file = raw.weights_file(pattern(name)) if weights == "imagenet" else None
    source = "imagenet" if weights == "imagenet" and file is None else None
    try:
        model = builder(name)(include_top=False, weights=source, input_shape=(size, size, 3))
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if source is None:
            raise
        folder = paths.relative(paths.weights_folders()[0])
        raise WeightsError(
            f"no ImageNet weights of {name}: Keras could not download them ({str(error).splitlines()[0]}). "
            f"Put {name.lower()}_notop_float32.weights.h5, saved by Keras 3, into {folder}"
        ) from error
    if file is not None:
        _load(model, file, name)
    elif weights == "random":
        _draw_he_normal(model, seed)
    model.trainable = False
    return model


def preprocess(name: str, inputs: np.ndarray, preprocessing: str) -> np.ndarray:
    """Inputs in [0, 1] as the backbone gets them.

    ``"raw"`` leaves them, as the authors' code does; ``"own"`` scales to 0–255 and applies the
    preprocessing that the ImageNet weights were trained with.
    """
    check_choice("preprocessing", preprocessing, ("raw", "own"))
    return inputs if preprocessing == "raw" else BACKBONES[name].preprocess_input(inputs * 255.0)


def _draw_he_normal(model: keras.Model, seed: int) -> None:
    # Keras' Glorot kernels halve a ReLU network's signal at each layer: untrained, the deep ones
    # would give features of 1e-12.
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if "kernel" in variable.name and len(variable.shape) == 4:
            fan_in = np.prod(variable.shape[: 2 if "depthwise" in variable.path else 3])
            variable.assign(generator.normal(0, np.sqrt(2 / fan_in), variable.shape))


def _load(model: keras.Model, file: Path, name: str) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not hold, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(file)
    except (ValueError, KeyError, OSError, UserWarning) as error:
        content = "an HDF5 file" if h5py.is_hdf5(file) else "no HDF5 file"
        raise WeightsError(
            f"{file} does not fit {name} ({content}: {str(error).splitlines()[0]}). "
            "Remove it, or put the weights of this network there."
        ) from error
