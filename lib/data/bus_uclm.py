"""BUS-UCLM, breast ultrasound images of 38 patients (Vallez et al. 2025, Mendeley 10.17632/7fvgj4jsp7.3).

Folders ``images`` and ``masks`` with files of the same names (``ALWI_000.png``: the first four letters are the patient)
and ``INFO.csv``.  Masks are coloured: green benign, red malignant, black without lesion.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.core import paths
from lib.data import busi, files
from lib.data.record import DataError, ImageSet, Source

_FLAGS = ["Doppler", "Marks"]


@dataclass(frozen=True)
class BusUclm(Source):
    """All images, read as :func:`lib.data.busi.read_image` does, for external tests only; patients are the groups."""

    size: int = 128
    folder = "bus-uclm"

    def read(self) -> ImageSet:
        folder = files.find(self.folder, "data.mendeley.com/datasets/7fvgj4jsp7")
        info = _info(folder)
        patients, groups = np.unique(info["name"].str[:4], return_inverse=True)
        images = np.stack([busi.read_image(folder / "images" / file, self.size) for file in info["Image"]])
        masks = np.stack([_mask(folder / "masks" / file, self.size) for file in info["Image"]])
        labels = pd.Index(busi.CLASSES).get_indexer(info["Label"].str.lower()).astype(np.int64)
        if (labels < 0).any():
            raise DataError(f"{folder / 'INFO.csv'}: labels must be {', '.join(busi.CLASSES)}")
        source = f"BUS-UCLM, {len(info)} images of {len(patients)} patients at {self.size}×{self.size}"
        return ImageSet(images, labels, info["name"].to_numpy(str), busi.CLASSES, source, masks, groups=groups)


def flags(names: np.ndarray) -> pd.DataFrame:
    """Whether each image shows ``Doppler`` colours or burned-in ``Marks``, bool; False for images of other data."""
    folder = paths.find_data(BusUclm.folder)
    known = _info(folder).set_index("name")[_FLAGS] if folder else pd.DataFrame(columns=_FLAGS)
    return (known == "Yes").reindex(names, fill_value=False).reset_index(drop=True)


def _info(folder: Path) -> pd.DataFrame:
    info = files.read_table(folder / "INFO.csv", ["Image", "Label", *_FLAGS], ";")
    return info.assign(name=info["Image"].str.removesuffix(".png"))


def _mask(file: Path, size: int) -> np.ndarray:
    """Soft at the border, as BUSI's masks are after the same resizing: float32 (size, size, 1) in [0, 1]."""
    with files.opened(file) as image:
        coloured = np.asarray(image.convert("RGB")).max(axis=2) > 0
    return busi.resized(Image.fromarray(coloured.astype(np.float32)), size, "bilinear")[..., None]
