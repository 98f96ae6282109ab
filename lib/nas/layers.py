"""The kinds of layers of the notation, each written once: run on shapes it is counted, on tensors it is built.

The first seven kinds are the paper's (IV-C); the last three belong to the improved space.  A kind names its
numbers and says in ``apply`` what it is made of; :class:`Shapes` counts that without a model,
:class:`lib.nas.build.Tensors` builds it in Keras.
"""

import math
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, dataclass_transform

Shape = tuple[int, ...]  # (height, width, channels) of a map, (length,) of a vector


class NetworkError(ValueError):
    """Layers that make no network: in an order that does not work, or too large for the input.

    Attributes
    ----------
    layer : position of the layer at which it goes wrong, from 0.
    """

    def __init__(self, what: str, layer: int = 0) -> None:
        super().__init__(what)
        self.layer = layer


class Shapes:
    """Runs layers on shapes: ``parameters``, and ``multiply_adds`` of one image, by the layer's position.

    Parameters are counted as Keras does: with biases, and with the moving averages of a batch normalisation.
    Multiply-adds are multiply-accumulate steps; pooling, additions and activations are left out.
    """

    layer: int  # position of the one that runs

    def __init__(self) -> None:
        self.parameters, self.multiply_adds = Counter[int](), Counter[int]()

    def conv(self, x: Shape, filters: int, size: int, part="", padding: str = "same", norm: bool = False) -> Shape:
        height, width, channels = self.pool(x, size, 1, padding=padding)  # a kernel goes where a window does
        kernel = size * size * channels * filters
        self._count(kernel + (4 if norm else 1) * filters, height * width * kernel)
        return height, width, filters

    def pool(self, x: Shape, size: int, step: int, part="", padding: str = "valid") -> Shape:
        if padding == "same":
            return x
        if size > min(x[:2]):
            raise NetworkError(f"{size}×{size} does not fit on a map of {times(x[:2])}")
        return (x[0] - size) // step + 1, (x[1] - size) // step + 1, x[2]

    def mean(self, x: Shape, part="") -> Shape:
        return x[-1:]

    def flatten(self, x: Shape) -> Shape:
        return (math.prod(x),)

    def dense(self, x: Shape, units: int, activation: str, part="") -> Shape:
        self._count((x[0] + 1) * units, x[0] * units)
        return (units,)

    def concat(self, *maps: Shape) -> Shape:
        if len({one[:-1] for one in maps}) > 1:
            raise NetworkError(f"Concat joins maps of unequal sizes, {' and '.join(map(times, maps))}")
        return *maps[0][:-1], sum(one[-1] for one in maps)

    def scale(self, x: Shape, gates: Shape) -> Shape:
        return x

    def attention(self, x: Shape, heads: int) -> Shape:
        places, channels = x[0] * x[1], x[2]
        inner = heads * max(1, channels // heads)
        multiply_adds = 4 * places * channels * inner + 2 * places * places * inner
        self._count(2 * channels + 3 * (channels + 1) * inner + (inner + 1) * channels, multiply_adds)
        return x

    def _count(self, parameters: int, multiply_adds: int) -> None:
        self.parameters[self.layer] += parameters
        self.multiply_adds[self.layer] += multiply_adds


KINDS: dict[str, Any] = {}  # by symbol


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True)
class Layer:
    """A layer with its numbers as fields; ``symbol`` is its name in the text, ``wider`` are the fields Widen raises."""

    symbol: ClassVar[str]
    wider: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, symbol: str, wider: tuple[str, ...] = ()) -> None:
        cls.symbol, cls.wider = symbol, wider
        KINDS[symbol] = dataclass(frozen=True)(cls)  # so no kind needs the decorator

    def apply(self, net, x: Any) -> Any:
        """The output for ``x`` on ``net``, a :class:`Shapes` or a :class:`lib.nas.build.Tensors`."""
        raise NotImplementedError

    def reads(self, index: int) -> tuple[int, ...]:
        """Positions of the layers that the one at ``index`` reads; -1 is the input."""
        return (index - 1,)

    def text(self, total: int) -> str:
        """The layer as it is written in a network of ``total`` layers; a default is left out."""
        numbers = (getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default)
        return f"{self.symbol}({','.join(map(str, numbers))})"


