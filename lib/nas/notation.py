"""The paper's notation (IV-C): text to architecture and back, shapes and costs without a model.

``parse("C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(10)")`` gives an
:class:`Architecture`, ``str`` gives the text back.  Layers are parted by blanks, ``;`` or ``→``.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property

from lib.nas.layers import CONVOLUTIONS, KINDS, TO_VECTOR, Concat, Dense, Layer, Shape, ShapeError, is_identity

_NAME = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"\s*(-?\d+)\s*")
_REFERENCE = re.compile(r"\s*([lL1])\s*\(\s*(-?\d+)\s*\)\s*")
_BETWEEN = re.compile(r"(\s|;|,|→|->)*")


class NotationError(ValueError):
    """A text that is no architecture; the message shows the text and points at the character.

    Attributes
    ----------
    position : int, character of the text at which it goes wrong, from 0.
    """

    def __init__(self, what: str, text: str, position: int) -> None:
        super().__init__(f"{what}, at character {position + 1}:\n  {text}\n  {' ' * position}^")
        self.what, self.position = what, position


class StructureError(ValueError):
    """Layers in an order that makes no network; ``index`` is the layer's position from 0."""

    def __init__(self, what: str, index: int) -> None:
        super().__init__(f"{what} (layer {index + 1})")
        self.what, self.index = what, index


@dataclass(frozen=True)
class Architecture:
    """A network as a tuple of typed layers (:mod:`lib.nas.layers`), checked when made.

    Raises
    ------
    StructureError
        Unless it is maps, one ``F()`` or ``GAP()``, then one or more ``FC``, every ``Concat`` points
        at two earlier layers, and every layer is read by a later one.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        _check_structure(self.layers)

    def __str__(self) -> str:
        return " ".join(self._text(index) for index in range(len(self.layers)))

    def __len__(self) -> int:
        return len(self.layers)

    def shapes(self, input_shape: Shape) -> list[Shape]:
        """The shape behind every layer.

        Parameters
        ----------
        input_shape : (height, width, channels) of one image.

        Raises
        ------
        lib.nas.layers.ShapeError
            If the layers do not fit on this input; names the layer.
        """
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ShapeError(f"an input shape is height, width and channels, not {tuple(input_shape)}")
        shapes: list[Shape] = []
        shape = tuple(input_shape)
        for index, layer in enumerate(self.layers):
            try:
                if isinstance(layer, Concat):
                    shape = layer.join(shapes[layer.first], shapes[layer.second])
                else:
                    shape = layer.after(shape)
            except ShapeError as error:
                raise ShapeError(f"{error} (layer {index + 1}, {self._text(index)}, of {self})") from None
            shapes.append(shape)
        return shapes

    def count_params(self, input_shape: Shape) -> int:
        """Number of weights, equal to Keras' ``count_params()`` of the built model."""
        before = [tuple(input_shape), *self.shapes(input_shape)]
        return sum(layer.parameters(shape) for layer, shape in zip(self.layers, before, strict=False))

    def count_multiply_adds(self, input_shape: Shape) -> int:
        """Multiply-accumulate steps for one image."""
        before = [tuple(input_shape), *self.shapes(input_shape)]
        return sum(layer.multiply_adds(shape) for layer, shape in zip(self.layers, before, strict=False))

    def costs(self, input_shape: Shape) -> list[tuple[str, Shape, int, int]]:
        """One row a layer: text, shape behind it, parameters, multiply-adds."""
        shapes = self.shapes(input_shape)
        before = [tuple(input_shape), *shapes]
        return [
            (self._text(index), shapes[index], layer.parameters(before[index]), layer.multiply_adds(before[index]))
            for index, layer in enumerate(self.layers)
        ]

    def build(self, input_shape: Shape, l2: float = 0.0):
        """The untrained Keras model: float images in, class probabilities out; see :mod:`lib.nas.build`."""
        from lib.nas.build import build  # counting and parsing work without loading Keras

        return build(self, input_shape, l2)

    @property
    def classes(self) -> int:
        """Width of the last layer."""
        return self.layers[-1].units

    @cached_property
    def flat(self) -> int:
        """Position of the ``F()`` or ``GAP()``: where the maps end."""
        return next(index for index, layer in enumerate(self.layers) if isinstance(layer, TO_VECTOR))

    @cached_property
    def canonical(self) -> "Architecture":
        """The same network in its plainest spelling; structural duplicates have one.

        Identity poolings are left out (but a first layer, which a Concat may join), and a Concat's two
        places are in ascending order: another order only renumbers channels.
        """
        kept: list[Layer] = []
        place_of: list[int] = []
        for index, layer in enumerate(self.layers):
            if index == 0 or not is_identity(layer):
                if isinstance(layer, Concat):
                    layer = Concat(*sorted((place_of[layer.first], place_of[layer.second])))
                kept.append(layer)
            place_of.append(len(kept) - 1)
        return Architecture(tuple(kept))

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that structural duplicates have in common."""
        return hashlib.sha256(str(self.canonical).encode()).hexdigest()[:12]

    def insert(self, position: int, *new: Layer) -> "Architecture":
        """The architecture with layers put in before ``position``; what a Concat joins stays the same."""
        moved = [_move(layer, index, position, len(new)) for index, layer in enumerate(self.layers)]
        return Architecture((*moved[:position], *new, *moved[position:]))

    def swap(self, position: int, layer: Layer) -> "Architecture":
        """The architecture with the layer at ``position`` replaced."""
        return replace(self, layers=(*self.layers[:position], layer, *self.layers[position + 1 :]))

    def _text(self, index: int) -> str:
        layer = self.layers[index]
        if not isinstance(layer, Concat):
            return f"{layer.symbol}({','.join(map(str, layer.arguments()))})"
        if not layer.form:
            return "Concat()"
        places = (f"{layer.form}({place - len(self.layers)})" for place in (layer.first, layer.second))
        return f"Concat({','.join(places)})"


def parse(text: str) -> Architecture:
    """The architecture that ``text`` describes.

    Raises
    ------
    NotationError
        For an unknown layer, wrong numbers or an impossible order; points at the character.
    """
    found: list[tuple[str, tuple, int]] = []
    at = _BETWEEN.match(text).end()
    while at < len(text):
        name, numbers, end = _parse_layer(text, at)
        found.append((name, numbers, at))
        at = _BETWEEN.match(text, end).end()
    if not found:
        raise NotationError("no layers", text, 0)
    try:
        return Architecture(tuple(_layer(*item, index, len(found), text) for index, item in enumerate(found)))
    except StructureError as error:
        raise NotationError(error.what, text, found[error.index][2]) from None


def _parse_layer(text: str, start: int) -> tuple[str, tuple, int]:
    match = _NAME.match(text, start)
    if not match or match.group() not in KINDS:
        word = match.group() if match else text[start]
        raise NotationError(f"unknown layer {word!r}; known: {', '.join(KINDS)}", text, start)
    name, at = match.group(), match.end()
    while at < len(text) and text[at].isspace():
        at += 1
    if at >= len(text) or text[at] != "(":
        raise NotationError(f"{name} needs an opening parenthesis", text, at)
    values, at = [], at + 1
    pattern = _REFERENCE if name == "Concat" else _NUMBER
    while not (blank := re.compile(r"\s*\)").match(text, at)):
        if values:
            if at >= len(text) or text[at] != ",":
                raise NotationError("expected ',' or ')'", text, at)
            at += 1
        if not (match := pattern.match(text, at)):
            wanted = "a place such as l(-4)" if name == "Concat" else "a number"
            raise NotationError(f"{name} expects {wanted}", text, at)
        values.append(match.groups() if name == "Concat" else int(match.group(1)))
        at = match.end()
    return name, tuple(values), blank.end()


_COUNTS = {"C": (2,), "P": (2,), "IB": (6,), "SEIB": (6, 7), "F": (0,), "FC": (1,), "CN": (2,), "AT": (1,), "GAP": (0,)}


def _layer(name: str, numbers: tuple, position: int, index: int, total: int, text: str) -> Layer:
    """The typed layer of a parsed one; turns a Concat's places into positions from the start."""
    if name == "Concat":
        if not numbers:
            return Concat(index - 1, index - 2, form="")
        if len(numbers) != 2:
            raise NotationError("Concat joins two layers", text, position)
        # Written without a minus a place would count from nowhere: the paper only uses negative ones.
        places = [int(place) for _, place in numbers]
        if max(places) >= 0:
            raise NotationError("Concat counts from the end: its places are negative", text, position)
        return Concat(total + places[0], total + places[1], form=numbers[0][0].replace("L", "l"))
    if len(numbers) not in _COUNTS[name]:
        wanted = " or ".join(map(str, _COUNTS[name]))
        raise NotationError(f"{name} takes {wanted} numbers, not {len(numbers)}", text, position)
    if numbers and min(numbers) < 1:
        raise NotationError(f"{name} takes numbers from 1", text, position)
    return KINDS[name](*numbers)


