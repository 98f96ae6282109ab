"""Features of the predicted lesion instead of the whole image: stage-1 maps, crops, shape descriptors."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from scipy import ndimage
from scipy.spatial import ConvexHull

from lib.core import jobs
from lib.data.record import ImageSet
from lib.two_stage import classification, segmentation
from lib.two_stage.segmentation import SegmenterSettings


@jobs.step("lesion_crops", version=1, working_only=("features",), raw=classification.features.raw)
def crop_features(
    data: ImageSet, masks: segmentation.MaskParts, settings: classification.BackboneSettings, seed: int = 0
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
    return {"features": classification.extract(backbone, classification.stack_inputs(crops, None, "image"), settings)}


@jobs.step("mask_descriptors", version=1, working_only=("features",))
def mask_descriptors(data: ImageSet, masks: segmentation.MaskParts) -> dict[str, Any]:
    """:func:`describe` of predicted lesions, as a job."""
    predicted = segmentation.assemble_masks(masks, len(data))
    return {"features": describe(data.images, predicted).to_numpy(np.float32)}


@jobs.step("stage_1_maps", version=1, working_only=("features",), needs={"network": ("weights",)})
def stage_1_maps(data: ImageSet, network: Mapping[str, Any], settings: SegmenterSettings) -> dict[str, Any]:
    """Maps of a stage-1 network pooled over image and lesion, averaged with those of the mirror images, as a job.

    Parameters
    ----------
    network : result of :func:`lib.two_stage.segmentation.segmenter`, with the ``settings`` that made it.
    """
    pooler = reader(segmentation.restore(data.images.shape[1], settings, network["weights"]))
    return {"features": segmentation.mean_of_views(pooler, data.images)}


def reader(unet: keras.Model) -> keras.Model:
    """From images (n, size, size, 3) in [0, 1] to features (n, n_features), sharing the weights of ``unet`` in order.

    The deepest map and the last one of each resolution below the image's, each averaged over the
    image and over the lesion that the network predicts.
    """
    outputs = [layer.output for layer in unet.layers if isinstance(layer, layers.Activation)]
    outputs.append(unet.get_layer("bottleneck").output)
    last = {one.shape[1]: one for one in outputs if one.shape[1] < unet.input.shape[1]}
    maps = [last[size] for size in sorted(last)]
    pooled = [part for one in maps for part in (layers.GlobalAveragePooling2D()(one), _inside(one, unet.output))]
    return keras.Model(unet.input, layers.Concatenate()(pooled), name="lesion_maps")


def _inside(one: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """The mean of a map (n, h, w, c) over a mask (n, H, W, 1) in [0, 1], as (n, c); near zero for an empty mask."""
    factor = mask.shape[1] // one.shape[1]
    weight = ops.average_pool(mask, factor, factor)
    # One pixel's worth is added, so that an empty mask divides by no zero.
    return ops.sum(one * weight, axis=(1, 2)) / (ops.sum(weight, axis=(1, 2)) + 1.0)


def lesion_crops(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The surroundings of each predicted lesion, enlarged to the size of the masks; the whole image without one.

    Parameters
    ----------
    images : (n, fine, fine, 1) in [0, 1], as large as the masks or larger.
    masks : (n, size, size, 1) in [0, 1]; pixels at or above 0.5 are lesion.

    Returns
    -------
    float32 (n, size, size, 1): squares of one and a half times the longer side of the lesion's bounding box.
    """
    size, finer = masks.shape[1], images.shape[1] / masks.shape[1]
    crops = np.empty(masks.shape, np.float32)
    for index, (image, mask) in enumerate(zip(images[..., 0], masks[..., 0], strict=True)):
        inside = mask >= 0.5
        rows, columns = np.nonzero(inside if inside.any() else ~inside)
        side = min(max(np.ptp(rows) + 1, np.ptp(columns) + 1) * 1.5, size)
        top, left = (np.clip((part.min() + part.max() + 1) / 2 - side / 2, 0, size - side) for part in (rows, columns))
        steps = (np.arange(size) + 0.5) * side / size
        grid = np.meshgrid((top + steps) * finer - 0.5, (left + steps) * finer - 0.5, indexing="ij")
        crops[index, ..., 0] = ndimage.map_coordinates(image, grid, order=1, mode="nearest")
    return crops


