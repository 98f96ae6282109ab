"""Figures of the architecture search."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from lib.nas.layers import Concat, Shape
from lib.nas.notation import Architecture
from lib.plots.style import label_points, tidy

# Okabe and Ito's palette, one colour a kind of layer.
_COLOURS = {
    "C": "#56B4E9",
    "CN": "#56B4E9",
    "P": "#DDDDDD",
    "IB": "#009E73",
    "SEIB": "#E69F00",
    "AT": "#CC79A7",
    "Concat": "#F0E442",
    "F": "#FFFFFF",
    "GAP": "#FFFFFF",
    "FC": "#D55E00",
}
_TRANSFORMATIONS = {
    "initial": "#000000",
    "add_layer": "#56B4E9",
    "add_block": "#E69F00",
    "widen": "#009E73",
    "concat": "#CC79A7",
}
_STRATEGIES = {"BbNAS": "#0072B2", "random": "#D55E00"}


def draw_networks(networks: Mapping[str, Architecture], input_shape: Shape) -> Figure:
    """One row a network: layers as boxes with the shape behind each and its parameters; arcs are Concats."""
    width = max(map(len, networks.values())) + 1
    figure = Figure(figsize=(1.15 * (width + 1), 1.05 * len(networks) + 0.3), layout="constrained")
    axes = figure.subplots()
    for row, (name, network) in enumerate(networks.items()):
        y = -1.2 * row
        axes.text(-1.4, y, f"{name}\n{network.count_params(input_shape):,}", ha="center", va="center", fontsize=9)
        _box(axes, 0, y, "images", _times(input_shape), "", "#FFFFFF")
        for x, (layer, cost) in enumerate(zip(network.layers, network.costs(input_shape), strict=True), start=1):
            text, shape, parameters, _ = cost
            _box(axes, x, y, text, _times(shape), f"{parameters:,}" if parameters else "", _COLOURS[layer.symbol])
            _arrow(axes, (x - 0.58, y), (x - 0.42, y))
            if isinstance(layer, Concat):
                # Its sources are counted from the images here, which are box 0.
                ends = (min(layer.first, layer.second) + 1, y + 0.2), (x, y + 0.2)
                _arrow(axes, *ends, connectionstyle="arc3,rad=-0.3", color="#777777")
    axes.set_xlim(-2, width - 0.5)
    axes.set_ylim(-1.2 * (len(networks) - 1) - 0.6, 0.6)
    axes.set_axis_off()
    return figure


def tree(frame: pd.DataFrame, title: str = "") -> Figure:
    """The models of one search as in Fig. 4: one row an iteration; filled boxes were selected."""
    levels = frame.groupby("iteration").size()
    width = levels.max() if len(levels) else 1
    figure = Figure(figsize=(max(6.0, 1.15 * width), 1.25 * len(levels) + 0.6), layout="constrained")
    axes = figure.subplots()
    places: dict[str, tuple[float, int]] = {}
    for level, rows in frame.groupby("iteration"):
        # Children stand in the order of their parents, so that fewer lines cross.
        ordered = sorted(zip(rows.parent, rows.name, strict=True), key=lambda row: places.get(row[0], (0, 0))[0])
        places |= {name: ((index + 0.5) * width / len(rows), -level) for index, (_, name) in enumerate(ordered)}
    for row in frame.itertuples():
        x, y = places[row.name]
        colour = _TRANSFORMATIONS[row.transformation]
        if row.parent in places:
            px, py = places[row.parent]
            axes.plot([px, x], [py, y], color=colour, linewidth=1, zorder=0)
        chosen = row.selected or row.transformation == "initial"
        accuracy = f"{row.accuracy:.3f}" if row.status == "ok" else "failed"
        face, edge = ("#FFF3D6", 2.2) if chosen else ("white", 1)
        box = {"boxstyle": "round,pad=0.3", "facecolor": face, "edgecolor": colour, "linewidth": edge}
        text = f"{row.name}\n{accuracy}\n{EngFormatter(places=0, sep=' ')(row.parameters)}"
        axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
    for name, colour in _TRANSFORMATIONS.items():
        axes.plot([], [], color=colour, label=name)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    axes.set_xlim(0, width)
    axes.set_ylim(-max(len(levels), 1) + 0.5, 0.5)
    axes.set_axis_off()
    axes.set_title(title, fontsize=9)
    return figure


def fronts(frames: Mapping[tuple[str, int], pd.DataFrame], printed: pd.DataFrame) -> Figure:
    """Validation accuracy over parameters of all models, by strategy and seed; lines are Pareto fronts.

    ``printed`` are ``accuracy`` (of test images) and ``parameters`` from the paper.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for (strategy, _), frame in frames.items():
        colour, done = _STRATEGIES[strategy], frame[frame.status == "ok"]
        axes.scatter(done.parameters, done.accuracy, s=18, color=colour, alpha=0.5, linewidths=0)
        front = done[done.pareto].sort_values("parameters")
        axes.step(front.parameters, front.accuracy, where="post", color=colour, linewidth=1)
    for name, colour in _STRATEGIES.items():
        axes.plot([], [], "o-", color=colour, label=name)
    axes.plot(printed.parameters.astype(float), printed.accuracy, "kx", label="printed, test images")
    _count_parameters(axes)
    axes.set_ylabel("validation accuracy")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    return figure


def error_over_size(table: pd.DataFrame) -> Figure:
    """Test error over parameters of :func:`lib.nas.tables.small_networks`; bars are 95 % intervals."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    colours = {"here": "#D55E00", "paper": "#0072B2", "elsewhere": "#999999"}
    error = 100 * (1 - table[["accuracy", "low", "high"]].astype(float))
    for source, colour in colours.items():
        rows = table.index.get_level_values("source") == source
        axes.plot(
            table.parameters[rows].astype(float),
            error.accuracy[rows],
            "o" if source == "here" else "x",
            color=colour,
            label=source,
        )
    bars = [
        (size, high, low) for size, low, high in zip(table.parameters, error.low, error.high, strict=True) if low > 0
    ]
    for size, low, high in bars:
        axes.plot([size, size], [low, high], color=colours["here"], linewidth=1.5)
    _count_parameters(axes)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(right=axes.get_xlim()[1] * 2)
    axes.set_ylabel("test error / %")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    names = table.index.get_level_values("network")
    label_points(axes, list(zip(names, table.parameters.astype(float), error.accuracy, strict=True)), bars)
    return figure


def _count_parameters(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("parameters")


def _box(axes: Axes, x: float, y: float, text: str, shape: str, parameters: str, colour: str) -> None:
    form = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch((x - 0.42, y - 0.2), 0.84, 0.4, form, fc=colour, ec="black", lw=0.8))
    parts = text.split(",")
    lines = text if len(text) <= 12 else ",".join(parts[: len(parts) // 2]) + ",\n" + ",".join(parts[len(parts) // 2 :])
    axes.text(x, y, lines, ha="center", va="center", fontsize=7)
    axes.text(x, y - 0.23, shape, ha="center", va="top", fontsize=7)
    axes.text(x, y - 0.38, parameters, ha="center", va="top", fontsize=7, color="#555555")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0, **style))


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
