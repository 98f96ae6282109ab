"""What the paper's printed parameter counts prove: each one computed again from its architecture."""

import pandas as pd

from lib.nas.notation import Architecture, parse
from lib.reported import nas as reported

MATCH, EXPLAINED, OPEN = "match", "explained", "open"

# Printed counts that another reading of the same row gives exactly.
_OTHER_READINGS = {
    "M_0": (
        "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,1) P(1,1) F() FC(10)",
        reported.MNIST_SHAPE,
        "the added convolution was 1×1, not the printed 3×3",
    ),
    "KAU-BCMD BbNAS": (
        "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,1) P(1,1) F() FC(10)",
        reported.MNIST_SHAPE,
        "count and loss are those of M_0 in Table III: another network on another data set",
    ),
    "KAU-BCMD SE-BbNAS": (
        reported.architectures().text["KAU-BCMD BbNAS"],
        reported.MAMMOGRAM_SHAPE,
        "count of the other row's architecture (BbNAS with its Concats); with SE it cannot be below Table VI's",
    ),
}
_OPEN = {
    "M_2": "nothing found that gives the printed count",
    "MNIST SE-BbNAS": "nothing found that gives the printed count",
}


def describe(architecture: Architecture, input_shape: tuple[int, ...]) -> pd.DataFrame:
    """One row a layer: ``layer``, ``shape`` behind it, ``parameters``, ``multiply_adds``; the last row sums up."""
    rows = architecture.costs(input_shape)
    frame = pd.DataFrame(rows, columns=["layer", "shape", "parameters", "multiply_adds"])
    frame["shape"] = ["×".join(map(str, shape)) for shape in frame["shape"]]
    total = {"layer": "total", "shape": "", **frame[["parameters", "multiply_adds"]].sum()}
    frame = pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
    frame.index = [*range(1, len(rows) + 1), ""]
    return frame


def counts() -> pd.DataFrame:
    """Every printed architecture with its count, printed and computed.

    Returns
    -------
    Index: the name in :mod:`lib.reported.nas`.  ``table``, ``reported``, ``computed``,
    ``difference``, ``verdict`` (match, explained, open, or empty where none is printed),
    ``explanation``, ``text``.
    """
    rows = {}
    printed = reported.results().parameters
    for name, row in reported.architectures().iterrows():
        shape = (row.height, row.width, row.channels)
        computed = parse(row.text).count_params(shape)
        verdict, why = _judge(name, printed[name], computed)
        rows[name] = {
            "table": row.table,
            "reported": printed[name],
            "computed": computed,
            "difference": computed - printed[name],
            "verdict": verdict,
            "explanation": why,
            "text": row.text,
        }
    frame = pd.DataFrame(rows).T
    return frame.astype({"reported": "Int64", "computed": "Int64", "difference": "Int64"})


def transformations() -> pd.DataFrame:
    """Table I made again: ``call``, ``printed`` and ``made`` child of M, and whether they are one network."""
    from lib.nas import transforms

    rows = {}
    for name, (call, made) in transforms.table_one().items():
        printed = parse(reported.calls().text[name])
        rows[name] = {"call": call, "printed": str(printed), "made": str(made), "same": printed.hash == made.hash}
    return pd.DataFrame(rows).T


def selection_slip() -> pd.DataFrame:
    """Table III with the models that the rules of III-C select, beside those that the paper selects.

    The paper takes M_1 for the most accurate, but prints a higher accuracy for M_3.
    """
    table = reported.results()
    table = table[table.table == "III"][["accuracy", "parameters"]]
    return table.assign(
        by_the_rule=_roles(table.accuracy.idxmax(), table.parameters.idxmin(), table.index),
        in_the_paper=_roles("M_1", "M_0", table.index),
    )


def _roles(best: str, smallest: str, index: pd.Index) -> list[str]:
    return [{best: "best", smallest: "smallest"}.get(name, "") for name in index]


def _judge(name: str, printed, computed: int) -> tuple[str, str]:
    if pd.isna(printed):
        return "", "no count printed"
    if computed == printed:
        return MATCH, ""
    if name in _OTHER_READINGS:
        text, shape, why = _OTHER_READINGS[name]
        if parse(text).count_params(shape) == printed:
            return EXPLAINED, why
    return OPEN, _OPEN.get(name, "")
