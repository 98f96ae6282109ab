"""Figures of the architecture search; :mod:`lib.nas.drawing` draws single networks."""

import pandas as pd
import seaborn as sns
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, Formatter, LogLocator, NullFormatter

from lib.core import words
from lib.nas.experiments import STRATEGIES
from lib.nas.transforms import NAMES
from lib.plots.style import BLUE, GREY, VERMILION, label_points, single, with_data


@with_data
def tree(frame: pd.DataFrame, title: str = "") -> Figure | None:
    """The models of one search as in Fig. 4: one row per iteration; filled boxes were selected; None without models."""
    colours = dict(zip(("initial", *NAMES), sns.color_palette(), strict=False))
    height = frame.iteration.nunique()
    figure, axes = single(1.1 * height + 0.8)
    places: dict[str, tuple[float, float]] = {}
    for level, rows in frame.groupby("iteration"):
        # Children stand in the order of their parents, so that fewer lines cross.
        ordered = sorted(rows.itertuples(), key=lambda row: places.get(row.parent, (0, 0)))
        for number, row in enumerate(ordered):
            places[row.name] = x, y = (number + 0.5) / len(rows), -level
            chosen = row.selected or not row.parent
            above = places.get(row.parent, (x, y))
            axes.plot(
                (above[0], x), (above[1] - 0.2, y + 0.2), color=colours[row.transformation], linewidth=1, zorder=0
            )
            box = {"boxstyle": "round,pad=0.3", "edgecolor": colours[row.transformation]}
            box |= {"facecolor": "#FFF3D6", "linewidth": 2.2} if chosen else {"facecolor": "white"}
            text = f"{row.name}\n{row.accuracy:.3f}\n{EngFormatter(places=0, sep=' ')(row.parameters)}"
            axes.text(x, y, text.replace("nan", "failed"), ha="center", va="center", fontsize=8, bbox=box)
    handles = [Line2D([], [], color=colour, label=words.spelt(name)) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    axes.set(xlim=(0, 1), ylim=(0.5 - height, 0.5), title=title)
    axes.set_axis_off()
    return figure


@with_data
def fronts(models: pd.DataFrame, printed: pd.DataFrame) -> Figure | None:
    """Validation accuracy over parameters of all models, by ``strategy`` and ``seed``; lines are Pareto fronts.

    ``printed`` are ``accuracy`` (of test images) and ``parameters`` from the paper.  None without models.
    """
    done = models[models.status == "ok"].reset_index()
    figure, axes = single(3.2)
    shared = {"x": "parameters", "y": "accuracy", "hue": "strategy", "hue_order": STRATEGIES, "ax": axes}
    sns.scatterplot(done, alpha=0.5, linewidth=0, **shared)
    lines = {"units": "seed", "estimator": None, "drawstyle": "steps-post", "legend": False}
    sns.lineplot(done[done.pareto], linewidth=1, **lines, **shared)
    axes.plot(printed.parameters.astype(float), printed.accuracy, "kx", label="paper, test images")
    axes.set(xscale="log", ylabel="validation accuracy")
    _ticks(axes.xaxis, EngFormatter(sep=" "))
    axes.legend()
    return figure


def error_over_size(table: pd.DataFrame) -> Figure:
    """Test error over parameters of :func:`lib.nas.tables.small_networks`; bars are 95 % intervals."""
    rows = table.astype(float).reset_index()
    rows[["error", "most", "least"]] = 100 * (1 - rows[["accuracy", "low", "high"]])
    figure, axes = single(3.4)
    look = {"palette": {"here": VERMILION, "paper": BLUE, "elsewhere": GREY}, "s": 40}
    sns.scatterplot(rows, x="parameters", y="error", hue="source", style="source", ax=axes, **look)
    bars = rows.dropna(subset="least")[["parameters", "least", "most"]].to_numpy()
    axes.vlines(*bars.T, color=VERMILION)
    axes.set(xscale="log", yscale="log", ylabel="test error / %", xlim=(None, 2 * axes.get_xlim()[1]))
    _ticks(axes.xaxis, EngFormatter(sep=" "))
    _ticks(axes.yaxis, "{x:g}")
    label_points(axes, rows[["network", "parameters", "error"]].to_numpy(), bars)
    return figure


def _ticks(axis: Axis, form: Formatter | str) -> None:
    """Labels at 1, 2 and 5 of each power of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(form)
    axis.set_minor_formatter(NullFormatter())
