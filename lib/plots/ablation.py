"""Figures of notebooks 02 to 05: accuracy by input, gain by mask quality, accuracy by cost, the tuning loop's path."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.core import words
from lib.plots.style import CLASS_COLOURS, label_points, single, with_data
from lib.reported.two_stage import BACKBONE

_DOT, _MARK = CLASS_COLOURS["benign"], CLASS_COLOURS["malignant"]


def gain_against_dice(rounds: pd.DataFrame) -> Figure | None:
    """Accuracy gained by the mask in each round and backbone against the lesion Dice of its test part.

    ``rounds``: one column per backbone and ``dice``, one row per round; None without rows.
    """
    if rounds.dropna(subset=["dice"]).drop(columns="dice").empty:
        return None
    figure, cell = single(3.2)
    cell.axhline(0, color="0.7", lw=1)
    long = rounds.melt("dice", var_name="backbone", value_name="gain")
    look = {"hue": "backbone", "style": "backbone", "palette": "colorblind", "s": 40, "alpha": 0.8}
    sns.scatterplot(long, x="dice", y="gain", ax=cell, **look)
    cell.set(xlabel="mean Dice of the test part's lesions", ylabel="accuracy, image+mask minus image")
    cell.margins(x=0.1, y=0.1)
    cell.legend()
    return figure


@with_data
def accuracy_by_input(scored: pd.DataFrame, printed: pd.Series) -> Figure | None:
    """Test accuracy of each round (dots) by input and backbone, their mean (bars) and the printed value (crosses).

    Parameters
    ----------
    scored : columns ``inputs``, ``backbone`` and ``accuracy``, one row per round; None without rows.
    printed : accuracy by input.
    """
    order, names = list(scored["inputs"].unique()), list(scored["backbone"].unique())
    figure, cell = single(1.3 + 0.7 * len(order))
    shared = {"y": "inputs", "x": "accuracy", "hue": "backbone", "order": order, "hue_order": names, "ax": cell}
    sns.stripplot(scored, **shared, dodge=len(names) > 1, palette="colorblind", size=4, alpha=0.7)
    bars = {"marker": "|", "markersize": 11, "linestyle": "none", "palette": ["black"] * len(names)}
    sns.pointplot(scored, **shared, **bars, dodge=0.8 - 0.8 / len(names), errorbar=None, legend=False)
    cell.plot(printed.reindex(order), range(len(order)), "kx", ms=8, mew=2, label=f"printed ({BACKBONE})")
    cell.set(xlabel="test accuracy (bar: mean over rounds)", ylabel="")
    cell.legend([], [], loc="upper left")  # seaborn's
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@with_data
def tuning_path(path: pd.DataFrame) -> Figure | None:
    """Objective of each configuration in the order tried; kept changes filled, the lowest so far as a line.

    Those above one and a half times the first are drawn there.
    """
    figure, cell = single(3.2)
    steps, objective = np.arange(len(path)), path.objective.clip(upper=1.5 * path.objective.iloc[0])
    cell.step(steps, path.best, where="post", color="0.6", lw=1)
    cell.scatter(steps[~path.kept], objective[~path.kept], s=26, facecolors="none", edgecolors=_DOT)
    cell.scatter(steps[path.kept], objective[path.kept], s=30, color=_MARK, zorder=3)
    labels = [f"{words.spelt(row.component)} {row.choice}".strip() for row in path.itertuples()]
    cell.set_xticks(steps, labels, rotation=60, ha="right", fontsize=7)
    cell.set(ylabel=path.attrs["objective"])
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
    figure, cell = single(3.4)
    cell.scatter(table.cost, table.paper, marker="x", color="0.55", label="printed")
    here = table.dropna(subset=["here"]).fillna({"sd": 0})
    cell.errorbar(here.cost, here.here, here.sd, fmt="o", color=_DOT, label="here, ± SD over rounds")
    cell.set(xscale="log", xlabel="multiply-adds per image / 10⁹", ylabel="test accuracy (image, raw pixels)")
    cell.margins(x=0.12, y=0.08)
    figure.legend(loc="outside upper right", ncols=2)
    bars = [(row.cost, row.here - row.sd, row.here + row.sd) for row in here.itertuples()]
    label_points(cell, [(row.Index, row.cost, row.paper) for row in table.itertuples()], bars)
    return figure
