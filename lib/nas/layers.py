"""The typed layers of the notation: what each does to a shape, and what it costs, without a model.

Shapes are ``(height, width, channels)`` for maps and ``(length,)`` for vectors.  The first seven
kinds are the paper's (IV-C); the last three belong to the improved space.  Every ``after`` gives the
shape behind the layer, ``parameters`` counts weights as Keras does (with biases, and with the moving
averages of a batch normalisation), ``multiply_adds`` counts multiply-accumulate steps of one image
(pooling, additions and activations are left out).
"""

from dataclasses import astuple, dataclass, field

Shape = tuple[int, ...]


class ShapeError(ValueError):
    """Layers that cannot follow each other on an input of this size."""


class _Layer:
    def arguments(self) -> tuple[int, ...]:
        """The numbers between the parentheses."""
        return astuple(self)

    def after(self, shape: Shape) -> Shape:
        raise NotImplementedError

    def parameters(self, shape: Shape) -> int:
        return 0

    def multiply_adds(self, shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Convolution(_Layer):
    """``C(a,b)``: a filters of b×b, ``valid`` (only so do the printed counts come out), ReLU."""

    filters: int
    size: int
    symbol = "C"

    def after(self, shape: Shape) -> Shape:
        height, width, _ = shape
        if self.size > min(height, width):
            raise ShapeError(f"a {self.size}×{self.size} convolution does not fit on a {height}×{width} map")
        return height - self.size + 1, width - self.size + 1, self.filters

    def parameters(self, shape: Shape) -> int:
        return (self.size * self.size * shape[2] + 1) * self.filters

    def multiply_adds(self, shape: Shape) -> int:
        height, width, filters = self.after(shape)
        return height * width * self.size * self.size * shape[2] * filters


@dataclass(frozen=True)
class Pooling(_Layer):
    """``P(a,b)``: maximum over b×b in steps of a; ``P(1,1)`` is the identity."""

    step: int
    size: int
    symbol = "P"

    def after(self, shape: Shape) -> Shape:
        height, width, channels = shape
        if self.size > min(height, width):
            raise ShapeError(f"a {self.size}×{self.size} pooling does not fit on a {height}×{width} map")
        return (height - self.size) // self.step + 1, (width - self.size) // self.step + 1, channels


@dataclass(frozen=True)
class Inception(_Layer):
    """``IB(a,b,c,d,e,f)``: GoogLeNet's block with dimension reduction (Fig. 2b), all ``same``, ReLU."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int
    symbol = "IB"

    @property
    def filters(self) -> int:
        """Channels of the output: the four branches side by side."""
        return self.one + self.three + self.five + self.pool

    def after(self, shape: Shape) -> Shape:
        return shape[0], shape[1], self.filters

    def parameters(self, shape: Shape) -> int:
        biases = self.filters + self.reduce_three + self.reduce_five
        return self._kernels(shape[2]) + biases

    def multiply_adds(self, shape: Shape) -> int:
        return shape[0] * shape[1] * self._kernels(shape[2])

    def _kernels(self, channels: int) -> int:
        pointwise = channels * (self.one + self.reduce_three + self.reduce_five + self.pool)
        return pointwise + 9 * self.reduce_three * self.three + 25 * self.reduce_five * self.five


@dataclass(frozen=True)
class SEInception(Inception):
    """``SEIB(a,…,f)``: the block followed by squeeze-and-excitation (Fig. 3).

    A seventh number, printed only when it is not 16, is the reduction ratio of Hu et al.
    """

    ratio: int = 16
    symbol = "SEIB"

    def arguments(self) -> tuple[int, ...]:
        return astuple(self)[: 6 if self.ratio == 16 else 7]

    @property
    def hidden(self) -> int:
        """Width of the squeezed layer."""
        return max(1, self.filters // self.ratio)

    def parameters(self, shape: Shape) -> int:
        gates = 2 * self.filters * self.hidden + self.filters + self.hidden
        return super().parameters(shape) + gates

    def multiply_adds(self, shape: Shape) -> int:
        return super().multiply_adds(shape) + 2 * self.filters * self.hidden


@dataclass(frozen=True)
class Concat(_Layer):
    """``Concat()`` or ``Concat(l(-4),l(-5))``: two earlier maps side by side.

    ``first`` and ``second`` are the positions of these layers from the start (0 is the first
    layer).  In the text they count from the end of the whole model, -1 being its last layer: so
    Table III's 3,125,178 parameters come out.  ``form`` keeps how the text was written: ``""`` for
    ``Concat()``, else the letter before each number (the paper's ``l`` reads ``1`` in some copies).
    """

    first: int
    second: int
    form: str = field(default="l", compare=False)
    symbol = "Concat"

    def join(self, first: Shape, second: Shape) -> Shape:
        if len(first) != 3 or len(second) != 3 or first[:2] != second[:2]:
            raise ShapeError(f"Concat joins maps of unequal sizes, {_times(first)} and {_times(second)}")
        return first[0], first[1], first[2] + second[2]


@dataclass(frozen=True)
class Flatten(_Layer):
    """``F()``: a map as one vector."""

    symbol = "F"

    def after(self, shape: Shape) -> Shape:
        return (shape[0] * shape[1] * shape[2],)


@dataclass(frozen=True)
class Dense(_Layer):
    """``FC(n)``: fully connected; softmax if it is the last layer, else ReLU."""

    units: int
    symbol = "FC"

    def after(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return (shape[0] + 1) * self.units

    def multiply_adds(self, shape: Shape) -> int:
        return shape[0] * self.units


@dataclass(frozen=True)
class NormConvolution(_Layer):
    """``CN(a,b)``: a filters of b×b, ``same``, without bias, then batch normalisation and ReLU."""

    filters: int
    size: int
    symbol = "CN"

    def after(self, shape: Shape) -> Shape:
        return shape[0], shape[1], self.filters

    def parameters(self, shape: Shape) -> int:
        return self.size * self.size * shape[2] * self.filters + 4 * self.filters

    def multiply_adds(self, shape: Shape) -> int:
        return shape[0] * shape[1] * self.size * self.size * shape[2] * self.filters


@dataclass(frozen=True)
class Attention(_Layer):
    """``AT(h)``: self-attention with h heads between all places of the map, added to it.

    A transformer's first half-block, x + attention(norm(x)): the block that the paper's conclusion
    names as future work.  Heads are ``channels // h`` wide.
    """

    heads: int
    symbol = "AT"

    def width(self, channels: int) -> int:
        return max(1, channels // self.heads)

    def after(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> int:
        channels = shape[2]
        inner = self.heads * self.width(channels)
        return 2 * channels + 3 * (channels + 1) * inner + (inner + 1) * channels

    def multiply_adds(self, shape: Shape) -> int:
        places, channels = shape[0] * shape[1], shape[2]
        inner = self.heads * self.width(channels)
        return 4 * places * channels * inner + 2 * places * places * inner


@dataclass(frozen=True)
class GlobalPooling(_Layer):
    """``GAP()``: the mean of each channel over the map; takes the place of ``F()``."""

    symbol = "GAP"

    def after(self, shape: Shape) -> Shape:
        return (shape[2],)


Layer = (
    Convolution
    | Pooling
    | Inception
    | SEInception
    | Concat
    | Flatten
    | Dense
    | NormConvolution
    | Attention
    | GlobalPooling
)

KINDS: dict[str, type] = {
    kind.symbol: kind
    for kind in (
        Convolution,
        Pooling,
        Inception,
        SEInception,
        Concat,
        Flatten,
        Dense,
        NormConvolution,
        Attention,
        GlobalPooling,
    )
}
CONVOLUTIONS = (Convolution, NormConvolution)
TO_VECTOR = (Flatten, GlobalPooling)


def is_identity(layer: _Layer) -> bool:
    """Whether a layer hands its input on unchanged: ``P(1,1)``."""
    return isinstance(layer, Pooling) and layer.step == layer.size == 1


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))
