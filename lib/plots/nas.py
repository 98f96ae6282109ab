"""Figures of the architecture search; every function takes what a search returned and returns a figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
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


def draw_architecture(architecture: Architecture, input_shape: Shape, columns: int = 7) -> Figure:
    """Layers as boxes in reading order, with the shape behind each and its parameters; arcs are Concats."""
    costs = architecture.costs(input_shape)
    rows = -(-(len(costs) + 1) // columns)
    figure = Figure(figsize=(1.55 * min(columns, len(costs) + 1) + 0.3, 1.45 * rows + 0.3), layout="constrained")
    axes = figure.subplots()
    centres = [(place % columns, -1.25 * (place // columns)) for place in range(len(costs) + 1)]
    _box(axes, centres[0], "images", _times(input_shape), "", "#FFFFFF")
    for place, (layer, (text, shape, parameters, _)) in enumerate(
        zip(architecture.layers, costs, strict=True), start=1
    ):
        lines = text.replace("(", "\n(", 1) if len(text) > 11 else text
        _box(
            axes, centres[place], lines, _times(shape), f"{parameters:,}" if parameters else "", _COLOURS[layer.symbol]
        )
        if isinstance(layer, Concat):
            # Its sources are counted from the images here, which are box 0.
            _arc(axes, centres[min(layer.first, layer.second) + 1], centres[place])
            if place - 2 not in (layer.first, layer.second):
                continue
        _arrow(axes, centres[place - 1], centres[place])
    axes.set_xlim(-0.55, min(columns, len(costs) + 1) - 0.45)
    arcs = any(isinstance(layer, Concat) for layer in architecture.layers)
    axes.set_ylim(-1.25 * (rows - 1) - 0.6, 0.75 if arcs else 0.3)
    axes.set_axis_off()
    axes.set_title(f"{architecture.count_params(input_shape):,} parameters", fontsize=9)
    return figure


def tree(frame: pd.DataFrame, title: str = "") -> Figure:
    """The models of one search as in Fig. 4: one row an iteration, thick borders for those that live on."""
    levels = frame.groupby("iteration").name.apply(list)
    width = max(len(names) for names in levels)
    figure = Figure(figsize=(max(6.0, 1.15 * width), 1.25 * len(levels) + 0.6), layout="constrained")
    axes = figure.subplots()
    places = {
        name: ((index + 0.5) * width / len(names), -level)
        for level, names in levels.items()
        for index, name in enumerate(names)
    }
    for row in frame.itertuples():
        x, y = places[row.name]
        if row.parent in places:
            px, py = places[row.parent]
            axes.plot([px, x], [py - 0.24, y + 0.24], color=_TRANSFORMATIONS[row.transformation], linewidth=1, zorder=0)
        told = f"{row.accuracy:.3f}" if row.status == "ok" else "failed"
        chosen = row.parent_of_next or row.transformation == "initial"
        axes.text(
            x,
            y,
            f"{row.name}\n{told}\n{_short(row.parameters)}",
            ha="center",
            va="center",
            fontsize=7,
            bbox={
                "boxstyle": "round,pad=0.3",
                "facecolor": "#FFF3D6" if chosen else "white",
                "edgecolor": _TRANSFORMATIONS[row.transformation],
                "linewidth": 2.2 if chosen else 1,
            },
        )
    for name, colour in _TRANSFORMATIONS.items():
        axes.plot([], [], color=colour, label=name)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7, frameon=False)
    axes.set_xlim(0, width)
    axes.set_ylim(-levels.index.max() - 0.5, 0.5)
    axes.set_axis_off()
    axes.set_title(title, fontsize=9)
    return figure


def fronts(frames: dict[str, pd.DataFrame], reported: pd.DataFrame | None = None) -> Figure:
    """Validation accuracy over parameters for several searches, the Pareto front of each as a line.

    ``reported`` (``accuracy``, ``parameters``) are printed results, drawn as crosses.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    colours = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#999999", "#D55E00")
    for (name, frame), colour in zip(frames.items(), colours, strict=False):
        done = frame[frame.status == "ok"]
        axes.scatter(done.parameters, done.accuracy, s=22, color=colour, alpha=0.6, label=name)
        front = done[done.pareto].sort_values("parameters")
        axes.step(front.parameters, front.accuracy, where="post", color=colour, linewidth=1)
    if reported is not None:
        axes.scatter(reported.parameters, reported.accuracy, marker="x", color="black", label="printed in the paper")
    _count_parameters(axes)
    axes.set_ylabel("accuracy (ours: validation)")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    return figure


def time_line(frames: dict[str, pd.DataFrame]) -> Figure:
    """When each child was trained, one panel a search; a gap is an interruption or another search's turn."""
    figure = Figure(figsize=(8, 0.5 + 1.7 * len(frames)), layout="constrained")
    for axes, (name, frame) in zip(figure.subplots(len(frames), squeeze=False)[:, 0], frames.items(), strict=True):
        start = frame.began.min()
        for lane, row in enumerate(frame.sort_values("began").itertuples()):
            colour = _TRANSFORMATIONS[row.transformation]
            axes.barh(lane, row.seconds / 60, left=(row.began - start) / 60, color=colour, height=0.8)
            axes.text((row.began - start + row.seconds) / 60, lane, f" {row.name}", va="center", fontsize=6)
        axes.set_yticks([])
        axes.set_title(name, fontsize=8, loc="left")
        tidy(axes)
    axes.set_xlabel("minutes since the first child began")
    handles = [Patch(color=colour, label=name) for name, colour in _TRANSFORMATIONS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7, frameon=False)
    return figure


