"""What both papers and the literature print: data files beside this module, and functions that read them."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent


def read(name: str) -> pd.DataFrame:
    """The file ``name.csv`` of this folder, indexed by its first column."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col=0)
