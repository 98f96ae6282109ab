"""Figures of notebook 09: printed values beside intervals found here."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.plots.style import BLUE, VERMILION, single, with_data


@with_data
def intervals(table: pd.DataFrame, label: str, zero: bool = True) -> Figure | None:
    """One line per row: the value found here with its 95 % interval, and the printed value as a cross.

    Parameters
    ----------
    table : ``number``, ``low``, ``high`` and ``printed`` (NaN is left out), by the text of each line; without
        rows there is no figure.
    label : of the horizontal axis.
    zero : whether a vertical line marks zero.
    """
    figure, cell = single(8, 1.0 + 0.4 * len(table))
    rows = np.arange(len(table))[::-1]
    ends = np.abs(table[["low", "high"]].sub(table["number"], axis=0)).to_numpy().T
    cell.errorbar(table["number"], rows, xerr=ends, fmt="o", color=BLUE, ms=5, capsize=2, label="here, 95 % interval")
    cell.plot(table["printed"], rows, "x", color=VERMILION, ms=7, mew=2, label="printed")
    cell.set_yticks(rows, [textwrap.fill(text, 48) for text in table.index])
    cell.set(xlabel=label, ylim=(-0.6, len(table) - 0.4))
    cell.grid(axis="x", alpha=0.3)
    if zero:
        cell.axvline(0, color="0.4", lw=0.8)
    figure.legend(*cell.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
