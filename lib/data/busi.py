"""BUSI, the breast ultrasound images of Al-Dhabyani et al. 2020 (Data in Brief 28:104863).

Original layout: folders ``normal``, ``benign`` and ``malignant`` with ``benign (4).png``,
``benign (4)_mask.png`` and, where an image has several lesions, ``benign (4)_mask_1.png`` …
Paper A, II-A and III-A.
"""

import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pooch
from PIL import Image, UnidentifiedImageError

from lib.core import paths, raw
from lib.core.config import check_choice
from lib.data.record import DataError, ImageSet

CLASSES = ("normal", "benign", "malignant")
URL = "https://scholar.cu.edu.eg/Dataset_BUSI.zip"
SHA256 = "b2ce09f6063a31a73f628b6a6ee1245187cbaec225e93e563735691d68654de7"
MASKS = ("union", "first")
RESIZES = ("bilinear", "area")
_SIZES = "busi sizes"  # in the published listing, beside the files

_FILE = re.compile(r"(?P<image>.+\(\d+\))(?:_mask(?:_(?P<number>\d+))?)?\.png")
_CLUTTER = {"Thumbs.db", "desktop.ini"}  # that file managers leave; hidden files are passed over too


@dataclass(frozen=True)
class _Entry:
    """An image file with its mask files, ``_mask.png`` first."""

    name: str
    label: int
    image: Path
    masks: tuple[Path, ...]


def load(
    folder: Path | str | None = None,
    size: int = 128,
    masks: str = "union",
    resize: str = "bilinear",
) -> ImageSet:
    """Read BUSI, resized to ``size`` × ``size`` pixels.

    Parameters
    ----------
    folder : folder with the three class folders.  None: ``busi`` in the data folders of
        :mod:`lib.core.paths`, else a download (see :func:`download`).
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
        An empty folder, a missing class, an image without a mask or a mask without an image, sizes
        that differ, a file that is no image or is cut off.  The message names the file.
    """
    check_choice("masks", masks, MASKS)
    check_choice("resize", resize, RESIZES)
    if size < 1:
        raise DataError(f"size must be at least 1 pixel, not {size}")
    return _decode(_list_entries(_find(folder)), size, masks, resize)


def table(size: int = 128, masks: str = "union", resize: str = "bilinear") -> ImageSet:
    """What :func:`load` returns without images and masks, at once; where the files are absent, from the published
    listing of them.
    """
    root = paths.find_data("busi")
    listed = raw.recorded("busi") if root is None else {}
    if listed:
        known = raw.recorded(_SIZES)
        parts = [[Path(file) for file in listed if file.startswith(f"{name}/")] for name in CLASSES]
        entries = [entry for label, files in enumerate(parts) for entry in _pair(files, label)]
        sizes = [known[entry.image.as_posix()] for entry in entries]
    else:
        entries = _list_entries(root or _find(None))
        sizes = _sizes(entries)
    return _record(entries, sizes, size, masks, resize)


def record() -> None:
    """Add the files at hand to the published listing, with the images' sizes."""
    if (root := paths.find_data("busi")) is not None:
        entries = _list_entries(root)
        names = [entry.image.relative_to(root).as_posix() for entry in entries]
        raw.record("busi", **{_SIZES: dict(zip(names, _sizes(entries), strict=True))})


def download(folder: Path, url: str = URL, sha256: str = SHA256) -> Path:
    """Download BUSI into ``folder``/busi and return that path.

    The archive is checked against ``sha256`` and unpacked beside its place first, so a broken
    download leaves nothing behind.

    Raises
    ------
    lib.core.paths.MissingDataError
        If the download fails or its checksum differs; says what to put where instead.
    """
    target = Path(folder) / "busi"
    unpacked = Path(folder) / ".busi-unpacking"
    try:
        archive = Path(pooch.retrieve(url, known_hash=f"sha256:{sha256}", path=folder, fname="Dataset_BUSI.zip"))
        shutil.rmtree(unpacked, ignore_errors=True)
        with zipfile.ZipFile(archive) as content:
            content.extractall(unpacked)
        root = next((path.parent for path in unpacked.rglob("normal") if path.is_dir()), unpacked)
        _list_entries(root)
        root.rename(target)
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # pooch: ValueError for a checksum
        raise paths.MissingDataError(
            f"BUSI could not be downloaded from {url}: {str(error).splitlines()[0]}\n"
            f"Put its folders {', '.join(CLASSES)} into {target}, or name their folder: PAPER_DATA=<parent of busi>. "
            "It is also on Kaggle as aryashah2k/breast-ultrasound-images-dataset."
        ) from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    archive.unlink()
    return target


def read_image(file: Path, size: int = 128, resize: str = "bilinear") -> np.ndarray:
    """One image file as :func:`load` reads it: float32 (size, size, 1) in [0, 1]."""
    check_choice("resize", resize, RESIZES)
    return resized(_read(file), size, resize)[..., None]


