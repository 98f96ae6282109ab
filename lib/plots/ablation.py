"""Figures of notebooks 04 and 05: accuracy against mask quality and against cost, the tuning loop's path."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.plots.style import CLASS_COLOURS, grid, label_points, tidy

_DOT, _MARK = CLASS_COLOURS["benign"], CLASS_COLOURS["malignant"]


def accuracy_against_dice(heads: pd.DataFrame, oracles: tuple[str, ...] = ()) -> Figure:
    """Test accuracy of each head (a dot) and their mean (a bar) against the lesion Dice of the masks it got.

    Parameters
    ----------
    heads : columns ``masks``, ``dice`` and ``accuracy``.
    oracles : names of masks that hold some of the truth; hollow, because they are no results.
    """
    figure, axes = grid(1, 1, 6.4, 3.8)
    cell = axes[0, 0]
    for name, rows in heads.groupby("masks", sort=False):
        filled = _DOT if name not in oracles else "none"
        cell.scatter(rows.dice, rows.accuracy, s=28, facecolors=filled, edgecolors=_DOT, alpha=0.8)
        dice, mean = rows.dice.iloc[0], rows.accuracy.mean()
        cell.plot([dice - 0.012, dice + 0.012], [mean, mean], "k", lw=2)
    cell.set(xlabel="Dice of the test part's lesions (0: image alone)", ylabel="test accuracy")
    cell.margins(x=0.15, y=0.1)
    tidy(cell)
    spans = heads.groupby("masks", sort=False).agg(
        x=("dice", "first"), low=("accuracy", "min"), high=("accuracy", "max")
    )
    label_points(cell, [(str(name), row.x, row.high) for name, row in spans.iterrows()], spans.to_numpy(), size=8)
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


def accuracy_against_cost(table: pd.DataFrame, accuracy: str, reported: str = "reported") -> Figure:
    """Accuracy of each backbone against its multiply-adds an image: printed (crosses) and here (dots)."""
    figure, axes = grid(1, 1, 7.0, 4.2)
    cell = axes[0, 0]
    cost = table["multiply-adds"] / 1e9
    cell.scatter(cost, table[reported], marker="x", color="0.55", label="printed")
    here = table[accuracy].notna()
    spread = table.get(f"{accuracy} sd")
    cell.errorbar(
        cost[here],
        table[accuracy][here],
        spread[here] if spread is not None else None,
        fmt="o",
        color=_DOT,
        label="here",
    )
    cell.set(xscale="log", xlabel="multiply-adds an image / 10⁹", ylabel=f"test accuracy ({accuracy})")
    cell.margins(x=0.12, y=0.08)
    figure.legend(fontsize=8, frameon=False, loc="outside upper right", ncols=2)
    tidy(cell)
    half = table[f"{accuracy} sd"].fillna(0) if spread is not None else 0 * cost
    bars = [
        (cost[name], table[accuracy][name] - half[name], table[accuracy][name] + half[name])
        for name in cost[here].index
    ]
    label_points(cell, [(name, cost[name], row[reported]) for name, row in table.iterrows()], bars)
    return figure
