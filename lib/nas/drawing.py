"""Architectures as pictures; :mod:`lib.plots` has the figures of searches."""

import textwrap
from collections.abc import Mapping

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lib.nas.layers import KINDS, Shape, times
from lib.nas.notation import Architecture

_COLOURS = dict(zip(KINDS, colormaps["Set3"](range(12)), strict=False))


def draw_networks(networks: Mapping[str, Architecture], input_shape: Shape) -> Figure:
    """One column per network: layers as boxes with the shape behind each and its parameters; arcs are Concats."""
    height = max(map(len, networks.values())) + 1
    figure = Figure(figsize=(1.02 * len(networks) + 0.2, 0.68 * height + 0.5), layout="constrained")
    axes = figure.subplots()
    for x, (name, network) in enumerate(networks.items()):
        table = network.describe(input_shape)
        title = name.replace(": ", "\n") + f"\n{table.parameters['total']:,}"
        axes.text(x, 0.5, title.strip(), ha="center", va="bottom", fontsize=8)
        _box(axes, x, 0, "images", times(input_shape), "white")
        for row, (layer, cost) in enumerate(zip(network.layers, table.itertuples(), strict=False), start=1):
            below = f"{cost.shape}\n{cost.parameters:,}" if cost.parameters else cost.shape
            _box(axes, x, -row, cost.layer, below, _COLOURS[layer.symbol])
            for place in layer.reads(row - 1):  # the images are box 0, so its box is one further
                far = place + 1 < row - 1
                end, begin = ((x + 0.4, -row), (x + 0.4, -place - 1)) if far else ((x, 0.4 - row), (x, 0.6 - row))
                style = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
                axes.annotate("", end, begin, arrowprops=style | {"connectionstyle": f"arc3,rad={-0.1 * far}"})
    axes.set(xlim=(-0.5, len(networks) - 0.3), ylim=(0.5 - height, 1.1))
    axes.set_axis_off()
    return figure


def _box(axes: Axes, x: float, y: float, text: str, below: str, colour: str | tuple) -> None:
    form = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch((x - 0.4, y - 0.4), 0.8, 0.8, form, fc=colour, ec="black", lw=0.6))
    lines = f"{textwrap.fill(text.replace(',', ', '), 15)}\n{below}"
    axes.text(x, y, lines, ha="center", va="center", fontsize=6.5, linespacing=1.1)