def best_so_far(runs: dict[str, Sequence[pd.DataFrame]]) -> Figure:
    """Best validation accuracy after so many trained models, a line a search: what selection gains over chance."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for (name, frames), colour in zip(runs.items(), ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=False):
        for number, frame in enumerate(frames):
            reached = frame.accuracy.fillna(0).cummax()
            axes.step(
                np.arange(1, len(reached) + 1), reached, where="post", color=colour, label=name if number == 0 else None
            )
    axes.set_xlabel("models trained")
    axes.set_ylabel("best validation accuracy")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    return figure


def accuracies(table: pd.DataFrame, reference: float | None = None) -> Figure:
    """Test accuracies with 95 % intervals (columns ``accuracy``, ``low``, ``high``, ``majority``), a row each.

    The grey bar reaches to the majority class's share: what a model without any skill scores.
    """
    figure = Figure(figsize=(7, 0.9 + 0.42 * len(table)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    axes.barh(places, table.majority, color="#DDDDDD", label="majority class")
    errors = np.abs(table[["low", "high"]].T.to_numpy(float) - table.accuracy.to_numpy(float))
    axes.errorbar(table.accuracy.astype(float), places, xerr=errors, fmt="o", color="#0072B2", capsize=3, label="test")
    if "reported" in table:
        axes.plot(table.reported.astype(float), places, "kx", label="printed in the paper")
    if reference is not None:
        axes.axvline(reference, color="black", linewidth=0.8, linestyle=":")
    labels = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in table.index]
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlabel("accuracy")
    axes.set_xlim(right=1.02)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    tidy(axes)
    return figure


def accuracy_over_size(table: pd.DataFrame) -> Figure:
    """Test error over parameters; rows with ``low`` and ``high`` are ours and get an interval, others are printed."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, row in table.iterrows():
        ours = not np.isnan(row.get("low", np.nan))
        colour = "#D55E00" if ours else "#0072B2" if str(name).startswith("reported") else "#999999"
        if ours:
            axes.plot([row.parameters] * 2, [100 * (1 - row.low), 100 * (1 - row.high)], color=colour, linewidth=1.5)
        error = 100 * (1 - row.accuracy)
        axes.plot(row.parameters, error, "o" if ours else "x", color=colour)
    _count_parameters(axes)
    axes.set_yscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 2)
    axes.set_ylabel("test error / %")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    tidy(axes)
    points = [(str(name).split(": ")[-1], row.parameters, 100 * (1 - row.accuracy)) for name, row in table.iterrows()]
    bars = [(row.parameters, 100 * (1 - row.high), 100 * (1 - row.low)) for _, row in table.iterrows() if "low" in row]
    label_points(axes, points, [bar for bar in bars if not np.isnan(bar).any()])
    return figure


def _count_parameters(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("parameters")


def _box(axes: Axes, centre: tuple[float, float], text: str, shape: str, parameters: str, colour: str) -> None:
    x, y = centre
    axes.add_patch(
        FancyBboxPatch((x - 0.42, y - 0.2), 0.84, 0.4, "round,pad=0,rounding_size=0.06", fc=colour, ec="black", lw=0.8)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=6.5)
    axes.text(x, y - 0.24, shape, ha="center", va="top", fontsize=6.5)
    axes.text(x, y - 0.37, parameters, ha="center", va="top", fontsize=6.5, color="#555555")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    if start[1] != end[1]:  # to the next row
        points = [(start[0] + 0.42, start[1]), (start[0] + 0.5, start[1])]
        points += [(start[0] + 0.5, end[1] + 0.42), (end[0] - 0.5, end[1] + 0.42), (end[0] - 0.5, end[1])]
        axes.plot(*zip(*points, strict=True), color="black", linewidth=0.8)
        start = (end[0] - 0.92, end[1])
    axes.add_patch(
        FancyArrowPatch((start[0] + 0.42, start[1]), (end[0] - 0.42, end[1]), arrowstyle="-|>", mutation_scale=7)
    )


def _arc(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    options = {"arrowstyle": "-|>", "mutation_scale": 7, "color": "#777777"}
    if start[1] == end[1]:
        ends = (start[0], start[1] + 0.2), (end[0], end[1] + 0.2)
        axes.add_patch(FancyArrowPatch(*ends, connectionstyle="arc3,rad=-0.25", **options))
    else:
        ends = (start[0] - 0.2, start[1] - 0.2), (end[0] + 0.1, end[1] + 0.2)
        axes.add_patch(FancyArrowPatch(*ends, linestyle="--", **options))


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _short(count: float) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"
