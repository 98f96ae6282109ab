"""BUS-UCLM, breast ultrasound images of 38 patients (Vallez et al. 2025, Mendeley 10.17632/7fvgj4jsp7.3).

Folders ``images`` and ``masks`` with files of the same names (``ALWI_000.png``: the first four letters are the patient)
and ``INFO.csv``.  Masks are coloured: green benign, red malignant, black without lesion.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.core import paths
from lib.data import busi
from lib.data.record import DataError, ImageSet

FOLDER = "bus-uclm"
_FLAGS = ("Doppler", "Marks")


def load(size: int = 128) -> ImageSet:
    """All images at ``size`` × ``size`` pixels as :func:`lib.data.busi.read_image` reads them; patients are the groups.

    Raises
    ------
    lib.core.paths.MissingDataError
        If the folder ``bus-uclm`` is in no data folder.
    DataError
        If an image or a mask of ``INFO.csv`` is missing or damaged.
    """
    folder = paths.find_data(FOLDER)
    if folder is None:
        raise paths.MissingDataError(
            f"BUS-UCLM is missing: put its images, masks and INFO.csv into {paths.download_folder() / FOLDER}"
        )
    info = _info(folder)
    images = np.stack([busi.read_image(folder / "images" / file, size) for file in info["Image"]])
    masks = np.stack([_mask(folder / "masks" / file, size) for file in info["Image"]])
    labels = np.array([busi.CLASSES.index(label.lower()) for label in info["Label"]])
    names = np.array([Path(file).stem for file in info["Image"]])
    patients = np.unique([name[:4] for name in names], return_inverse=True)[1]
    source = f"BUS-UCLM, {len(info)} images of {patients.max() + 1} patients at {size}×{size}"
    return ImageSet(images, labels, names, busi.CLASSES, source, masks=masks, groups=patients)


def flags(names: np.ndarray) -> pd.DataFrame:
    """Whether each image shows ``Doppler`` colours or burned-in ``Marks``, bool; False for images of other data."""
    folder = paths.find_data(FOLDER)
    known = pd.DataFrame(columns=["Image", *_FLAGS]) if folder is None else _info(folder)
    known = known.set_index(known["Image"].map(lambda file: Path(file).stem))
    return (known[list(_FLAGS)] == "Yes").reindex(names, fill_value=False).reset_index(drop=True)


def _info(folder: Path) -> pd.DataFrame:
    # utf-8-sig: the file begins with a byte order mark.
    return pd.read_csv(folder / "INFO.csv", sep=";", dtype=str, encoding="utf-8-sig")


def _mask(file: Path, size: int) -> np.ndarray:
    """Soft at the border, as BUSI's masks are after the same resizing: float32 (size, size, 1) in [0, 1]."""
    try:
        with Image.open(file) as image:
            coloured = np.asarray(image.convert("RGB")).max(axis=2) > 0
    except OSError as error:
        raise DataError(f"{file}: missing or damaged ({error})") from error
    return busi.resized(Image.fromarray(coloured.astype(np.float32)), size, "bilinear")[..., None]
