"""BUSI, the breast ultrasound images of Al-Dhabyani et al. 2020 (Data in Brief 28:104863).

Original layout: folders ``normal``, ``benign`` and ``malignant`` with ``benign (4).png``,
``benign (4)_mask.png`` and, where an image has several lesions, ``benign (4)_mask_1.png`` …
Paper A, II-A and III-A.
"""

import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from lib.core import paths, raw
from lib.core.config import check_choice
from lib.core.store import locked
from lib.data import files
from lib.data.record import DataError, ImageSet, Source

CLASSES = ("normal", "benign", "malignant")
URL = "https://scholar.cu.edu.eg/Dataset_BUSI.zip"
SHA256 = "b2ce09f6063a31a73f628b6a6ee1245187cbaec225e93e563735691d68654de7"
CURATED = "curated-busi"
_SIZES = "busi sizes"  # in the published listing, beside the files

_FILE = r"^(?P<label>normal|benign|malignant)/(?P<name>(?P=label) \((?P<number>\d+)\))(?P<mask>_mask(?:_\d+)?)?\.png$"


@dataclass(frozen=True)
class Busi(Source):
    """BUSI as :func:`load` reads it."""

    size: int = 128
    masks: str = "union"
    resize: str = "bilinear"
    folder = "busi"

    def read(self) -> ImageSet:
        return load(size=self.size, masks=self.masks, resize=self.resize)

    def table(self) -> ImageSet:
        """What :func:`load` returns without images and masks, at once; where the files are absent, as published."""
        if paths.find_data(self.folder) or not raw.recorded(self.folder):
            pictures = _at_hand(_find())
        else:
            pictures = _pictures(Path(self.folder), raw.recorded(self.folder))
            pictures["size"] = pictures["image"].map(raw.recorded(_SIZES))
        return _record(pictures, self.size, self.masks, self.resize)


@dataclass(frozen=True)
class CuratedBusi(Busi):
    """Those that Aumente-Maestro et al. 2024 kept: 450, which ``mapping_curated_BUSI.csv`` lists by ``class;id``."""

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "list": raw.identity(CURATED)}

    def read(self) -> ImageSet:
        return _curated(super().read())

    def table(self) -> ImageSet:
        return _curated(super().table())


def load(folder: Path | str | None = None, size: int = 128, masks: str = "union", resize: str = "bilinear") -> ImageSet:
    """Read BUSI, resized to ``size`` × ``size`` pixels.

    Parameters
    ----------
    folder : folder with the three class folders.  None: ``busi`` in the data folders of
        :mod:`lib.core.paths`, else a download.
    size : side in pixels, ≥ 1; the paper's is 128.  The aspect ratio is not kept, as in the paper.
    masks : ``"union"`` of all masks of an image, or ``"first"``: only ``_mask.png``, as the authors'
        code, which loses lesions of 17 images.
    resize : ``"bilinear"`` between the four nearest pixels as in the authors' code, or ``"area"``:
        the average over the pixels that a new pixel covers, which does not alias.  Masks are soft
        at the border either way.

    Returns
    -------
    ImageSet with images and masks (n, size, size, 1), in the order normal, benign, malignant and by
    number within a class.

    Raises
    ------
    lib.core.paths.MissingDataError
        No such folder, and no download.
    DataError
        A missing class, an image without a mask or a mask without an image, sizes that differ, a
        lesion without area, a file that is no image or is cut off.  The message names the file.
    """
    check_choice("masks", masks, ("union", "first"))
    check_choice("resize", resize, ("bilinear", "area"))
    root = Path(folder) if folder else _find()
    pictures = _at_hand(root)

    def decode(row) -> tuple[np.ndarray, np.ndarray]:
        image = files.read_gray(root / row.image)
        mask = _union(root, row, row.masks if masks == "union" else row.masks[:1])
        return resized(image, size, resize), resized(mask, size, resize)

    with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
        arrays = zip(*pool.map(decode, pictures.itertuples()), strict=True)
        images, lesions = (np.stack(part)[..., None] for part in arrays)
    return replace(_record(pictures, size, masks, resize), images=images, masks=lesions)


def record() -> None:
    """Add the files at hand to the published listing, with the images' sizes."""
    if root := paths.find_data("busi"):
        raw.record("busi", **{_SIZES: _at_hand(root).set_index("image")["size"].to_dict()})


def read_image(file: Path, size: int = 128) -> np.ndarray:
    """One image file as :func:`load` reads it: float32 (size, size, 1) in [0, 1]."""
    return resized(files.read_gray(file), size, "bilinear")[..., None]


def resized(image: Image.Image, size: int, resize: str) -> np.ndarray:
    """Float32 (size, size) in [0, 1] of a gray image."""
    if resize == "area":
        square = image.resize((size, size), Image.Resampling.BOX)
    else:
        # Image.resize would widen the filter when it shrinks; the authors' cv2.resize does not.
        scale = (image.width / size, 0, 0, 0, image.height / size, 0)
        square = image.transform((size, size), Image.Transform.AFFINE, scale, Image.Resampling.BILINEAR)
    return np.clip(np.asarray(square, np.float32), 0, 1)


