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
    """One row per network: layers as boxes with the shape behind each and its parameters; arcs are Concats."""
    width = max(map(len, networks.values()))
    figure = Figure(figsize=(1.15 * width + 2.3, 1.05 * len(networks) + 0.3), layout="constrained")
    axes = figure.subplots()
    for row, (name, network) in enumerate(networks.items()):
        y, table = -1.2 * row, network.describe(input_shape)
        axes.text(-1.4, y, f"{name}\n{table.parameters['total']:,}", ha="center", va="center", fontsize=9)
        _box(axes, 0, y, "images", times(input_shape), "white")
        for x, (layer, cost) in enumerate(zip(network.layers, table.itertuples(), strict=False), start=1):
            below = f"{cost.shape}\n{cost.parameters:,}" if cost.parameters else cost.shape
            _box(axes, x, y, cost.layer, below, _COLOURS[layer.symbol])
            for place in layer.reads(x - 1):  # the images are box 0, so its box is one further
                far = place + 1 < x - 1
                ends = ((x, y + 0.2), (place + 1, y + 0.2)) if far else ((x - 0.42, y), (x - 0.58, y))
                style = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", ends[0], ends[1], arrowprops=style | {"connectionstyle": f"arc3,rad={-0.3 * far}"})
    axes.set(xlim=(-2, width + 0.5), ylim=(-1.2 * len(networks) + 0.6, 0.6))
    axes.set_axis_off()
    return figure


def _box(axes: Axes, x: float, y: float, text: str, below: str, colour: str | tuple) -> None:
    form = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch((x - 0.42, y - 0.2), 0.84, 0.4, form, fc=colour, ec="black", lw=0.8))
    axes.text(x, y, textwrap.fill(text.replace(",", ", "), 15), ha="center", va="center", fontsize=7)
    axes.text(x, y - 0.23, below, ha="center", va="top", fontsize=7)
