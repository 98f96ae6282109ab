"""The kinds of layers of the notation, each written once as a function: run on shapes it counts, on tensors it builds.

The first seven kinds are the paper's (IV-C); the last three belong to the improved space.  A kind names its numbers
and says what it is made of; :class:`Shapes` counts that without a model, :class:`lib.nas.build.Tensors` builds it in
Keras.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]  # (height, width, channels) of a map, (length,) of a vector
RATIO = 16  # of the reduction by squeeze-and-excitation (Hu et al.), which is left out of the text


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
        self._count(0, math.prod(x))
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


@dataclass(frozen=True)
class Layer:
    """A layer as it is written: the symbol of one of :data:`KINDS` and its numbers.

    Those of a ``Concat`` are positions from the start.  In the text they count from the end of the whole model, -1
    being its last layer: so Table III's 3,125,178 parameters come out.  ``form`` keeps how the text was written: ``""``
    for ``Concat()``, else the letter before each number (the paper's ``l`` reads ``1`` in some copies).
    """

    symbol: str
    numbers: tuple[int, ...] = ()
    form: str = field(default="l", compare=False)

    def reads(self, index: int) -> tuple[int, ...]:
        """Positions of the layers that the one at ``index`` reads; -1 is the input."""
        return self.numbers if self.symbol == "Concat" else (index - 1,)

    def reading(self, places: Iterable[int]) -> "Layer":
        """The same layer where those that it reads are at ``places``."""
        return Layer("Concat", tuple(places)) if self.symbol == "Concat" else self

    def text(self, total: int) -> str:
        """The layer as it is written in a network of ``total`` layers."""
        texts = [str(number) for number in self.numbers]
        if self.symbol == "Concat":
            texts = [f"{self.form}({place - total})" for place in self.numbers if self.form]
        return f"{self.symbol}({','.join(texts)})"


IDENTITY = Layer("P", (1, 1))


def _inception(net, x, one, reduce_three, three, reduce_five, five, pool):
    """``IB(a,b,c,d,e,f)``: GoogLeNet's block with dimension reduction (Fig. 2b), all ``same``, ReLU."""
    left = net.conv(x, one, 1, "one")
    middle = net.conv(net.conv(x, reduce_three, 1, "reduce_three"), three, 3, "three")
    right = net.conv(net.conv(x, reduce_five, 1, "reduce_five"), five, 5, "five")
    pooled = net.conv(net.pool(x, 3, 1, "pooled", padding="same"), pool, 1, "pool")
    return net.concat(left, middle, right, pooled)


def _se_inception(net, x, one, reduce_three, three, reduce_five, five, pool, ratio=RATIO):
    """``SEIB(a,…,f)``: the block followed by squeeze-and-excitation (Fig. 3); a seventh number is the ratio."""
    block = _inception(net, x, one, reduce_three, three, reduce_five, five, pool)
    filters = one + three + five + pool
    squeezed = net.dense(net.mean(block, "mean"), max(1, filters // ratio), "relu", "squeeze")
    return net.scale(block, net.dense(squeezed, filters, "sigmoid", "excite"))


# By symbol: from a net, what the layer reads and its numbers to its output.
KINDS: dict[str, Callable[..., Any]] = {
    # C(a,b): a filters of b×b, valid (only so do the printed counts come out), ReLU.
    "C": lambda net, x, filters, size: net.conv(x, filters, size, padding="valid"),
    # P(a,b): maximum over b×b in steps of a; P(1,1) is the identity.
    "P": lambda net, x, step, size: x if step == size == 1 else net.pool(x, size, step),
    "IB": _inception,
    "SEIB": _se_inception,
    # Concat() or Concat(l(-4),l(-5)): two earlier maps side by side.
    "Concat": lambda net, first, second, *places: net.concat(first, second),
    # F(): a map as one vector.
    "F": lambda net, x: net.flatten(x),
    # FC(n): fully connected; softmax if it is the last layer, else ReLU.
    "FC": lambda net, x, units: net.dense(x, units, "softmax" if net.last else "relu"),
    # CN(a,b): a filters of b×b, same, without bias, then batch normalisation and ReLU.
    "CN": lambda net, x, filters, size: net.conv(x, filters, size, norm=True),
    # AT(h): self-attention with h heads between all places of the map, added to it: a transformer's first half-block,
    # x + attention(norm(x)), which the paper's conclusion names as future work.  Heads are channels // h wide.
    "AT": lambda net, x, heads: net.attention(x, heads),
    # GAP(): the mean of each channel over the map; takes the place of F().
    "GAP": lambda net, x: net.mean(x),
}
TO_VECTOR = ("F", "GAP")
# Which numbers of a kind are the filters that leave it: Widen raises them.
WIDER = {"C": (0,), "CN": (0,), "IB": (0, 2, 4, 5), "SEIB": (0, 2, 4, 5)}


def times(shape: Shape) -> str:
    """For example 28×28×1."""
    return "×".join(map(str, shape))
