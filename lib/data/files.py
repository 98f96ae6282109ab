"""Files of data sets: found or downloaded, and read; what cannot be used is named with its cure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
from PIL import Image, UnidentifiedImageError

from lib.core import paths
from lib.data.record import DataError

_LEAST, _MOST = 8, 10_000  # pixels a side, of images that are read; larger ones are not decoded


def find(name: str, page: str) -> Path:
    """The file or folder ``name`` of the data folders; where it is absent, an error names the ``page`` that has it."""
    if found := paths.find_data(name):
        return found
    places = " or ".join(paths.relative(folder / name) for folder in paths.data_folders())
    raise paths.MissingDataError(f"{name} is not here. Put it at {places}; it is at {page}")


def download(url: str, sha256: str, cure: str) -> Path:
    """The file at ``url``, checked, in the first data folder; where that fails, an error with the ``cure``."""
    found = _retrieved(url, sha256, paths.download_folder())
    if isinstance(found, Exception):
        raise paths.MissingDataError(f"{url} could not be downloaded: {str(found).splitlines()[0]}\n{cure}") from found
    return found


@cache
def _retrieved(url: str, sha256: str, folder: Path) -> Path | Exception:
    # Tried once per process: hundreds of jobs may ask.
    try:
        return Path(pooch.retrieve(url, known_hash=sha256, path=folder, fname=Path(url).name))
    except Exception as error:  # no network, a refused connection, a wrong checksum: the cure is the same
        return error


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """An image file for a ``with`` block; what goes wrong in it is a DataError that names the file."""
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        with Image.open(file) as image:
            if not _LEAST <= min(image.size) <= max(image.size) <= _MOST:
                raise DataError(f"{file}: {image.width}×{image.height} pixels; {_LEAST} to {_MOST} a side are read")
            yield image
    except UnidentifiedImageError as error:
        raise DataError(f"{file}: no image") from error
    except DataError:
        raise
    # SyntaxError is Pillow's for a broken PNG chunk, ValueError for too much text in one.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: damaged or cut off ({error}). Put an undamaged copy there") from error


def read_gray(file: Path) -> Image.Image:
    """An image as float32 in [0, 1]; colour and 1 bit are converted, 12 and 16 bits scaled by their range."""
    with opened(file) as image:
        if image.mode.startswith("I"):
            pixels = np.asarray(image, np.float32)
            return Image.fromarray(pixels / (2**12 - 1 if pixels.max() < 2**12 else 2**16 - 1))
        if image.mode == "F":
            raise DataError(f"{file}: pixels are floating-point numbers of unknown range; whole numbers are read")
        # Transparency is dropped, not blended: BUSI's alpha channels are opaque.
        return Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255)


def read_table(file: Path, columns: Sequence[str], separator: str = ",") -> pd.DataFrame:
    """Columns of a CSV file as text without blanks around it."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        frame = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: no CSV file in UTF-8 ({error})") from error
    if missing := [column for column in columns if column not in frame]:
        raise DataError(f"{file}: needs columns {', '.join(columns)}; lacks {', '.join(missing)}")
    return frame[list(columns)].apply(lambda column: column.str.strip())
