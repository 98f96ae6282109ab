"""Architectures as tables of layers."""

import pandas as pd

from lib.nas.notation import Architecture


def describe(architecture: Architecture, input_shape: tuple[int, ...]) -> pd.DataFrame:
    """One row a layer: ``layer``, ``shape`` behind it, ``parameters``, ``multiply_adds``; the last row sums up."""
    rows = architecture.costs(input_shape)
    frame = pd.DataFrame(rows, columns=["layer", "shape", "parameters", "multiply_adds"])
    frame["shape"] = ["×".join(map(str, shape)) for shape in frame["shape"]]
    total = {"layer": "total", "shape": "", **frame[["parameters", "multiply_adds"]].sum()}
    frame = pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
    frame.index = [*range(1, len(rows) + 1), ""]
    return frame
