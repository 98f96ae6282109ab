"""What a network costs: parameters and multiply-adds, counted from its layers."""

import math

import keras
from keras import layers

_COUNTED = layers.Conv2D, layers.Conv2DTranspose, layers.Dense, layers.DepthwiseConv2D, layers.SeparableConv2D


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one image through all convolutions and dense layers of a built functional model.

    Activations, pooling and batch normalisation are left out, as is usual.  A layer that is used
    several times counts each time.
    """
    graph = model._functional if isinstance(model, keras.Sequential) else model
    return sum(_of_operation(node.operation, node) for nodes in graph._nodes_by_depth.values() for node in nodes)


def _of_operation(layer, node) -> int:
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if not isinstance(layer, _COUNTED):
        return 0
    # A transposed convolution multiplies each input pixel with the whole kernel; the others make an output pixel so.
    pixels = node.input_tensors[0] if isinstance(layer, layers.Conv2DTranspose) else node.outputs[0]
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    return math.prod(pixels.shape[1:-1]) * kernels
