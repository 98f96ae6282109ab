"""Weights handed from parent to child so that the child begins as the same function (Net2Net's idea).

New channels start at random and what reads them starts at zero; new layers start as the identity.
That is exact for widen and concat, for convolutions and blocks whose 1×1 part has room for every
channel (``Space(preserving=True)`` draws those), and for attention.  A ``valid`` convolution larger
than 1×1 cuts the border off, so no weights make it the identity: from there on the child is new.
"""

from dataclasses import dataclass

import keras
import numpy as np

from lib.nas.layers import (
    Attention,
    Concat,
    Convolution,
    Dense,
    Flatten,
    Inception,
    NormConvolution,
    Pooling,
    SEInception,
    Shape,
    is_identity,
)
from lib.nas.notation import Architecture

NEW = -1  # in a channel map: a channel that the parent does not have


class InheritanceError(ValueError):
    """A child that is not one transformation away from its parent."""


@dataclass(frozen=True)
class Inherited:
    """``weights`` in Keras' order for the child; ``exact`` if they make it the parent's function."""

    weights: list[np.ndarray]
    exact: bool


class _NotKeptError(Exception):
    """From this layer on the child cannot be the parent's function."""


def inherit(
    parent: Architecture, weights: list[np.ndarray], child: Architecture, input_shape: Shape, seed: int
) -> Inherited:
    """Weights for ``child`` from the trained ``weights`` of ``parent``.

    Raises
    ------
    InheritanceError
        If the child is not the parent with one layer widened or neighbouring layers put in.
    """
    origin = _origins(parent, child)
    model = child.build(input_shape, seed=seed)
    new = _named(model)
    old_model = parent.build(input_shape)
    old_model.set_weights(weights)
    old = _named(old_model)
    before = [tuple(input_shape), *child.shapes(input_shape)]
    old_shapes = parent.shapes(input_shape)
    maps: list[np.ndarray] = []
    current, exact = np.arange(input_shape[2]), True
    for index, layer in enumerate(child.layers):
        source = origin[index]
        try:
            if isinstance(layer, Concat):
                current = _join(layer, maps, origin, old_shapes, inserted=source is None)
            elif source is None:
                current = _as_identity(layer, index, new, current, before[index], child.layers[:index])
            else:
                current = _copy(layer, parent.layers[source], index, source, new, old, current, before[index])
        except _NotKeptError:
            exact = False
            break
        maps.append(current)
    arrays = [array for layer in model.layers for array in new.get(layer.name, [])]
    model.set_weights(arrays)
    return Inherited(model.get_weights(), exact)


def _named(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: [array.copy() for array in layer.get_weights()] for layer in model.layers if layer.weights}


def _origins(parent: Architecture, child: Architecture) -> list[int | None]:
    """For each layer of the child its place in the parent, None where it was put in."""
    added = len(child) - len(parent)
    if added < 0:
        raise InheritanceError(f"{child} has fewer layers than {parent}")
    first = 0
    while added and first < len(parent) and child.layers[first] == parent.layers[first]:
        first += 1
    origin = [*range(first), *[None] * added, *range(first, len(parent))]
    for index, place in enumerate(origin):
        if place is not None and type(child.layers[index]) is not type(parent.layers[place]):
            raise InheritanceError(f"{child} is not one transformation away from {parent}")
    return origin


def _join(layer: Concat, maps: list, origin: list, old_shapes: list, inserted: bool) -> np.ndarray:
    first, second = maps[layer.first], maps[layer.second]
    if inserted:  # what follows read the first one only
        return np.concatenate([first, np.full(len(second), NEW)])
    width = old_shapes[origin[layer.first]][2]
    return np.concatenate([first, np.where(second == NEW, NEW, second + width)])


def _copy(layer, old_layer, index, source, new, old, channels, shape) -> np.ndarray:
    """Copy the weights of a layer that the parent has; the channel map behind it."""
    here, there = f"{index:02d}", f"{source:02d}"
    if isinstance(layer, Pooling):
        return channels
    if isinstance(layer, Flatten):
        width = channels.max() + 1
        places = np.arange(shape[0] * shape[1])[:, None] * width
        return np.where(channels == NEW, NEW, places + channels).ravel()
    if isinstance(layer, Convolution | Dense):
        return _fill(new[here], old[there], channels)
    if isinstance(layer, NormConvolution):
        out = _fill(new[here], old[there], channels)
        _fill_vectors(new[f"{here}_norm"], old[f"{there}_norm"], out)
        return out
    if isinstance(layer, Inception):
        return _copy_block(layer, old_layer, here, there, new, old, channels)
    if isinstance(layer, Attention):
        if not np.array_equal(channels, np.arange(len(old[f"{there}_norm"][0]))):
            raise _NotKeptError  # the normalisation before the attention mixes all channels
        for part in (here, f"{here}_norm"):
            new[part] = old[part.replace(here, there, 1)]
        return channels
    return channels  # GAP()


