"""The four transformations of III-A: pure functions from one architecture to a child.

Layers are counted as in Table I: ``Widen(M, 3, 32)`` widens the third layer, ``Concat(M, -4)`` has
the fourth layer from the end of the *child*.  :func:`draw` makes the free choices (which layer, which
size) at random, which is what the paper calls Randomization.
"""

from dataclasses import dataclass, replace

import numpy as np

from lib.nas.layers import (
    KINDS,
    Attention,
    Concat,
    Convolution,
    Inception,
    Layer,
    NormConvolution,
    Pooling,
    Shape,
    ShapeError,
)
from lib.nas.notation import Architecture, StructureError, is_convolution, parse

NAMES = ("add_layer", "add_block", "widen", "concat")


class TransformError(ValueError):
    """A transformation that cannot be applied to this architecture."""


@dataclass(frozen=True)
class Space:
    """Which architectures a search can reach; the defaults are the paper's, with ``block="IB"`` BbNAS.

    Attributes
    ----------
    initial : text of the first model (III-D and IV-D1).
    block : ``IB``, ``SEIB`` or ``AT``: what add_block adds.  Several, parted by blanks, are drawn from.
    widths : of an added block; heads for ``AT``.
    filters, sizes : of an added convolution.  Table I prints 3×3 where only 1×1 gives Table III's
        count, and Table IV has both, so both are drawn.
    pool : step and size of an added pooling; Table I has (1, 1), which keeps every pixel.
    same : added convolutions are ``CN`` (``same``, normalised) instead of ``C``.
    widen_by : filters that widen adds.
    """

    initial: str
    block: str = "IB"
    widths: tuple[int, ...] = (32, 64, 128, 16, 32, 32)
    heads: int = 4
    filters: int = 64
    sizes: tuple[int, ...] = (1, 3)
    pool: tuple[int, int] = (1, 1)
    same: bool = False
    widen_by: int = 32


def paper_space(block: str, classes: int) -> Space:
    """The space of BbNAS (``block="IB"``) or SE-BbNAS (``"SEIB"``), from the paper's initial model."""
    return Space(f"C(64,3) P(1,1) {block}(32,64,128,16,32,32) P(1,1) F() FC({classes})", block)


def improved_space(classes: int) -> Space:
    """Real 2×2 pooling, global average pooling, small normalised layers, SE blocks and attention."""
    return Space(
        f"CN(24,3) P(2,2) SEIB(16,16,32,8,16,16) P(2,2) SEIB(24,32,64,8,24,24) GAP() FC({classes})",
        block="SEIB AT",
        widths=(24, 32, 64, 8, 24, 24),
        filters=64,
        sizes=(3,),
        same=True,
        widen_by=16,
    )


def add_layer(
    architecture: Architecture, filters: int = 64, size: int = 3, pool: tuple[int, int] = (1, 1), same: bool = False
) -> Architecture:
    """A convolution and a pooling, put in before the ``F()``: Table I, M_0."""
    convolution = (NormConvolution if same else Convolution)(filters, size)
    return architecture.insert(architecture.flat, convolution, Pooling(*pool))


def add_block(architecture: Architecture, block: Layer | None = None) -> Architecture:
    """A block, put in before the last pooling if that ends the maps, else before the ``F()``: Table I, M_1.

    The text of III-A has a fully connected layer follow the block; Table I shows none, and the printed
    counts have none.
    """
    place = architecture.flat
    place -= isinstance(architecture.layers[place - 1], Pooling)
    return architecture.insert(place, block or Inception(32, 64, 128, 16, 32, 32))


def widen(architecture: Architecture, layer: int, by: int = 32) -> Architecture:
    """``by`` more filters in one convolution, or in each of the four branches that leave a block: Table I, M_2.

    The text of III-A widens a block's first four numbers instead.  ``layer`` counts from 1, or from the end if
    negative; one that is no convolution and no block raises :class:`TransformError`.
    """
    place = _place(architecture, layer)
    old = architecture.layers[place]
    if is_convolution(old):
        return architecture.swap(place, replace(old, filters=old.filters + by))
    if not isinstance(old, Inception):
        raise TransformError(f"layer {layer} of {architecture} is {old.symbol}: only C, CN, IB and SEIB can be widened")
    branches = ("one", "three", "five", "pool")
    return architecture.swap(place, replace(old, **{name: getattr(old, name) + by for name in branches}))


