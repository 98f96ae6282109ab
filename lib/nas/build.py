"""From an architecture to a Keras model: one function a kind of layer.

A Keras layer is called ``<position>_<part>``: ``02_three`` is the 3×3 convolution of the third layer.
"""

import keras
from keras import layers as kl

from lib.nas.layers import (
    Attention,
    Concat,
    Convolution,
    Dense,
    Flatten,
    GlobalPooling,
    Inception,
    NormConvolution,
    Pooling,
    SEInception,
    Shape,
    is_identity,
)


def build(architecture, input_shape: Shape, l2: float = 0.0) -> keras.Model:
    """The untrained model: images (batch, height, width, channels) to probabilities (batch, classes).

    Parameters
    ----------
    architecture : lib.nas.notation.Architecture
    input_shape : (height, width, channels) of one image.
    l2 : factor of the squared weights that the loss adds for every kernel (III-B: 0.02).

    Raises
    ------
    lib.nas.layers.ShapeError
        If the layers do not fit on this input.
    """
    architecture.shapes(input_shape)
    inputs = keras.Input(input_shape, name="images")
    outputs: list = []
    tensor = inputs
    for index, layer in enumerate(architecture.layers):
        name = f"{index:02d}"
        last = index == len(architecture) - 1
        if isinstance(layer, Concat):
            tensor = kl.Concatenate(name=name)([outputs[layer.first], outputs[layer.second]])
        elif isinstance(layer, Dense):
            tensor = _dense(layer.units, "softmax" if last else "relu", name, l2)(tensor)
        elif not is_identity(layer):
            tensor = _BUILDERS[type(layer)](layer, tensor, name, l2)
        outputs.append(tensor)
    return keras.Model(inputs, tensor, name="architecture")


def _regulariser(l2: float):
    return keras.regularizers.L2(l2) if l2 else None


def _dense(units: int, activation: str | None, name: str, l2: float):
    return kl.Dense(units, activation=activation, name=name, kernel_regularizer=_regulariser(l2))


def _conv(filters: int, size: int, name: str, l2: float, padding: str = "same", **options):
    options = {"activation": "relu", **options}
    return kl.Conv2D(filters, size, padding=padding, name=name, kernel_regularizer=_regulariser(l2), **options)


def _convolution(layer: Convolution, tensor, name: str, l2: float):
    return _conv(layer.filters, layer.size, name, l2, padding="valid")(tensor)


def _norm_convolution(layer: NormConvolution, tensor, name: str, l2: float):
    tensor = _conv(layer.filters, layer.size, name, l2, activation=None, use_bias=False)(tensor)
    # Keras' momentum of 0.99 needs hundreds of steps before the averages are of use: children see fewer.
    tensor = kl.BatchNormalization(momentum=0.9, name=f"{name}_norm")(tensor)
    return kl.ReLU(name=f"{name}_relu")(tensor)


def _pooling(layer: Pooling, tensor, name: str, l2: float):
    return kl.MaxPooling2D(layer.size, layer.step, name=name)(tensor)


def _inception(layer: Inception, tensor, name: str, l2: float):
    one = _conv(layer.one, 1, f"{name}_one", l2)(tensor)
    three = _conv(layer.reduce_three, 1, f"{name}_reduce_three", l2)(tensor)
    three = _conv(layer.three, 3, f"{name}_three", l2)(three)
    five = _conv(layer.reduce_five, 1, f"{name}_reduce_five", l2)(tensor)
    five = _conv(layer.five, 5, f"{name}_five", l2)(five)
    pool = kl.MaxPooling2D(3, 1, padding="same", name=f"{name}_pooled")(tensor)
    pool = _conv(layer.pool, 1, f"{name}_pool", l2)(pool)
    return kl.Concatenate(name=name)([one, three, five, pool])


def _se_inception(layer: SEInception, tensor, name: str, l2: float):
    block = _inception(layer, tensor, name, l2)
    gates = kl.GlobalAveragePooling2D(name=f"{name}_mean")(block)
    gates = _dense(layer.hidden, "relu", f"{name}_squeeze", l2)(gates)
    gates = _dense(layer.filters, "sigmoid", f"{name}_excite", l2)(gates)
    gates = kl.Reshape((1, 1, layer.filters), name=f"{name}_gates")(gates)
    return kl.Multiply(name=f"{name}_gated")([block, gates])


def _attention(layer: Attention, tensor, name: str, l2: float):
    height, width, channels = tensor.shape[1:]
    places = kl.Reshape((height * width, channels), name=f"{name}_places")(tensor)
    normed = kl.LayerNormalization(name=f"{name}_norm")(places)
    attention = kl.MultiHeadAttention(
        layer.heads, layer.width(channels), name=name, kernel_regularizer=_regulariser(l2)
    )(normed, normed)
    total = kl.Add(name=f"{name}_sum")([places, attention])
    return kl.Reshape((height, width, channels), name=f"{name}_map")(total)


def _flatten(layer: Flatten, tensor, name: str, l2: float):
    return kl.Flatten(name=name)(tensor)


def _global_pooling(layer: GlobalPooling, tensor, name: str, l2: float):
    return kl.GlobalAveragePooling2D(name=name)(tensor)


_BUILDERS = {
    Convolution: _convolution,
    NormConvolution: _norm_convolution,
    Pooling: _pooling,
    Inception: _inception,
    SEInception: _se_inception,
    Attention: _attention,
    Flatten: _flatten,
    GlobalPooling: _global_pooling,
}
