"""What a network of stage 1 knows of a picture and of the lesion that it draws: a backbone that needs no download."""

import keras
import numpy as np
from keras import layers, ops

from lib.two_stage import segmentation


def reader(unet: keras.Model) -> keras.Model:
    """From images (n, size, size, 3) in [0, 1] to features (n, n_features), sharing the layers of ``unet``.

    The deepest map and the last one of each resolution below the image's, each averaged over the
    picture and over the lesion that the network draws.
    """
    last = {}
    for layer in unet.layers:
        if isinstance(layer, layers.Activation) and layer.output.shape[1] < unet.input.shape[1]:
            last[layer.output.shape[1]] = layer.output
    deepest = unet.get_layer("bottleneck").output
    last[deepest.shape[1]] = deepest
    maps = [last[size] for size in sorted(last)]
    pooled = [part for one in maps for part in (layers.GlobalAveragePooling2D()(one), InsideMask()([one, unet.output]))]
    return keras.Model(unet.input, layers.Concatenate()(pooled), name="lesion_maps")


def describe(unet: keras.Model, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Features, float32 (n, n_features), of images (n, size, size, 1), averaged with those of their mirror images."""
    network = reader(unet)
    both = [network.predict(segmentation.as_input(x), batch_size, verbose=0) for x in (images, images[:, :, ::-1])]
    return np.mean(both, axis=0)


@keras.saving.register_keras_serializable(package="lib")
class InsideMask(layers.Layer):
    """The mean of a map (n, h, w, c) over a mask (n, H, W, 1) in [0, 1], as (n, c); near zero for an empty mask."""

    def call(self, inputs):
        one, mask = inputs
        factor = mask.shape[1] // one.shape[1]
        weight = ops.average_pool(mask, factor, factor)
        # One pixel's worth is added, so that an empty mask divides by no zero.
        return ops.sum(one * weight, axis=(1, 2)) / (ops.sum(weight, axis=(1, 2)) + 1.0)

    def compute_output_shape(self, shapes):
        return shapes[0][0], shapes[0][-1]
