"""Mammograms as small gray squares: KAU-BCMD (IV-A), and mini-MIAS, which is at hand.

The paper never gives the size; Table VI's parameter count is exact only for 64 × 64 × 1.  Images are
squeezed to squares of that size whatever their shape, as an average over the area.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.core import paths, raw
from lib.data import files, phantoms
from lib.data.busi import CLASSES
from lib.data.record import DataError, ImageSet, Source

# BIRAD 1/2016_BC017021_ MLO_R.jpg: the blank before the view is in the names as distributed.
_KAU = r"(?i)bi-?rads?[ _-]*(?P<level>[1-5])/\d{4}_(?P<case>[a-z]*\d+)_\s*(?:CC|MLO)_\s*[LR]\s*\.(?:jpe?g|png)"
_FILM = r"(?P<film>mdb\d{3})\s+[FGD]\s+(?P<finding>\w+)\s*(?P<severity>[BM])?"


@dataclass(frozen=True)
class KauBcmd(Source):
    """King Abdulaziz University's mammograms, float32 (n, size, size, 1) in [0, 1]; ``groups`` are the cases.

    The folder holds ``BIRAD 1`` … ``BIRAD 5`` (copies lack some) with files such as ``2016_BC017021_ MLO_R.jpg``:
    year, case, view, side.  The paper's last layer has three outputs; it does not say which: here BI-RADS 1, 2–3
    and 4–5.
    """

    size: int = 64
    folder = "kau-bcmd"

    def read(self) -> ImageSet:
        folder = files.find(self.folder, "kaggle.com/datasets/asmaasaad/king-abdulaziz-university-mammogram-dataset")
        names = sorted(name for name in raw.files(self.folder) if name.count("/") == 1)
        found = pd.Series(names, dtype=str).str.extract(_KAU)
        if odd := [name for name, level in zip(names, found["level"], strict=True) if pd.isna(level)]:
            raise DataError(f"{folder / odd[0]}: expected a name such as 'BIRAD 1/2016_BC017021_ MLO_R.jpg'")
        labels = found["level"].map({"1": 0, "2": 1, "3": 1, "4": 2, "5": 2}).to_numpy(np.int64)
        classes = ("BI-RADS 1", "BI-RADS 2–3", "BI-RADS 4–5")
        if empty := [name for label, name in enumerate(classes) if label not in labels]:
            raise DataError(f"{paths.relative(folder)}: no images of {', '.join(empty)} in folders BIRAD 1 … BIRAD 5")
        cases, groups = np.unique(found["case"].str.upper(), return_inverse=True)
        images = np.stack([_read(folder / name, self.size) for name in names])
        source = f"KAU-BCMD, {len(names)} images of {len(cases)} cases at {self.size}×{self.size}"
        return ImageSet(images, labels, np.array(names), classes, source, groups=groups)


@dataclass(frozen=True)
class MiniMias(Source):
    """mini-MIAS, float32 (322, size, size, 1) in [0, 1], as normal, benign and malignant; ``groups`` are the patients.

    A film with several findings has its worst one's class.  Films 1 and 2 are the two breasts of
    the first patient, 3 and 4 of the second, and so on (note 1 of ``Info.txt``).  The folder holds
    ``Info.txt`` and ``mdb001.png`` …; also ``.pgm`` as distributed.
    """

    size: int = 64
    folder = "mini-mias"

    def read(self) -> ImageSet:
        folder = files.find(self.folder, "peipa.essex.ac.uk/info/mias.html")
        info = folder / "Info.txt"
        if not info.is_file():
            raise DataError(f"{info} is missing; it lists what the films show")
        lines = info.read_text(encoding="latin-1").splitlines()
        found = pd.Series(lines, dtype=str).str.extract(_FILM).dropna(subset="film")
        normal = found["finding"] == "NORM"
        if found.empty or (~normal & found["severity"].isna()).any():
            raise DataError(f"{info}: no films, or a finding without B or M for its severity")
        labels = found["severity"].map({"B": 1, "M": 2}).mask(normal, 0).astype(np.int64).groupby(found["film"]).max()
        paths_of = [next(folder.glob(f"{film}.p[ng][gm]"), folder / f"{film}.png") for film in labels.index]
        images = np.stack([_read(file, self.size) for file in paths_of])
        source = f"mini-MIAS, {len(labels)} films at {self.size}×{self.size}"
        patients = (labels.index.str[3:].astype(int).to_numpy() - 1) // 2
        return ImageSet(images, labels.to_numpy(), labels.index.to_numpy(str), CLASSES, source, groups=patients)


@dataclass(frozen=True)
class MammogramPhantoms(Source):
    """Phantoms of breast ultrasound as 16 × 16 squares, two per patient: they only show that the code runs."""

    n: int = 60

    def read(self) -> ImageSet:
        made = phantoms.make(self.n, size=32, seed=0)
        small = made.images.reshape(self.n, 16, 2, 16, 2, 1).mean(axis=(2, 4), dtype=np.float32)
        source = f"{self.n} phantoms at 16×16"
        return ImageSet(small, made.labels, made.names, made.classes, source, groups=np.arange(self.n) // 2)


def _read(file: Path, size: int) -> np.ndarray:
    with files.opened(file) as image:
        small = image.convert("L").resize((size, size), Image.Resampling.BOX)
    return (np.asarray(small, np.float32) / 255)[..., None]
