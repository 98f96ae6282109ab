"""Curated BUSI: the images of BUSI that Aumente-Maestro et al. 2024 kept."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.core import paths
from lib.data.record import DataError, ImageSet

FOLDER = "curated-busi"


def select(data: ImageSet) -> ImageSet:
    """The images that ``curated-busi/mapping_curated_BUSI.csv`` lists by ``class;id`` (Aumente-Maestro et al. 2024)."""
    folder = paths.find_data(FOLDER)
    if folder is None:
        raise paths.MissingDataError(f"the list of Curated BUSI is missing: {paths.download_folder() / FOLDER}")
    listed = pd.read_csv(folder / "mapping_curated_BUSI.csv", sep=";", dtype=str)
    names = listed["class"] + " (" + listed["id"] + ")"
    if unknown := sorted(set(names) - set(data.names)):
        raise DataError(f"{folder}: {len(unknown)} unknown images {unknown[:3]}")
    chosen = np.flatnonzero(np.isin(data.names, names))
    return replace(data.select(chosen), source=f"Curated BUSI, {len(chosen)} images")
