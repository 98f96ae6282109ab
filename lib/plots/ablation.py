"""Figures of notebooks 02 to 05: the tuning loop's path, gain against mask quality, accuracy against cost."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.plots.style import CLASS_COLOURS, grid, label_points, tidy

_DOT, _MARK = CLASS_COLOURS["benign"], CLASS_COLOURS["malignant"]


def gain_against_dice(rounds: pd.DataFrame) -> Figure | None:
    """Accuracy gained by the mask in each round and backbone against the lesion Dice of its test part.

    ``rounds``: one column per backbone and ``dice``, one row per round; None without rows.
    """
    if rounds.dropna(subset=["dice"]).drop(columns="dice").empty or rounds.columns.size < 2:
        return None
    figure, axes = grid(1, 1, 6.4, 3.8)
    cell = axes[0, 0]
    cell.axhline(0, color="0.7", lw=1)
    long = rounds.melt("dice", var_name="backbone", value_name="gain")
    sns.scatterplot(long, x="dice", y="gain", hue="backbone", palette="colorblind", s=40, ax=cell)
    cell.set(xlabel="mean Dice of the test part's lesions", ylabel="accuracy, image+mask less image")
    cell.margins(x=0.1, y=0.1)
    cell.legend()
    tidy(cell)
    return figure


def tuning_path(path: pd.DataFrame) -> Figure | None:
    """Loss of each configuration in the order tried; kept changes filled, the lowest so far as a line."""
    if path.empty:
        return None
    figure, axes = grid(1, 1, 6.4, 3.8)
    cell, steps = axes[0, 0], np.arange(len(path))
    cell.step(steps, path.best, where="post", color="0.6", lw=1)
    cell.scatter(steps[~path.kept], path.loss[~path.kept], s=26, facecolors="none", edgecolors=_DOT)
    cell.scatter(steps[path.kept], path.loss[path.kept], s=30, color=_MARK, zorder=3)
    labels = [f"{row.component} {row.choice}".strip() for row in path.itertuples()]
    cell.set_xticks(steps, labels, rotation=60, ha="right", fontsize=7)
    cell.set(ylabel="validation cross-entropy / nats")
    tidy(cell)
    return figure


def accuracy_against_cost(accuracy: pd.DataFrame, costs: pd.Series) -> Figure | None:
    """Accuracy of each backbone against its multiply-adds per image: printed (crosses) and here (dots, SD over rounds).

    Parameters
    ----------
    accuracy : by backbone ``paper``, ``here`` and ``sd``, NaN where there is none.
    costs : multiply-adds by backbone; others are left out.
    """
    table = accuracy.assign(cost=costs / 1e9).dropna(subset=["cost"])
    if table.empty:
        return None
    figure, axes = grid(1, 1, 7.0, 4.2)
    cell = axes[0, 0]
    cell.scatter(table.cost, table.paper, marker="x", color="0.55", label="printed")
    here = table.dropna(subset=["here"]).fillna({"sd": 0})
    cell.errorbar(here.cost, here.here, here.sd, fmt="o", color=_DOT, label="here")
    cell.set(xscale="log", xlabel="multiply-adds per image / 10⁹", ylabel="test accuracy (image, raw pixels)")
    cell.margins(x=0.12, y=0.08)
    figure.legend(fontsize=8, frameon=False, loc="outside upper right", ncols=2)
    tidy(cell)
    bars = [(row.cost, row.here - row.sd, row.here + row.sd) for row in here.itertuples()]
    label_points(cell, [(row.Index, row.cost, row.paper) for row in table.itertuples()], bars)
    return figure