def describe(images: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """What a radiologist reads off a lesion: thirteen numbers per image, after the descriptors of BI-RADS ultrasound.

    All are 0 where no lesion is predicted.

    Parameters
    ----------
    images, masks : float (n, height, width, 1) in [0, 1]; pixels of a mask at or above 0.5 are lesion.

    Returns
    -------
    - ``area``: share of the image, square root; ``pieces``: connected components of at least 0.1 % of it.
    - ``certainty``: mean of the soft mask inside the lesion.
    - of the largest piece: ``height / width`` of its bounding box (taller than wide speaks for
      malignant), ``elongation`` (ratio of its axes, 0 round … 1 a line), ``tilt`` (sine of the long axis'
      angle to the skin), ``solidity`` (area over convex hull), ``compactness`` (4π area / perimeter²).
    - ``echo``: mean brightness inside; ``contrast``: outside a margin less inside; ``texture``: standard
      deviation inside; ``margin``: mean gradient along the border; ``behind``: brightness below the
      lesion less that beside it at the same depth (shadow negative, enhancement positive).
    """
    return pd.DataFrame([_one(*pair) for pair in zip(images[..., 0], masks[..., 0], strict=True)])


def _one(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    inside = mask >= 0.5
    if not inside.any():
        return dict.fromkeys(_one(image, np.ones_like(mask)), 0.0)
    pieces, _ = ndimage.label(inside)
    sizes = np.bincount(pieces.ravel())[1:]
    lesion = pieces == 1 + sizes.argmax()
    rim = ndimage.binary_dilation(inside, iterations=max(2, image.shape[0] // 21)) & ~inside
    border = ndimage.binary_dilation(lesion) & ~ndimage.binary_erosion(lesion)
    gradient = np.hypot(*np.gradient(ndimage.gaussian_filter(image, 1.0)))
    echo = image[inside].mean()
    return {
        "area": np.sqrt(inside.mean()),
        "pieces": (sizes >= inside.size / 1000).sum(),
        "certainty": mask[inside].mean(),
        **_shape(lesion),
        "echo": echo,
        "contrast": image[rim].mean() - echo if rim.any() else 0.0,
        "texture": image[inside].std(),
        "margin": gradient[border].mean(),
        "behind": _behind(image, lesion),
    }


def _shape(lesion: np.ndarray) -> dict[str, float]:
    rows, columns = np.nonzero(lesion)
    area, ratio = len(rows), (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    if area < 3:
        return {"height / width": ratio, "elongation": 0.0, "tilt": 0.0, "solidity": 1.0, "compactness": 1.0}
    values, vectors = np.linalg.eigh(np.cov(rows, columns) + np.eye(2) / 12)
    corners = [(rows + down, columns + right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)]
    hull = ConvexHull(np.concatenate([np.column_stack(corner) for corner in corners])).volume
    return {
        "height / width": ratio,
        "elongation": 1 - np.sqrt(values[0] / values[1]),
        "tilt": abs(vectors[0, 1]),
        "solidity": area / max(hull, area),
        "compactness": min(4 * np.pi * area / _perimeter(lesion) ** 2, 1.5),
    }


def _perimeter(lesion: np.ndarray) -> float:
    # Crofton's formula with four directions: counting border pixels would make slanted edges too long.
    padded = np.pad(lesion, 1).astype(int)
    straight = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    diagonal = np.abs(padded[1:, 1:] - padded[:-1, :-1]).sum() + np.abs(padded[1:, :-1] - padded[:-1, 1:]).sum()
    return np.pi / 8 * (straight + diagonal / np.sqrt(2))


def _behind(image: np.ndarray, lesion: np.ndarray) -> float:
    rows, columns = np.nonzero(lesion)
    bottom, left, right = rows.max() + 1, columns.min(), columns.max() + 1
    depth = bottom + np.ptp(rows) + 1
    below = image[bottom:depth, left:right]
    beside = np.concatenate([image[bottom:depth, :left].ravel(), image[bottom:depth, right:].ravel()])
    return below.mean() - beside.mean() if below.size and beside.size else 0.0