def _curated(data: ImageSet) -> ImageSet:
    file = files.find(CURATED, "github.com/caumente/multi_task_breast_cancer") / "mapping_curated_BUSI.csv"
    listed = files.read_table(file, ["class", "id"], ";")
    names = listed["class"] + " (" + listed["id"] + ")"
    if unknown := sorted(set(names) - set(data.names)):
        raise DataError(f"{file}: {len(unknown)} unknown images {unknown[:3]}")
    chosen = np.flatnonzero(np.isin(data.names, names))
    return replace(data.select(chosen), source=f"Curated BUSI, {len(chosen)} images")


def _find() -> Path:
    return paths.find_data("busi") or _download(paths.download_folder() / "busi")


def _download(target: Path) -> Path:
    """Download BUSI to ``target``, unpacked beside its place first: a broken download leaves nothing behind."""
    with locked(target.with_name(".busi.lock")):
        if target.exists():  # another process has done it
            return target
        archive = files.download(
            URL,
            SHA256,
            f"Put its folders {', '.join(CLASSES)} into {target}, or name their folder: PAPER_DATA=<parent of busi>. "
            "It is also on Kaggle as aryashah2k/breast-ultrasound-images-dataset.",
        )
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".busi-") as unpacked:
            shutil.unpack_archive(archive, unpacked)
            next(Path(unpacked).rglob("normal")).parent.rename(target)
        archive.unlink()
    return target


def _at_hand(root: Path) -> pd.DataFrame:
    """:func:`_pictures` of a folder with the ``size`` (height, width) of each image, from the head of its file."""
    listed = [path for name in CLASSES for path in (root / name).glob("[!.]*") if path.name not in raw.CLUTTER]
    pictures = _pictures(root, [path.relative_to(root).as_posix() for path in listed])

    sizes = []
    for image in pictures["image"]:
        with files.opened(root / image) as opened:
            sizes.append(opened.size[::-1])
    return pictures.assign(size=sizes)


def _pictures(root: Path, listed: Iterable[str]) -> pd.DataFrame:
    """One row per image, by class and number: ``name``, ``label``, ``image`` and ``masks``, files below ``root``."""
    names = pd.Series(list(listed), dtype=str)
    parts = names.str.extract(_FILE).assign(file=names)
    if len(odd := names[parts["name"].isna()]):
        raise DataError(f"{root / odd.iloc[0]}: not a name of BUSI, like 'benign (1).png' or 'benign (1)_mask.png'")
    if lacking := [name for name in CLASSES if name not in set(parts["label"])]:
        raise DataError(f"{root}: no images of {', '.join(lacking)}; folders {', '.join(CLASSES)} should be there")
    images = parts[parts["mask"].isna()].set_index("name")
    masks = parts[parts["mask"].notna()].sort_values("mask").groupby("name")["file"].agg(list)
    for what, lone in (("mask", images.index.difference(masks.index)), ("image", masks.index.difference(images.index))):
        if len(lone):
            raise DataError(f"{root}: no {what} of {lone[0]} ({len(lone)} such files)")
    label, number = images["label"].map(CLASSES.index), images["number"].astype(int)
    pictures = pd.DataFrame({"label": label, "number": number, "image": images["file"], "masks": masks})
    return pictures.sort_values(["label", "number"]).reset_index(names="name")


def _record(pictures: pd.DataFrame, size: int, masks: str, resize: str) -> ImageSet:
    unusual = [word for word, usual in ((resize, "bilinear"), (f"{masks} mask", "union mask")) if word != usual]
    source = ", ".join([f"BUSI, {len(pictures)} images at {size}×{size}", *unusual])
    sizes, n_masks = np.array(pictures["size"].tolist()), pictures["masks"].map(len).to_numpy()
    labels, names = pictures["label"].to_numpy(), pictures["name"].to_numpy(str)
    return ImageSet(None, labels, names, CLASSES, source, sizes=sizes, n_masks=n_masks)


def _union(root: Path, row, masks: list[str]) -> Image.Image:
    height, width = row.size
    union = np.zeros(row.size, np.float32)
    for file in masks:
        mask = files.read_gray(root / file)
        if mask.size != (width, height):
            raise DataError(f"{root / file}: {mask.width}×{mask.height} pixels, but {row.name} has {width}×{height}")
        pixels = np.asarray(mask)
        # Some tools write 1, not 255, for a lesion.
        union = np.maximum(union, pixels / (pixels.max() or 1))
    if union.any() != (row.label > 0):
        raise DataError(f"{root / masks[0]}: {'a lesion' if union.any() else 'no lesion'} in an image of {row.image}")
    return Image.fromarray(union)
