"""The Keras half of the layers: what :class:`lib.nas.layers.Shapes` counts, as tensors of a model."""

from typing import Any

import keras
from keras import layers


class Tensors:
    """Runs layers on Keras tensors (batch, height, width, channels) or (batch, length).

    Each Keras layer is called ``<position>_<part>``: ``02_three`` is the 3×3 convolution of the third layer.  Names
    are part of a result: sums of gradients are ordered by them.  Kernels are penalised by ``l2`` times their squares.
    """

    layer: int  # position of the one that runs

    def __init__(self, l2: float) -> None:
        self.penalty: dict[str, Any] = {"kernel_regularizer": keras.regularizers.L2(l2) if l2 else None}

    def conv(self, x, filters, size, part="", padding="same", norm=False):
        if not norm:
            return self._add(layers.Conv2D, part, filters, size, padding=padding, activation="relu", **self.penalty)(x)
        x = self._add(layers.Conv2D, part, filters, size, padding=padding, use_bias=False, **self.penalty)(x)
        # Keras' momentum of 0.99 needs hundreds of steps before the averages are of use: children see fewer.
        x = self._add(layers.BatchNormalization, "norm", momentum=0.9)(x)
        return self._add(layers.ReLU, "relu")(x)

    def pool(self, x, size, step, part="", padding="valid"):
        return self._add(layers.MaxPooling2D, part, size, step, padding)(x)

    def mean(self, x, part=""):
        return self._add(layers.GlobalAveragePooling2D, part)(x)

    def flatten(self, x):
        return self._add(layers.Flatten)(x)

    def dense(self, x, units, activation, part=""):
        return self._add(layers.Dense, part, units, activation, **self.penalty)(x)

    def concat(self, *maps):
        return self._add(layers.Concatenate)(maps)

    def scale(self, x, gates):
        gates = self._add(layers.Reshape, "gates", (1, 1, gates.shape[-1]))(gates)
        return self._add(layers.Multiply, "gated")([x, gates])

    def attention(self, x, heads):
        height, width, channels = x.shape[1:]
        places = self._add(layers.Reshape, "places", (height * width, channels))(x)
        normed = self._add(layers.LayerNormalization, "norm")(places)
        attention = self._add(layers.MultiHeadAttention, "", heads, max(1, channels // heads), **self.penalty)
        total = self._add(layers.Add, "sum")([places, attention(normed, normed)])
        return self._add(layers.Reshape, "map", (height, width, channels))(total)

    def _add(self, kind: type[keras.layers.Layer], part: str = "", *numbers, **options) -> keras.layers.Layer:
        return kind(*numbers, name="_".join(filter(None, [f"{self.layer:02d}", part])), **options)
