"""Figures of notebook 09: printed values beside intervals found here."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullLocator, PercentFormatter

from lib.evaluation import statistics
from lib.plots.style import BLUE, GREEN, GREY, ORANGE, VERMILION, grid, single, with_data

# How a count of :func:`lib.nas.parameter_counts.counts` is drawn, by its verdict.
_COUNTS = {"match": ("o", GREEN), "explained": ("s", ORANGE), "open": ("D", VERMILION), "no count printed": ("o", GREY)}


@with_data
def intervals(table: pd.DataFrame, label: str) -> Figure | None:
    """One line per row: the value found here with its 95 % interval, and the printed value as a cross; a line at zero.

    Parameters
    ----------
    table : ``number``, ``low``, ``high`` and ``printed`` (NaN is left out), by the text of each line; without
        rows there is no figure.
    label : of the horizontal axis.
    """
    figure, cell = single(1.0 + 0.45 * len(table))
    rows = np.arange(len(table))[::-1]
    ends = np.abs(table[["low", "high"]].sub(table["number"], axis=0)).to_numpy().T
    cell.errorbar(table["number"], rows, xerr=ends, fmt="o", color=BLUE, ms=5, capsize=2, label="here, 95 % interval")
    cell.plot(table["printed"], rows, "x", color=VERMILION, ms=7, mew=2, label="printed")
    cell.set_yticks(rows, [textwrap.fill(text, 36) for text in table.index])
    cell.set(xlabel=label, ylim=(-0.6, len(table) - 0.4))
    cell.grid(axis="x", alpha=0.3)
    cell.axvline(0, color="0.4", lw=0.8)
    figure.legend(loc="outside upper right", ncols=2)
    return figure


@with_data
def counts_and_accuracies(table: pd.DataFrame) -> Figure | None:
    """Paper B: parameters of each network, printed (crosses) and counted, beside its test error, printed and here.

    ``table``: of :func:`lib.pipeline.results.paper_b`; without rows there is no figure.
    """
    figure, ((left, right),) = grid(1, 2, 1.4 + 0.3 * len(table))
    table = table.fillna({"verdict": "no count printed"}).assign(row=np.arange(len(table))[::-1])
    left.hlines(table.row, table.reported, table.computed, color=GREY, lw=1, zorder=0)
    for verdict, (marker, colour) in _COUNTS.items():
        of_it = table[table.verdict == verdict]
        left.plot(of_it.computed, of_it.row, marker, color=colour, ms=7, label=f"{verdict}: {len(of_it)}")
    left.plot(table.reported, table.row, "kx", ms=6, mew=1.5, label="printed")
    left.set(xscale="log", xlabel="parameters (log scale)", ylim=(-0.6, len(table) - 0.4))
    left.set_yticks(table.row, [textwrap.fill(name, 14) for name in table.index])
    left.xaxis.set(major_locator=FixedLocator([5e5, 1e6, 2e6, 3e6]), major_formatter=EngFormatter(sep=" "))
    left.xaxis.set_minor_locator(NullLocator())

    # Errors, not accuracies: on their scale a network that guesses leaves room for the others.
    table[["number", "low", "high", "printed"]] = 1 - table[["number", "high", "low", "printed"]].to_numpy()
    tested = table[table.number.notna()]
    ends = np.abs(tested[["low", "high"]].sub(tested["number"], axis=0)).to_numpy().T
    look = {"fmt": "o", "color": BLUE, "ms": 6, "capsize": 2, "label": "here, 95 % interval"}
    right.errorbar(tested.number, tested.row, xerr=ends, **look)
    testable = table[table.tested != statistics.NOT_TESTABLE]
    right.plot(testable.printed, testable.row, "kx", ms=6, mew=1.5)
    right.set_xscale("log")
    right.margins(x=0.15)
    least, most = right.get_xlim()
    look = {"textcoords": "offset points", "va": "center", "fontsize": 7, "color": "0.35"}
    for row in table[table.number.isna()].itertuples():
        x, text = row.printed, row.tested
        if row.Index not in testable.index:  # no cross
            x = least
        away, side = (7, "left") if x * x < least * most else (-7, "right")  # where there is more room
        right.annotate(text, (x, row.row), (away, 0), ha=side, **look)
    right.set(xlabel="test error (log scale)", yticks=[], ylim=left.get_ylim())
    right.xaxis.set(major_locator=LogLocator(subs=[1, 3]), major_formatter=PercentFormatter(1, decimals=0, symbol=" %"))
    right.xaxis.set_minor_locator(NullLocator())
    for cell in (left, right):
        cell.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
