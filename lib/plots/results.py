"""Figures of notebook 09: printed values beside intervals found here."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.plots.style import BLUE, VERMILION, grid


def intervals(panels: Mapping[str, pd.DataFrame], zero: bool = True) -> Figure:
    """One panel per table, one line per row: value and 95 % interval found here, and the printed value as a cross.

    Parameters
    ----------
    panels : by the label of the horizontal axis; columns ``number``, ``low``, ``high`` and ``printed``, index:
        text of each line.  NaN is left out.
    zero : whether a vertical line marks zero in the first panel.
    """
    longest = max(len(table) for table in panels.values())
    figure, axes = grid(1, len(panels), 8, 1.0 + 0.4 * longest)
    for cell, (label, table) in zip(axes[0], panels.items(), strict=True):
        rows = np.arange(len(table))[::-1]
        ends = np.abs(table[["low", "high"]].sub(table["number"], axis=0)).to_numpy().T
        cell.errorbar(
            table["number"], rows, xerr=ends, fmt="o", color=BLUE, ms=5, capsize=2, label="here, 95 % interval"
        )
        cell.plot(table["printed"], rows, "x", color=VERMILION, ms=7, mew=2, label="printed")
        cell.set_yticks(rows, [textwrap.fill(text, 48) for text in table.index])
        cell.set_ylim(-0.6, len(table) - 0.4)
        cell.set_xlabel(label)
        cell.grid(axis="x", alpha=0.3)
    if zero:
        axes[0, 0].axvline(0, color="0.4", lw=0.8)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
