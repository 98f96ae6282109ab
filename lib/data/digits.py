"""Handwritten digits: MNIST (IV-A) for the search, scikit-learn's small ones for smoke."""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

from lib.core import paths
from lib.data import files
from lib.data.record import DataError, ImageSet, Source

CLASSES = tuple("0123456789")
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


@dataclass(frozen=True)
class Mnist(Source):
    """MNIST's training images or its ``test`` images, float32 (n, 28, 28, 1) in [0, 1], as Keras packs them."""

    part: str = "train"
    folder = "mnist.npz"

    def read(self) -> ImageSet:
        places = " or ".join(paths.relative(folder / self.folder) for folder in paths.data_folders())
        file = paths.find_data(self.folder) or files.download(URL, SHA256, f"Put it at {places}")
        try:
            with np.load(file) as stored:
                images, labels = stored[f"x_{self.part}"], stored[f"y_{self.part}"]
        except Exception as error:  # zipfile, zlib and numpy have one each for a damaged file
            raise DataError(f"{file} is not MNIST as Keras packs it ({error}). Remove it: it is downloaded") from error
        if images.shape != (60_000 if self.part == "train" else 10_000, 28, 28):
            raise DataError(f"{file} is not MNIST: its images are {images.shape}. Remove it: it is downloaded")
        return _image_set(images / np.float32(255), labels, self.part, "MNIST")


@dataclass(frozen=True)
class SmallDigits(Source):
    """scikit-learn's digits in the place of MNIST: the first 1,200, or as ``test`` the other 597; (n, 8, 8, 1)."""

    part: str = "train"

    def read(self) -> ImageSet:
        stored = load_digits()
        chosen = slice(1200) if self.part == "train" else slice(1200, None)
        return _image_set(stored.images[chosen] / 16, stored.target[chosen], self.part, "scikit-learn's digits, 8×8")


def _image_set(images: np.ndarray, labels: np.ndarray, part: str, source: str) -> ImageSet:
    names = np.array([f"{part}-{index:05d}" for index in range(len(labels))])
    return ImageSet(images[..., None].astype(np.float32), labels.astype(np.int64), names, CLASSES, source)
