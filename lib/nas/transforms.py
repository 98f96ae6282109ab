"""The four transformations of III-A: pure functions from one architecture to a child.

Layers are counted as in Table I: ``Widen(M, 3, 32)`` widens the third layer, ``Concat(M, -4)`` has
the fourth layer from the end of the *child*.  :func:`draw` makes the free choices (which layer, which
size) at random, which is what the paper calls Randomization.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lib.nas.layers import (
    IDENTITY,
    KINDS,
    Attention,
    Concat,
    Convolution,
    Layer,
    NetworkError,
    NormConvolution,
    Pooling,
)
from lib.nas.notation import Architecture

NAMES = ("add_layer", "add_block", "widen", "concat")


@dataclass(frozen=True)
class Space:
    """Which architectures a search can reach: ``blocks`` and ``convolutions`` are those that can be added.

    ``initial`` is the text of the first model, ``widen_by`` the number of filters that widen adds.
    """

    initial: str
    blocks: tuple[Layer, ...]
    convolutions: tuple[Layer, ...]
    widen_by: int


def paper_space(block: str, classes: int) -> Space:
    """The space of BbNAS (``block="IB"``) or SE-BbNAS (``"SEIB"``), III-D and IV-D1.

    Table I prints an added 3×3 convolution where only 1×1 gives Table III's count, and Table IV has both.
    """
    added = KINDS[block](32, 64, 128, 16, 32, 32)
    initial = f"C(64,3) P(1,1) {added.text(0)} P(1,1) F() FC({classes})"
    return Space(initial, (added,), (Convolution(64, 1), Convolution(64, 3)), 32)


def improved_space(classes: int) -> Space:
    """Real 2×2 pooling, global average pooling, small normalised layers, SE blocks and attention."""
    initial = f"CN(24,3) P(2,2) SEIB(16,16,32,8,16,16) P(2,2) SEIB(24,32,64,8,24,24) GAP() FC({classes})"
    return Space(initial, (KINDS["SEIB"](24, 32, 64, 8, 24, 24), Attention(4)), (NormConvolution(64, 3),), 16)


def add_layer(architecture: Architecture, convolution: Layer) -> Architecture:
    """A convolution and a pooling that keeps every pixel, put in before the ``F()``: Table I, M_0."""
    return architecture.insert(architecture.flat, convolution, IDENTITY)


def add_block(architecture: Architecture, block: Layer) -> Architecture:
    """A block, put in before the last pooling if that ends the maps, else before the ``F()``: Table I, M_1.

    The text of III-A has a fully connected layer follow the block; Table I shows none, and the printed
    counts have none.
    """
    place = architecture.flat
    return architecture.insert(place - isinstance(architecture.layers[place - 1], Pooling), block)


def widen(architecture: Architecture, layer: int, by: int = 32) -> Architecture:
    """``by`` more filters in one convolution, or in each of the four branches that leave a block: Table I, M_2.

    The text of III-A widens a block's first four numbers instead.  ``layer`` counts from 1.
    """
    layers = list(architecture.layers)
    old = layers[layer - 1]
    if not old.wider:
        raise NetworkError(f"layer {layer} of {architecture} has nothing to widen")
    layers[layer - 1] = replace(old, **{name: getattr(old, name) + by for name in old.wider})
    return Architecture(tuple(layers))


def concat(architecture: Architecture, layer: int) -> Architecture:
    """A layer and the one before it side by side: Table I, M_3; ``layer`` is negative, from the end of the child."""
    place = len(architecture) + 1 + layer
    if not 1 <= place < architecture.flat:
        raise NetworkError(f"concat needs two maps before F(): {architecture} has none at {layer}")
    return architecture.insert(place + 1, Concat(place, place - 1))


def draw(architecture: Architecture, name: str, space: Space, generator: np.random.Generator) -> Architecture:
    """One random application of the transformation called ``name``; :class:`NetworkError` where it gives none."""

    def one_of(options: Sequence) -> Any:
        return options[int(generator.integers(len(options)))]

    match name:
        case "add_layer":
            return add_layer(architecture, one_of(space.convolutions))
        case "add_block":
            return add_block(architecture, one_of(space.blocks))
        case "widen":
            wide = [place for place, layer in enumerate(architecture.layers, start=1) if layer.wider]
            return widen(architecture, one_of(wide), space.widen_by)
        case _:  # concat
            # Sizes are compared on a large input, so that this does not depend on the data; joining a map with
            # its own identity pooling is allowed, as the paper does it (M_3).
            shapes = architecture.shapes((1024, 1024, 1))
            equal = [place for place in range(1, architecture.flat) if shapes[place][:2] == shapes[place - 1][:2]]
            return concat(architecture, one_of(equal) - len(architecture) - 1)


def child(
    parent: Architecture, name: str, space: Space, seed: list[int], input_shape: tuple[int, ...], known: set[str]
) -> Architecture | None:
    """A random child that fits the input and is no structural duplicate of a known one; None if none is found.

    Parameters
    ----------
    seed : integers that name this draw; equal ones draw equally.
    known : hashes of architectures met before.
    """
    generator = np.random.default_rng(seed)
    for _ in range(20):
        try:
            drawn = draw(parent, name, space, generator)
            drawn.shapes(input_shape)
        except NetworkError:
            continue
        if drawn.hash not in known:
            return drawn
    return None