def _check_structure(layers: tuple[Layer, ...]) -> None:
    if not layers:
        raise StructureError("no layers", 0)
    flat = None
    read = set()
    for index, layer in enumerate(layers):
        read.update((layer.first, layer.second) if isinstance(layer, Concat) else (index - 1,))
        if isinstance(layer, Dense):
            if flat is None:
                raise StructureError("FC before F() or GAP(): it takes a vector, not a map", index)
        elif flat is not None:
            raise StructureError(f"{layer.symbol} after F() or GAP(): only FC can follow", index)
        if isinstance(layer, Concat) and not all(0 <= place < index for place in (layer.first, layer.second)):
            raise StructureError("Concat points outside the layers before it", index)
        if isinstance(layer, TO_VECTOR):
            flat = index
    if flat is None:
        raise StructureError("no F() or GAP() turns the map into a vector", len(layers) - 1)
    if not isinstance(layers[-1], Dense):
        raise StructureError("the last layer must be FC(number of classes)", len(layers) - 1)
    if unread := set(range(len(layers) - 1)) - read:
        # Keras would leave it out of the model, and its parameters out of the count.
        raise StructureError(f"no layer reads the output of this {layers[min(unread)].symbol}", min(unread))


def _move(layer: Layer, index: int, position: int, by: int) -> Layer:
    """``layer`` after ``by`` layers have been put in before ``position``."""
    if not isinstance(layer, Concat):
        return layer
    first, second = (place + by * (place >= position) for place in (layer.first, layer.second))
    here = index + by * (index >= position)
    short = not layer.form and (first, second) == (here - 1, here - 2)
    return Concat(first, second, form="" if short else layer.form or "l")


def is_convolution(layer: Layer) -> bool:
    return isinstance(layer, CONVOLUTIONS)
