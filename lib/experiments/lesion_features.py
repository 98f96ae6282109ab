"""Features of the predicted lesion instead of the whole image: stage-1 maps, crops, shape descriptors."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from scipy import ndimage

from lib.core import jobs
from lib.data.record import ImageSet
from lib.experiments import descriptors
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings
from lib.two_stage.segmentation import SegmenterSettings


@jobs.step("lesion_crops", version=1, working_only=("features",), raw=classification.features.raw)
def crop_features(
    data: ImageSet, masks: segmentation.MaskParts, settings: BackboneSettings, seed: int = 0
) -> dict[str, Any]:
    """Features of :func:`lesion_crops` by a frozen backbone, float32 (n, n_features), as a job.

    Parameters
    ----------
    data : images as large as the masks or larger.
    masks : parts of :func:`lib.two_stage.segmentation.assemble_masks`.
    seed : of random weights.
    """
    crops = lesion_crops(data.images, segmentation.assemble_masks(masks, len(data)))
    backbone = classification.frozen_backbone(crops.shape[1], settings, seed)
    inputs = classification.stack_inputs(crops, None, "image")
    return {"features": classification.extract(backbone, inputs, settings)}


@jobs.step("mask_descriptors", version=1, working_only=("features",))
def mask_descriptors(data: ImageSet, masks: segmentation.MaskParts) -> dict[str, Any]:
    """:func:`lib.experiments.descriptors.describe` of predicted lesions, as a job."""
    predicted = segmentation.assemble_masks(masks, len(data))
    return {"features": descriptors.describe(data.images, predicted).to_numpy(np.float32)}


@jobs.step("stage_1_maps", version=1, working_only=("features",), needs={"network": ("weights",)})
def stage_1_maps(data: ImageSet, network: Mapping[str, Any], settings: SegmenterSettings) -> dict[str, Any]:
    """Maps of a stage-1 network pooled over image and lesion, averaged with those of the mirror images, as a job.

    Parameters
    ----------
    network : result of :func:`lib.two_stage.segmentation.segmenter`, with the ``settings`` that made it.
    """
    pooler = reader(segmentation.restore(data.images.shape[1], settings, network["weights"]))
    views = [data.images, data.images[:, :, ::-1]]
    both = [pooler.predict(segmentation.as_input(x), batch_size=32, verbose=0) for x in views]
    return {"features": np.mean(both, axis=0)}


def reader(unet: keras.Model) -> keras.Model:
    """From images (n, size, size, 3) in [0, 1] to features (n, n_features), sharing the layers of ``unet``.

    The deepest map and the last one of each resolution below the image's, each averaged over the
    image and over the lesion that the network predicts.
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


def lesion_crops(images: np.ndarray, masks: np.ndarray, margin: float = 0.25, threshold: float = 0.5) -> np.ndarray:
    """The surroundings of each predicted lesion, enlarged to the size of the masks; the whole image without one.

    Parameters
    ----------
    images : (n, fine, fine, 1) in [0, 1], as large as the masks or larger.
    masks : (n, size, size, 1) in [0, 1].
    margin : of the longer side of the bounding box, on each side; the crop is square.

    Returns
    -------
    float32 (n, size, size, 1).
    """
    size, finer = masks.shape[1], images.shape[1] / masks.shape[1]
    crops = np.empty(masks.shape, np.float32)
    for index, (image, mask) in enumerate(zip(images[..., 0], masks[..., 0], strict=True)):
        rows, columns = np.nonzero(mask >= threshold)
        if len(rows) == 0:
            rows = columns = np.array([0, size - 1])
        side = min(max(np.ptp(rows) + 1, np.ptp(columns) + 1) * (1 + 2 * margin), size)
        top, left = (np.clip((part.min() + part.max() + 1) / 2 - side / 2, 0, size - side) for part in (rows, columns))
        steps = (np.arange(size) + 0.5) * side / size
        grid = np.meshgrid((top + steps) * finer - 0.5, (left + steps) * finer - 0.5, indexing="ij")
        crops[index, ..., 0] = ndimage.map_coordinates(image, grid, order=1, mode="nearest")
    return crops
