"""Curated BUSI: the images of BUSI that Aumente-Maestro et al. 2024 kept."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lib.core import raw
from lib.data import files
from lib.data.busi import Busi
from lib.data.record import DataError, ImageSet

FOLDER = "curated-busi"
_PAGE = "github.com/caumente/multi_task_breast_cancer"


@dataclass(frozen=True)
class CuratedBusi(Busi):
    """The 450 images of BUSI that ``curated-busi/mapping_curated_BUSI.csv`` lists by ``class;id``."""

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "list": raw.identity(FOLDER)}

    def read(self) -> ImageSet:
        return _select(super().read())

    def table(self) -> ImageSet:
        return _select(super().table())


def _select(data: ImageSet) -> ImageSet:
    file = files.find(FOLDER, _PAGE) / "mapping_curated_BUSI.csv"
    listed = files.read_table(file, ["class", "id"], ";")
    names = listed["class"] + " (" + listed["id"] + ")"
    if unknown := sorted(set(names) - set(data.names)):
        raise DataError(f"{file}: {len(unknown)} unknown images {unknown[:3]}")
    chosen = np.flatnonzero(np.isin(data.names, names))
    return replace(data.select(chosen), source=f"Curated BUSI, {len(chosen)} images")