class Convolution(Layer, symbol="C", wider=("filters",)):
    """``C(a,b)``: a filters of b×b, ``valid`` (only so do the printed counts come out), ReLU."""

    filters: int
    size: int

    def apply(self, net, x):
        return net.conv(x, self.filters, self.size, padding="valid")


class Pooling(Layer, symbol="P"):
    """``P(a,b)``: maximum over b×b in steps of a; ``P(1,1)`` is the identity."""

    step: int
    size: int

    def apply(self, net, x):
        return x if self == IDENTITY else net.pool(x, self.size, self.step)


IDENTITY = Pooling(1, 1)


class Inception(Layer, symbol="IB", wider=("one", "three", "five", "pool")):
    """``IB(a,b,c,d,e,f)``: GoogLeNet's block with dimension reduction (Fig. 2b), all ``same``, ReLU."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int

    def apply(self, net, x):
        one = net.conv(x, self.one, 1, "one")
        three = net.conv(net.conv(x, self.reduce_three, 1, "reduce_three"), self.three, 3, "three")
        five = net.conv(net.conv(x, self.reduce_five, 1, "reduce_five"), self.five, 5, "five")
        pool = net.conv(net.pool(x, 3, 1, "pooled", padding="same"), self.pool, 1, "pool")
        return net.concat(one, three, five, pool)


class SEInception(Inception, symbol="SEIB", wider=("one", "three", "five", "pool")):
    """``SEIB(a,…,f)``: the block followed by squeeze-and-excitation (Fig. 3).

    A seventh number, printed only when it is not 16, is the reduction ratio of Hu et al.
    """

    ratio: int = 16

    def apply(self, net, x):
        block = super().apply(net, x)
        filters = self.one + self.three + self.five + self.pool
        squeezed = net.dense(net.mean(block, "mean"), max(1, filters // self.ratio), "relu", "squeeze")
        return net.scale(block, net.dense(squeezed, filters, "sigmoid", "excite"))


class Concat(Layer, symbol="Concat"):
    """``Concat()`` or ``Concat(l(-4),l(-5))``: two earlier maps side by side.

    ``first`` and ``second`` are positions from the start.  In the text they count from the end of the whole model,
    -1 being its last layer: so Table III's 3,125,178 parameters come out.  ``form`` keeps how the text was written:
    ``""`` for ``Concat()``, else the letter before each number (the paper's ``l`` reads ``1`` in some copies).
    """

    first: int
    second: int
    form: str = field(default="l", compare=False, kw_only=True)

    def apply(self, net, first, second):
        return net.concat(first, second)

    def reads(self, index):
        return self.first, self.second

    def text(self, total):
        places = (f"{self.form}({place - total})" for place in (self.first, self.second))
        return f"Concat({','.join(places) if self.form else ''})"


class Flatten(Layer, symbol="F"):
    """``F()``: a map as one vector."""

    def apply(self, net, x):
        return net.flatten(x)


class Dense(Layer, symbol="FC"):
    """``FC(n)``: fully connected; softmax if it is the last layer, else ReLU."""

    units: int

    def apply(self, net, x):
        return net.dense(x, self.units, "softmax" if net.last else "relu")


class NormConvolution(Convolution, symbol="CN", wider=("filters",)):
    """``CN(a,b)``: a filters of b×b, ``same``, without bias, then batch normalisation and ReLU."""

    def apply(self, net, x):
        return net.conv(x, self.filters, self.size, norm=True)


class Attention(Layer, symbol="AT"):
    """``AT(h)``: self-attention with h heads between all places of the map, added to it.

    A transformer's first half-block, x + attention(norm(x)): the block that the paper's conclusion
    names as future work.  Heads are ``channels // h`` wide.
    """

    heads: int

    def apply(self, net, x):
        return net.attention(x, self.heads)


class GlobalPooling(Layer, symbol="GAP"):
    """``GAP()``: the mean of each channel over the map; takes the place of ``F()``."""

    def apply(self, net, x):
        return net.mean(x)


TO_VECTOR = (Flatten, GlobalPooling)


def times(shape: Shape) -> str:
    """For example 28×28×1."""
    return "×".join(map(str, shape))
