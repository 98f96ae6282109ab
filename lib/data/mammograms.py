"""Mammograms as small gray squares: KAU-BCMD (IV-A), and mini-MIAS, which is at hand.

The paper never says the size; Table VI's parameter count is exact only for 64 × 64 × 1.  Images are
squeezed to squares of that size whatever their shape, as an average over the area.
"""

import re
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lib.core import paths
from lib.data import phantoms
from lib.data.record import DataError, ImageSet

CLASSES = ("BI-RADS 1", "BI-RADS 2–3", "BI-RADS 4–5")
_FOLDER = re.compile(r"bi-?rads?[ _-]*([1-5])", re.IGNORECASE)
# 2016_BC017021_ MLO_R.jpg: the blank before the view is in the names as distributed.
_FILE = re.compile(r"(\d{4})_([A-Za-z]*\d+)_\s*(CC|MLO)_\s*([LR])\s*\.(?:jpe?g|png)", re.IGNORECASE)
_THREE = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2}


def kau_bcmd(size: int = 64) -> ImageSet:
    """King Abdulaziz University's mammograms, float32 (n, size, size, 1) in [0, 1]; ``groups`` are the cases.

    The data folders' ``kau-bcmd`` holds ``BIRAD 1`` … ``BIRAD 5`` (copies lack some) with files such as
    ``2016_BC017021_ MLO_R.jpg``: year, case, view, side.  The paper's last layer has three outputs; it does not
    say which: here BI-RADS 1, 2–3 and 4–5.

    Raises
    ------
    lib.core.paths.MissingDataError
        If there is no such folder.
    lib.data.record.DataError
        For a file with another name, one that is no image, or a class without images.
    """
    folder = _folder("kau-bcmd", "kaggle.com/datasets/asmaasaad/king-abdulaziz-university-mammogram-dataset")
    files = _kau_files(folder)
    labels = np.array([_THREE[level] for level, _, _ in files], np.int64)
    if empty := [name for label, name in enumerate(CLASSES) if label not in labels]:
        raise DataError(f"{paths.relative(folder)}: no images of {', '.join(empty)}")
    _, groups = np.unique([case for _, case, _ in files], return_inverse=True)
    return ImageSet(
        images=np.stack([_read(file, size) for _, _, file in files]),
        labels=labels,
        names=np.array([f"{file.parent.name}/{file.name}" for _, _, file in files]),
        classes=CLASSES,
        source=f"KAU-BCMD, {len(files)} images of {groups.max() + 1} cases at {size}×{size}",
        groups=groups.astype(np.int64),
    )


def mini_mias(size: int = 64) -> ImageSet:
    """mini-MIAS, float32 (322, size, size, 1) in [0, 1], as normal, benign and malignant; ``groups`` are the patients.

    A film with several findings has its worst one's class.  Films 1 and 2 are the two breasts of
    the first patient, 3 and 4 of the second, and so on (note 1 of ``Info.txt``).  The data folders'
    ``mini-mias`` holds ``Info.txt`` and ``mdb001.png`` …; also ``.pgm`` as distributed.

    Raises
    ------
    lib.core.paths.MissingDataError
        If there is no such folder.
    lib.data.record.DataError
        For a film without an image, or an ``Info.txt`` without films.
    """
    folder = _folder("mini-mias", "peipa.essex.ac.uk/info/mias.html")
    if not (folder / "Info.txt").exists():
        raise DataError(f"{paths.relative(folder)}: Info.txt is missing; it says what the films show")
    worst: dict[str, int] = {}
    for line in (folder / "Info.txt").read_text(encoding="latin-1").splitlines():
        if match := re.match(r"(mdb\d{3})\s+[FGD]\s+(\w+)\s*([BM])?", line):
            film, finding, severity = match.groups()
            label = 0 if finding == "NORM" else {"B": 1, "M": 2}.get(severity or "", -1)
            if label < 0:
                raise DataError(f"{paths.relative(folder / 'Info.txt')}: no severity in {line!r}")
            worst[film] = max(worst.get(film, 0), label)
    if not worst:
        raise DataError(f"{paths.relative(folder / 'Info.txt')} lists no films")
    films = sorted(worst)
    files = [_film(folder, film) for film in films]
    return ImageSet(
        images=np.stack([_read(file, size) for file in files]),
        labels=np.array([worst[film] for film in films], np.int64),
        names=np.array(films),
        classes=("normal", "benign", "malignant"),
        source=f"mini-MIAS, {len(films)} films at {size}×{size}",
        groups=np.array([(int(film[3:]) - 1) // 2 for film in films], np.int64),
    )


def stand_ins(n: int = 60) -> ImageSet:
    """Phantoms of breast ultrasound as 16 × 16 squares, two a patient: they only show that the code runs."""
    images = phantoms.make(n, size=32, seed=0)
    small = images.images.reshape(n, 16, 2, 16, 2, 1).mean(axis=(2, 4), dtype=np.float32)
    pairs = np.arange(n) // 2
    return ImageSet(small, images.labels, images.names, images.classes, f"{n} phantoms at 16×16", groups=pairs)


def _folder(name: str, where: str) -> Path:
    found = paths.find_data(name)
    if found is None or not found.is_dir():
        places = " or ".join(paths.relative(place / name) for place in paths.data_folders())
        raise paths.MissingDataError(f"{name} is not here. Put it at {places}; it is at {where}")
    return found


def _kau_files(folder: Path) -> list[tuple[int, str, Path]]:
    """BI-RADS level, case and path of every image, sorted by level and name."""
    levels = {int(m.group(1)): path for path in folder.iterdir() if path.is_dir() and (m := _FOLDER.search(path.name))}
    if not levels:
        raise DataError(f"{paths.relative(folder)} has no folders BIRAD 1 … BIRAD 5")
    files = []
    for level, place in sorted(levels.items()):
        images = sorted(path for path in place.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
        if not images:
            raise DataError(f"{paths.relative(place)} is empty: remove the folder if this copy lacks the class")
        for path in images:
            if not (match := _FILE.fullmatch(path.name)):
                raise DataError(f"{paths.relative(path)}: expected a name such as '2016_BC017021_ MLO_R.jpg'")
            files.append((level, match.group(2).upper(), path))
    return files


def _film(folder: Path, film: str) -> Path:
    for suffix in (".png", ".pgm"):
        if (folder / f"{film}{suffix}").exists():
            return folder / f"{film}{suffix}"
    raise DataError(f"{paths.relative(folder)}: Info.txt names {film}, but there is no {film}.png or .pgm")


def _read(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            small = image.convert("L").resize((size, size), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{paths.relative(path)} is no readable image: {error}") from None
    return (np.asarray(small, np.float32) / 255)[..., None]
