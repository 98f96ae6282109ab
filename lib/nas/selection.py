"""Which models live on (III-C): best accuracy and fewest parameters, and the Pareto front between them.

All functions take records as the journal holds them and look at validation accuracy only.
"""

from collections.abc import Sequence

import pandas as pd


def trained(records: Sequence[dict]) -> list[dict]:
    """The records of children that could be trained."""
    return [record for record in records if record["status"] == "ok"]


def best(records: Sequence[dict]) -> dict | None:
    """Highest validation accuracy; of equals the smallest, then the first by hash."""
    ranked = sorted(trained(records), key=lambda record: (-record["accuracy"], record["parameters"], record["hash"]))
    return ranked[0] if ranked else None


def smallest(records: Sequence[dict], other_than: str = "") -> dict | None:
    """Fewest parameters, leaving out the model with the hash ``other_than``; of equals the more accurate."""
    ranked = sorted(
        (record for record in trained(records) if record["hash"] != other_than),
        key=lambda record: (record["parameters"], -record["accuracy"], record["hash"]),
    )
    return ranked[0] if ranked else None


def survivors(records: Sequence[dict]) -> list[dict]:
    """The parents of the next iteration: the best model and the smallest other one."""
    winner = best(records)
    if winner is None:
        return []
    small = smallest(records, other_than=winner["hash"])
    return [winner, small] if small else [winner]


def pareto(frame: pd.DataFrame, cost: str = "parameters", gain: str = "accuracy") -> pd.Series:
    """Whether each row is on the front: no other row costs no more and gains no less, and one of both better.

    Returns
    -------
    bool, one a row; rows without a gain (failed children) are never on it.
    """
    front = pd.Series(False, index=frame.index)
    reached = float("-inf")
    for _, group in frame.dropna(subset=[gain]).groupby(cost, sort=True):
        top = group[gain].max()
        if top > reached:
            front[group.index[group[gain] == top]] = True
            reached = top
    return front
