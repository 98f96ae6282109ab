"""Handwritten digits: MNIST (IV-A) for the search, scikit-learn's small ones for smoke."""

from pathlib import Path

import numpy as np

from lib.core import paths
from lib.data.record import DataError, ImageSet

CLASSES = tuple(str(digit) for digit in range(10))
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_SHAPES = {"x_train": (60_000, 28, 28), "y_train": (60_000,), "x_test": (10_000, 28, 28), "y_test": (10_000,)}


def mnist(part: str = "train") -> ImageSet:
    """MNIST's 60,000 images (``"train"``) or its 10,000 (``"test"``), float32 (n, 28, 28, 1) in [0, 1].

    ``mnist.npz`` is looked for in the data folders, then downloaded.

    Raises
    ------
    lib.core.paths.MissingDataError
        If it is nowhere and cannot be downloaded.
    lib.data.record.DataError
        If the file is not MNIST as Keras packs it.
    """
    file = paths.find_data("mnist.npz") or _download()
    try:
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in _SHAPES}
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{paths.relative(file)} is not mnist.npz: {error}. Remove it and it is downloaded") from None
    for name, shape in _SHAPES.items():
        if arrays[name].shape != shape:
            raise DataError(f"{paths.relative(file)}: {name} is {arrays[name].shape}, MNIST has {shape}")
    return _image_set(arrays[f"x_{part}"] / np.float32(255), arrays[f"y_{part}"], part, "MNIST")


def small(part: str = "train") -> ImageSet:
    """scikit-learn's digits, which come with the package: the first 1,200, or ``"test"``, the other 597.

    float32 (n, 8, 8, 1) in [0, 1].
    """
    from sklearn.datasets import load_digits

    stored = load_digits()
    chosen = slice(1200) if part == "train" else slice(1200, None)
    return _image_set(stored.images[chosen] / 16, stored.target[chosen], part, "scikit-learn's digits, 8×8")


def _image_set(images: np.ndarray, labels: np.ndarray, part: str, source: str) -> ImageSet:
    names = np.array([f"{part}-{index:05d}" for index in range(len(labels))])
    return ImageSet(images[..., None].astype(np.float32), labels.astype(np.int64), names, CLASSES, source)


def _download() -> Path:
    import pooch

    try:
        found = pooch.retrieve(URL, known_hash=SHA256, fname="mnist.npz", path=paths.download_folder())
    except Exception as error:  # no network, a refused connection, a wrong checksum: the cure is the same
        places = " or ".join(paths.relative(folder / "mnist.npz") for folder in paths.data_folders())
        raise paths.MissingDataError(
            f"MNIST is not here and could not be downloaded ({error}). Put it at {places}; it is {URL}"
        ) from None
    return Path(found)
