"""What the paper's printed numbers prove: counts, transformations and selection, each worked out again."""

import numpy as np
import pandas as pd

from lib.nas import transforms
from lib.nas.notation import parse
from lib.reported import nas as reported


def counts() -> pd.DataFrame:
    """Every printed architecture with its count, printed and computed.

    Returns
    -------
    Index: the name in :mod:`lib.reported.nas`.  ``table``, ``reported``, ``computed``,
    ``difference``, ``verdict`` (match, explained by another reading, open, or empty where none is printed),
    ``explanation``, ``text``.
    """
    printed, readings = reported.NETWORKS, reported.READINGS
    frame = printed[["table"]].assign(reported=printed.parameters)
    frame["computed"] = printed.apply(_count, axis=1).astype("Int64")
    frame["difference"] = frame.computed - frame.reported
    other = readings.dropna().apply(_count, axis=1).reindex(frame.index)
    found = [frame.reported.isna(), frame.difference.eq(0).fillna(False), frame.reported.eq(other).fillna(False)]
    frame["verdict"] = np.select(found, ["", "match", "explained"], "open")
    frame["explanation"] = readings.explanation.reindex(frame.index).mask(found[0], "no count printed").fillna("")
    return frame.assign(text=printed.text).rename_axis(None)


def _count(row: pd.Series) -> int:
    return parse(row.text).count_params((int(row.height), int(row.width), int(row.channels)))


def transformations() -> pd.DataFrame:
    """Table I made again: ``call``, the ``printed`` and the ``made`` child of M, and whether they are the ``same``."""
    space, printed = transforms.paper_space("IB"), reported.NETWORKS.dropna(subset="call")
    m, numbers = parse(space.initial), (1, 0, 1, 2)  # C(64,3), the block, the third layer, the fourth from the end
    calls = zip(transforms.TRANSFORMATIONS.values(), numbers, strict=True)
    made = [m.change(*changes(m, space)[number]) for changes, number in calls]
    same = [parse(text).hash == child.hash for text, child in zip(printed.text, made, strict=True)]
    table = printed[["call", "text"]].rename(columns={"text": "printed"})
    return table.assign(made=list(map(str, made)), same=same)


def selection_slip() -> pd.DataFrame:
    """Table III with the models that the rules of III-C select, beside those that the paper selects.

    The paper takes M_1 for the most accurate, but prints a higher accuracy for M_3.
    """
    table = reported.NETWORKS.query("results == 'III'")[["accuracy", "parameters"]]
    rule = {table.accuracy.idxmax(): "best", table.parameters.idxmin(): "smallest"}
    paper = {"M_1": "best", "M_0": "smallest"}
    return table.assign(by_the_rule=table.index.map(rule).fillna(""), in_the_paper=table.index.map(paper).fillna(""))
