"""The one record that every data set is read into."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


class DataError(ValueError):
    """Data on disk that cannot be what it should be; the message names the file and the cure."""


@dataclass(frozen=True)
class ImageSet:
    """Images with labels and, where the data set has them, masks, original sizes and groups.

    Attributes
    ----------
    images : float32 (n, height, width, 1), values in [0, 1]; None where the files are absent and only the
        published listing of them is known (:meth:`lib.data.sources.Source.table`).
    labels : int64 (n,), indices into ``classes``.
    names : str (n,), unique.
    classes : class names in label order.
    source : one line that says which data these are; printed under every table.
    masks : float32 (n, height, width, 1) in [0, 1], or None.  1 inside lesions; soft at the border
        where the resizing was bilinear or area-averaged.
    sizes : int64 (n, 2), height and width of the files in pixels, or None.
    n_masks : int64 (n,), mask files an image, or None.
    groups : int64 (n,), images that must stay on one side of a split (patient, case), or None.
    """

    images: np.ndarray | None
    labels: np.ndarray
    names: np.ndarray
    classes: tuple[str, ...]
    source: str
    masks: np.ndarray | None = None
    sizes: np.ndarray | None = None
    n_masks: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        for field in ("images", "names", "masks", "sizes", "n_masks", "groups"):
            value = getattr(self, field)
            if value is not None and len(value) != len(self.labels):
                raise DataError(f"{len(value)} {field} for {len(self.labels)} labels")
        if len(set(self.names)) != len(self.names):
            raise DataError("image names repeat: they must be unique")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: np.ndarray) -> "ImageSet":
        """The images at ``indices``, in that order."""
        arrays = ("images", "labels", "names", "masks", "sizes", "n_masks", "groups")
        taken = {name: getattr(self, name) for name in arrays}
        return replace(self, **{name: value[indices] for name, value in taken.items() if value is not None})

    def counts(self) -> pd.Series:
        """Images a class, in class order."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return pd.Series(counts, index=pd.Index(self.classes, name="class"), name="images")
