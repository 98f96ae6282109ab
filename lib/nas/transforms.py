"""The four transformations of III-A: pure functions from an architecture to the changes that it offers.

:func:`child` makes the free choice (which layer, which size) at random, which is what the paper calls
Randomization.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.nas.layers import IDENTITY, WIDER, Layer, NetworkError
from lib.nas.notation import Architecture

Change = tuple[Any, ...]  # the arguments of Architecture.change


@dataclass(frozen=True)
class Space:
    """Which architectures a search can reach: ``blocks`` and ``convolutions`` are those that can be added.

    ``initial`` is the text of the first model, ``widen_by`` the number of filters that widen adds.
    """

    initial: str
    blocks: tuple[Layer, ...]
    convolutions: tuple[Layer, ...]
    widen_by: int


def paper_space(block: str) -> Space:
    """The space of BbNAS (``block="IB"``) or SE-BbNAS (``"SEIB"``) for ten classes, III-D and IV-D1.

    Table I prints an added 3×3 convolution where only 1×1 gives Table III's count, and Table IV has both.
    """
    initial = f"C(64,3) P(1,1) {block}(32,64,128,16,32,32) P(1,1) F() FC(10)"
    added = Layer(block, (32, 64, 128, 16, 32, 32))
    return Space(initial, (added,), (Layer("C", (64, 1)), Layer("C", (64, 3))), 32)


def improved_space() -> Space:
    """Real 2×2 pooling, global average pooling, small normalised layers, SE blocks and attention; ten classes."""
    initial = "CN(24,3) P(2,2) SEIB(16,16,32,8,16,16) P(2,2) SEIB(24,32,64,8,24,24) GAP() FC(10)"
    blocks = Layer("SEIB", (24, 32, 64, 8, 24, 24)), Layer("AT", (4,))
    return Space(initial, blocks, (Layer("CN", (64, 3)),), 16)


def add_layer(architecture: Architecture, space: Space) -> list[Change]:
    """A convolution and a pooling that keeps every pixel, put in before the ``F()``: Table I, M_0."""
    place = architecture.flat
    return [(place, place, convolution, IDENTITY) for convolution in space.convolutions]


def add_block(architecture: Architecture, space: Space) -> list[Change]:
    """A block, put in before the last pooling if that ends the maps, else before the ``F()``: Table I, M_1.

    The text of III-A has a fully connected layer follow the block; Table I shows none, and the printed
    counts have none.
    """
    place = architecture.flat - (architecture.layers[architecture.flat - 1].symbol == "P")
    return [(place, place, block) for block in space.blocks]


def widen(architecture: Architecture, space: Space) -> list[Change]:
    """More filters in one convolution, or in each of the four branches that leave a block: Table I, M_2.

    The text of III-A widens a block's first four numbers instead.
    """

    def wide(layer: Layer) -> Layer:
        wider = WIDER[layer.symbol]
        return Layer(layer.symbol, tuple(n + space.widen_by * (at in wider) for at, n in enumerate(layer.numbers)))

    return [(place, place + 1, wide(layer)) for place, layer in enumerate(architecture.layers) if layer.symbol in WIDER]


def concat(architecture: Architecture, space: Space) -> list[Change]:
    """A layer and the one before it side by side: Table I, M_3.

    Sizes are compared on a large input, so that this does not depend on the data; joining a map with its own
    identity pooling is allowed, as the paper does it.
    """
    shapes = architecture.shapes((1024, 1024, 1))
    equal = [place for place in range(1, architecture.flat) if shapes[place][:2] == shapes[place - 1][:2]]
    return [(place + 1, place + 1, Layer("Concat", (place, place - 1))) for place in equal]


TRANSFORMATIONS = {one.__name__: one for one in (add_layer, add_block, widen, concat)}
NAMES = tuple(TRANSFORMATIONS)


def child(
    parent: Architecture, name: str, space: Space, seed: list[int], input_shape: tuple[int, ...], known: set[str]
) -> Architecture | None:
    """A random child that fits the input and is no structural duplicate of a known one; None if none is found.

    Parameters
    ----------
    seed : integers that name this draw; equal ones draw equally.
    known : hashes of architectures met before, to which the child's is added.
    """
    generator, changes = np.random.default_rng(seed), list[Change]()
    with suppress(NetworkError):  # of a network that fits this input, but not the large one of :func:`concat`
        changes = TRANSFORMATIONS[name](parent, space)
    for _ in range(20 if changes else 0):
        with suppress(NetworkError):
            drawn = parent.change(*changes[generator.integers(len(changes))])
            drawn.shapes(input_shape)
            if drawn.hash not in known:
                known.add(drawn.hash)
                return drawn
    return None
