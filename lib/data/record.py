"""The one record that every data set is read into, and the description by which jobs name a data set."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lib.core import paths, raw


class DataError(ValueError):
    """Data on disk that cannot be what it should be; the message names the file and the cure."""


@dataclass(frozen=True)
class ImageSet:
    """Images with labels and, where the data set has them, masks, original sizes and groups.

    What may be None has the type ``Any`` beside its own: who uses it knows that this data set has it.

    Attributes
    ----------
    images : float32 (n, height, width, 1), values in [0, 1]; None where the files are absent and only the
        published listing of them is known (:meth:`Source.table`).
    labels : int64 (n,), indices into ``classes``.
    names : str (n,), unique.
    classes : class names in label order.
    source : one line that names the data; printed under every table.
    masks : float32 (n, height, width, 1) in [0, 1], or None.  1 inside lesions; soft at the border
        where the resizing was bilinear or area-averaged.
    sizes : int64 (n, 2), height and width of the files in pixels, or None.
    n_masks : int64 (n,), mask files per image, or None.
    groups : int64 (n,), images that must stay on one side of a split (patient, case), or None.
    """

    images: np.ndarray | Any
    labels: np.ndarray
    names: np.ndarray
    classes: tuple[str, ...]
    source: str
    masks: np.ndarray | Any = None
    sizes: np.ndarray | Any = None
    n_masks: np.ndarray | Any = None
    groups: np.ndarray | Any = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: np.ndarray) -> "ImageSet":
        """The images at ``indices``, in that order."""
        arrays = {name: value[indices] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)

    def counts(self) -> pd.Series:
        """Images per class, in class order."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return pd.Series(counts, index=pd.Index(self.classes, name="class"), name="images")


@dataclass(frozen=True)
class Source(ABC):
    """A data set by description: read where a job runs, and known by the content of its files.

    Subclasses are frozen dataclasses.
    """

    folder = ""  # of the raw files, below the data folders; empty for data that are made

    @abstractmethod
    def read(self) -> ImageSet:
        """The images from their files, or made."""

    def describe(self) -> dict[str, Any]:
        """What stands for the images in keys: the files' content and the settings that differ from the default."""
        changed = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}
        files = {"files": raw.identity(self.folder)} if self.folder else {}
        return {"source": type(self).__name__.lower(), **files, **changed}

    def load(self) -> ImageSet:
        """The images, read once per process; where their files are absent, a download or an error with the cure."""
        return _load(self, str(self.describe()))

    def table(self) -> ImageSet:
        """Labels, names, sizes, numbers of masks and groups without images, which need not be at hand."""
        return replace(self.load(), images=None, masks=None)

    def open(self) -> ImageSet:
        """The images where they are at hand, else their table: its ``images`` are None, and pictures are left out."""
        return self.load() if not self.folder or paths.find_data(self.folder) else self.table()


@lru_cache(maxsize=4)
def _load(source: Source, identity: str) -> ImageSet:
    return source.read()