def concat(architecture: Architecture, layer: int) -> Architecture:
    """A layer u and the one before it side by side: Table I, M_3.

    ``layer`` is u's place from the start, or, negative, from the end of the child, as in ``Concat(M, -4)``.
    Without two such maps :class:`TransformError` is raised.
    """
    place = layer - 1 if layer > 0 else len(architecture) + layer + 1
    if not 1 <= place < architecture.flat:
        raise TransformError(f"concat needs two maps before F(): {architecture} has none at {layer}")
    return architecture.insert(place + 1, Concat(place, place - 1, form="l"))


def draw(architecture: Architecture, name: str, space: Space, generator: np.random.Generator) -> Architecture:
    """One random application of the transformation called ``name``; :class:`TransformError` where it has none."""
    try:
        match name:
            case "add_layer":
                return add_layer(
                    architecture, space.filters, int(generator.choice(space.sizes)), space.pool, space.same
                )
            case "add_block":
                kind = str(generator.choice(space.block.split()))
                return add_block(architecture, Attention(space.heads) if kind == "AT" else KINDS[kind](*space.widths))
            case "widen":
                wide = [
                    index + 1
                    for index, layer in enumerate(architecture.layers)
                    if is_convolution(layer) or isinstance(layer, Inception)
                ]
                if not wide:
                    raise TransformError("nothing to widen")
                return widen(architecture, int(generator.choice(wide)), space.widen_by)
            case "concat":
                places = _joinable(architecture)
                if not places:
                    raise TransformError("no two maps to join")
                return concat(architecture, int(generator.choice(places)))
    except StructureError as error:
        raise TransformError(str(error)) from None
    raise TransformError(f"unknown transformation {name!r}; known: {', '.join(NAMES)}")


def child(
    parent: Architecture, name: str, space: Space, seed: list[int], input_shape: Shape, known: set[str], tries: int = 20
) -> Architecture | None:
    """A random child that fits the input and is no structural duplicate of a known one; None if none is found.

    Parameters
    ----------
    seed : integers that name this draw; equal ones draw equally.
    known : hashes of architectures met before.
    """
    generator = np.random.default_rng(seed)
    for _ in range(tries):
        try:
            drawn = draw(parent, name, space, generator)
            drawn.shapes(input_shape)
        except (TransformError, ShapeError):
            continue
        if drawn.hash not in known:
            return drawn
    return None


def table_one() -> dict[str, tuple[str, Architecture]]:
    """Table I made anew from its M: child's name to the call and what it gives."""
    m = parse(paper_space("IB", 10).initial)
    return {
        "M_0": ("Add_Layer(M)", add_layer(m)),
        "M_1": ("Add_Block(M)", add_block(m)),
        "M_2": ("Widen(M, 3, 32)", widen(m, 3, 32)),
        "M_3": ("Concat(M, -4)", concat(m, -4)),
    }


def _joinable(architecture: Architecture) -> list[int]:
    """Layers u (from 1) before the ``F()`` whose joining with u-1 gives one new map.

    Sizes are compared on a large input, so that this does not depend on the data; joining a map with
    its own identity pooling is allowed, as the paper does it (M_3).
    """
    shapes = architecture.shapes((1024, 1024, 1))
    return [place + 1 for place in range(1, architecture.flat) if shapes[place][:2] == shapes[place - 1][:2]]


def _place(architecture: Architecture, layer: int) -> int:
    place = layer - 1 if layer > 0 else len(architecture) + layer
    if layer == 0 or not 0 <= place < len(architecture):
        raise TransformError(f"{architecture} has {len(architecture)} layers: there is no layer {layer}")
    return place