def _find(folder: Path | str | None) -> Path:
    if folder is None:
        found = paths.find_data("busi") or _attempt(paths.download_folder())
        if isinstance(found, Exception):
            raise found
        return found
    if not Path(folder).is_dir():
        raise paths.MissingDataError(f"{folder} is no folder: it should hold {', '.join(CLASSES)}")
    return Path(folder)


@cache
def _attempt(folder: Path) -> Path | paths.MissingDataError:
    # One a process: hundreds of jobs may ask.
    try:
        return download(folder)
    except paths.MissingDataError as error:
        return error


def _list_entries(root: Path) -> list[_Entry]:
    if missing := [name for name in CLASSES if not (root / name).is_dir()]:
        raise DataError(f"{root}: class folder missing: {', '.join(missing)}")
    entries = []
    for label, name in enumerate(CLASSES):
        own = _pair((root / name).iterdir(), label)
        if not own:
            raise DataError(f"{root / name}: no images")
        entries += own
    return entries


def _pair(files: Iterable[Path], label: int) -> list[_Entry]:
    """The entries of a class folder, by number."""
    images: dict[str, Path] = {}
    masks: dict[str, list[tuple[int, Path]]] = {}
    for file in files:
        if file.name.startswith(".") or file.name in _CLUTTER:
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            name = CLASSES[label]
            raise DataError(f"{file}: not a name of BUSI, like '{name} (1).png' or '{name} (1)_mask.png'")
        if "_mask" in file.name:
            masks.setdefault(match["image"], []).append((int(match["number"] or 0), file))
        else:
            images[match["image"]] = file
    if without := sorted(set(images) - set(masks)):
        raise DataError(f"{images[without[0]]}: image without a mask ({len(without)} in this folder)")
    if without := sorted(set(masks) - set(images)):
        raise DataError(f"{masks[without[0]][0][1]}: mask without an image ({len(without)} in this folder)")
    names = sorted(images, key=lambda name: int(re.findall(r"\d+", name)[-1]))
    return [_Entry(name, label, images[name], tuple(file for _, file in sorted(masks[name]))) for name in names]


def _decode(entries: list[_Entry], size: int, masks: str, resize: str) -> ImageSet:
    def decode(entry: _Entry) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        image = _read(entry.image)
        files = entry.masks if masks == "union" else entry.masks[:1]
        mask = _union(entry.image, image.size, files)
        return resized(image, size, resize), resized(mask, size, resize), image.size[::-1]

    with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
        images, lesions, sizes = zip(*pool.map(decode, entries), strict=True)
    table = _record(entries, sizes, size, masks, resize)
    return replace(table, images=np.stack(images)[..., None], masks=np.stack(lesions)[..., None])


def _record(entries: list[_Entry], sizes: Sequence, size: int, masks: str, resize: str) -> ImageSet:
    extra = sum(len(entry.masks) > 1 for entry in entries)
    return ImageSet(
        images=None,
        labels=np.array([entry.label for entry in entries]),
        names=np.array([entry.name for entry in entries]),
        classes=CLASSES,
        source=f"BUSI, {len(entries)} images at {size}×{size}, {resize}; {masks} mask of the {extra} with several",
        sizes=np.array(sizes),
        n_masks=np.array([len(entry.masks) for entry in entries]),
    )


def _sizes(entries: list[_Entry]) -> list[tuple[int, int]]:
    """Height and width in pixels of each image, from the head of its file."""

    def size(entry: _Entry) -> tuple[int, int]:
        try:
            with Image.open(entry.image) as image:
                return image.size[::-1]
        except UnidentifiedImageError as error:
            raise DataError(f"{entry.image}: no image") from error

    with ThreadPoolExecutor() as pool:
        return list(pool.map(size, entries))


def _read(file: Path) -> Image.Image:
    """The image as float32 in [0, 1]; colour, transparency and 1-bit are converted to gray first."""
    try:
        with Image.open(file) as image:
            # Transparency is dropped, not blended: BUSI's alpha channels are opaque.
            gray = image.convert("L")
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{file}: no image") from error
    except (OSError, SyntaxError) as error:  # SyntaxError: Pillow's word for a broken PNG chunk
        raise DataError(f"{file}: damaged or cut off ({error})") from error
    return Image.fromarray(np.asarray(gray, np.float32) / 255)


def _union(image: Path, size: tuple[int, int], files: Iterable[Path]) -> Image.Image:
    union = np.zeros(size[::-1], np.float32)
    for file in files:
        mask = _read(file)
        if mask.size != size:
            raise DataError(f"{file}: {mask.size[0]}×{mask.size[1]} pixels, but {image.name} has {size[0]}×{size[1]}")
        union = np.maximum(union, np.asarray(mask))
    return Image.fromarray(union)


def resized(image: Image.Image, size: int, resize: str) -> np.ndarray:
    if resize == "area":
        resized = image.resize((size, size), Image.Resampling.BOX)
    else:
        # Image.resize would widen the filter when it shrinks; the authors' cv2.resize does not.
        scale = (image.width / size, 0, 0, 0, image.height / size, 0)
        resized = image.transform((size, size), Image.Transform.AFFINE, scale, Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, np.float32), 0, 1)
