"""The paper's notation (IV-C): text to architecture and back, shapes and costs without a model.

``parse("C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(10)")`` gives an
:class:`Architecture`, ``str`` gives the text back.  Layers are parted by blanks, ``;`` or ``→``.
"""

import hashlib
import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from lib.nas.layers import IDENTITY, KINDS, RATIO, TO_VECTOR, Layer, NetworkError, Shape, Shapes, times

_LAYER = re.compile(r"([A-Za-z]+)\s*\(((?:[^()]|\([^()]*\))*)\)")
_PLACES = re.compile(r"\s*([lL1])\s*\(\s*(-\d{1,9})\s*\)\s*,\s*[lL1]\s*\(\s*(-\d{1,9})\s*\)\s*")
_BETWEEN = re.compile(r"(\s|;|,|→|->)*")
_WINDOW = 60  # characters
MOST = 1000  # layers


class NotationError(NetworkError):
    """A text that is no architecture; the message shows the text and points at the layer."""

    def __init__(self, what: str, text: str, position: int) -> None:
        shown = max(position - _WINDOW, 0)  # of a long text the part around the place
        part = text[shown : position + _WINDOW]
        super().__init__(f"{what}, at character {position + 1}:\n  {part}\n  {' ' * (position - shown)}^")


@dataclass(frozen=True)
class Architecture:
    """A network as a tuple of layers (:mod:`lib.nas.layers`), checked when made.

    Raises
    ------
    NetworkError
        Unless it is maps, one ``F()`` or ``GAP()``, then one or more ``FC``, every ``Concat`` points
        at two earlier layers, and every layer is read by a later one.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        vector, read = False, set[int]()
        for index, layer in enumerate(self.layers):
            read.update(layer.reads(index))
            if layer.symbol == "Concat" and not all(0 <= place < index for place in layer.numbers):
                raise NetworkError("Concat points outside the layers before it", index)
            if (layer.symbol == "FC") != vector:
                raise NetworkError("FC takes a vector, all others a map: FC follows F() or GAP(), and only FC", index)
            vector |= layer.symbol in TO_VECTOR
        if not self.layers or self.layers[-1].symbol != "FC":
            raise NetworkError("the last layer must be FC(number of classes)", len(self) - 1)
        if unread := set(range(len(self) - 1)) - read:
            # Keras would leave it out of the model, and its parameters out of the count.
            where = min(unread)
            raise NetworkError(f"no layer reads the output of this {self.layers[where].symbol}", where)

    def __str__(self) -> str:
        return " ".join(self.texts)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def texts(self) -> list[str]:
        """The text of each layer."""
        return [layer.text(len(self)) for layer in self.layers]

    def run(self, net, x: Any) -> Iterator[Any]:
        """The output of each layer for the input ``x`` on ``net``: ``Shapes`` or :class:`lib.nas.build.Tensors`."""
        outputs = {-1: x}
        for index, layer in enumerate(self.layers):
            net.layer, net.last = index, index == len(self) - 1
            try:
                inputs = [outputs[place] for place in layer.reads(index)]
                outputs[index] = KINDS[layer.symbol](net, *inputs, *layer.numbers)
            except NetworkError as error:
                raise NetworkError(f"{error} (layer {index + 1}, {self.texts[index]}, of {self})", index) from None
            yield outputs[index]

    def shapes(self, input_shape: Shape) -> list[Shape]:
        """The shape behind every layer for images of ``input_shape`` (height, width, channels)."""
        return list(self.run(Shapes(), tuple(input_shape)))

    def count_params(self, input_shape: Shape) -> int:
        """Number of weights, equal to Keras' ``count_params()`` of the built model."""
        return int(self.describe(input_shape).parameters["total"])

    def describe(self, input_shape: Shape) -> pd.DataFrame:
        """One row per layer: ``layer``, ``shape`` behind it, ``parameters``, ``multiply_adds``; the last is the sum."""
        net = Shapes()
        layers = zip(self.texts, self.run(net, tuple(input_shape)), strict=True)
        rows = [(text, times(shape), net.parameters[net.layer], net.multiply_adds[net.layer]) for text, shape in layers]
        frame = pd.DataFrame(rows, range(1, len(self) + 1), ["layer", "shape", "parameters", "multiply_adds"])
        frame.loc["total"] = ["", "", *frame[["parameters", "multiply_adds"]].sum()]
        return frame

    def build(self, input_shape: Shape, l2: float = 0.0):
        """The untrained Keras model: images (batch, height, width, channels) in, probabilities (batch, classes) out.

        ``l2`` is the factor of the squared kernels that the loss adds (III-B: 0.02).
        """
        import keras  # counting and parsing work without loading Keras

        from lib.nas.build import Tensors

        self.shapes(input_shape)  # names the layer that does not fit
        images = keras.Input(input_shape, name="images")
        *_, probabilities = self.run(Tensors(l2), images)
        return keras.Model(images, probabilities, name="architecture")

    @cached_property
    def flat(self) -> int:
        """Position of the ``F()`` or ``GAP()``: where the maps end."""
        return next(index for index, layer in enumerate(self.layers) if layer.symbol in TO_VECTOR)

    @cached_property
    def canonical(self) -> "Architecture":
        """The same network in its plainest spelling; structural duplicates have one.

        Identity poolings are left out (but a first layer, which a Concat may join), and a Concat's two
        places are in ascending order: another order only renumbers channels.
        """
        kept, place_of = list[Layer](), {-1: -1}
        for index, layer in enumerate(self.layers):
            if index == 0 or layer != IDENTITY:
                kept.append(layer.reading(sorted(place_of[place] for place in layer.reads(index))))
            place_of[index] = len(kept) - 1
        return Architecture(tuple(kept))

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that structural duplicates have in common."""
        return hashlib.sha256(str(self.canonical).encode()).hexdigest()[:12]

    def change(self, start: int, stop: int, *new: Layer) -> "Architecture":
        """With ``new`` layers in the place of those from ``start`` to before ``stop``; a Concat joins the same maps."""
        more = len(new) + start - stop
        layers = [
            layer.reading(place + more * (place >= stop) for place in layer.reads(index))
            for index, layer in enumerate(self.layers)
        ]
        return Architecture((*layers[:start], *new, *layers[stop:]))


def parse(text: str) -> Architecture:
    """The architecture that ``text`` describes.

    Raises
    ------
    NotationError
        For an unknown layer, wrong numbers or an impossible order; points at the layer.
    """
    found, at = list[re.Match[str]](), 0
    while (between := _BETWEEN.match(text, at)) and ((at := between.end()) < len(text) or not found):
        match = _LAYER.match(text, at)
        if not match or match[1] not in KINDS:
            raise NotationError(f"expected a layer such as C(64,3); known: {', '.join(KINDS)}", text, at)
        if len(found) == MOST:
            raise NotationError(f"more than {MOST} layers", text, at)
        found.append(match)
        at = match.end()
    try:
        return Architecture(tuple(_layer(match, index, len(found)) for index, match in enumerate(found)))
    except NetworkError as error:
        raise NotationError(str(error), text, found[error.layer].start()) from None


def _layer(match: re.Match[str], index: int, total: int) -> Layer:
    """The layer of a name and what is in its parentheses; a Concat's places become positions from the start."""
    name, inside = match.groups()
    if name == "Concat":
        if not inside.replace(",", " ").strip():
            return Layer(name, (index - 1, index - 2), form="")
        if not (places := _PLACES.fullmatch(inside)):
            raise NetworkError("Concat joins two layers, counted from the end: Concat(l(-4),l(-5))", index)
        form, *ends = places.groups()
        return Layer(name, tuple(total + int(end) for end in ends), form.lower())
    texts, kind = inside.replace(",", " ").split(), inspect.signature(KINDS[name])
    with suppress(TypeError):  # too few or too many
        kind.bind(None, None, *texts)
        if all(re.fullmatch("0*[1-9][0-9]{0,8}", text) for text in texts):
            numbers = tuple(map(int, texts))
            return Layer(name, numbers[:6] if name == "SEIB" and numbers[6:] == (RATIO,) else numbers)
    wanted = ", ".join(list(kind.parameters)[2:])
    raise NetworkError(f"{name} takes whole numbers from 1: {wanted or 'none'}", index)
