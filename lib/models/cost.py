"""What a network costs: parameters and multiply-adds, counted from its layers."""

import math

import keras
from keras import layers


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
    if isinstance(layer, layers.Conv2DTranspose):
        # Each input pixel is multiplied with the whole kernel.
        return math.prod(node.input_tensors[0].shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.SeparableConv2D):
        pixels = _pixels(node)
        return pixels * (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape))
    if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
        return _pixels(node) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return math.prod(node.outputs[0].shape[1:-1]) * math.prod(layer.kernel.shape)
    return 0


def _pixels(node) -> int:
    return math.prod(node.outputs[0].shape[1:3])