def _copy_block(layer, old_layer, here, there, new, old, channels) -> np.ndarray:
    def fill(part: str, map_in: np.ndarray) -> np.ndarray:
        return _fill(new[f"{here}_{part}"], old[f"{there}_{part}"], map_in)

    branches = [
        (fill("one", channels), old_layer.one),
        (fill("three", fill("reduce_three", channels)), old_layer.three),
        (fill("five", fill("reduce_five", channels)), old_layer.five),
        (fill("pool", channels), old_layer.pool),
    ]
    starts = np.cumsum([0, *(width for _, width in branches)])
    out = np.concatenate(
        [np.where(m == NEW, NEW, m + start) for (m, _), start in zip(branches, starts[:-1], strict=True)]
    )
    if isinstance(layer, SEInception):
        hidden = fill("squeeze", out)
        _fill(new[f"{here}_excite"], old[f"{there}_excite"], hidden, out)
    return out


def _fill(new: list, old: list, map_in: np.ndarray, map_out: np.ndarray | None = None) -> np.ndarray:
    """Put an old kernel (…, in, out) and bias into a new one, in place; the map of its outputs.

    Old outputs read old inputs as before and new inputs with weight 0; new outputs stay random.
    """
    if map_out is None:
        width = old[0].shape[-1]
        map_out = np.where(np.arange(new[0].shape[-1]) < width, np.arange(new[0].shape[-1]), NEW)
    kept_in, kept_out = map_in != NEW, map_out != NEW
    kernel = new[0]
    columns = np.zeros((*kernel.shape[:-1], kept_out.sum()), kernel.dtype)
    columns[..., kept_in, :] = old[0][..., map_in[kept_in], :][..., map_out[kept_out]]
    kernel[..., kept_out] = columns
    if len(new) > 1:
        new[1][kept_out] = old[1][map_out[kept_out]]
    return map_out


def _fill_vectors(new: list, old: list, channels: np.ndarray) -> None:
    kept = channels != NEW
    for fresh, known in zip(new, old, strict=True):
        fresh[kept] = known[channels[kept]]


def _as_identity(layer, index, new, channels, shape, earlier) -> np.ndarray:
    """Make a layer that was put in hand its input on; the channel map behind it."""
    here = f"{index:02d}"
    if isinstance(layer, Pooling) and is_identity(layer):
        return channels
    if isinstance(layer, Attention):
        for array in new[here][-2:]:  # the output projection: x + 0
            array[:] = 0
        return channels
    # ReLU lets through what is not negative: all maps are, but sums of an attention.
    if any(isinstance(before, Attention) for before in earlier):
        raise _NotKeptError
    if isinstance(layer, Convolution) and layer.size == 1 and layer.filters >= shape[2]:
        return _diagonal(new[here], channels)
    if isinstance(layer, NormConvolution) and layer.size % 2 and layer.filters >= shape[2]:
        out = _diagonal(new[here], channels)
        new[f"{here}_norm"][0][:] = np.sqrt(1 + 1e-3)  # undoes Keras' epsilon
        return out
    if isinstance(layer, Inception) and layer.one >= shape[2]:
        gated = isinstance(layer, SEInception)
        one = _diagonal(new[f"{here}_one"], channels, 2.0 if gated else 1.0)
        if gated:  # a gate of sigmoid(0) = 1/2 undoes the factor 2
            for array in new[f"{here}_excite"]:
                array[:] = 0
        return np.concatenate([one, np.full(layer.filters - layer.one, NEW)])
    raise _NotKeptError


def _diagonal(arrays: list, channels: np.ndarray, factor: float = 1.0) -> np.ndarray:
    kernel, count = arrays[0], len(channels)
    middle = kernel.shape[0] // 2
    kernel[..., :count] = 0
    kernel[middle, middle, range(count), range(count)] = factor
    if len(arrays) > 1:
        arrays[1][:count] = 0
    return np.concatenate([channels, np.full(kernel.shape[-1] - count, NEW)])
