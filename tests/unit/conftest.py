"""Fixtures: a small data set in BUSI's layout with every kind of file it has, phantoms, real data if there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from lib.core import paths
from lib.data import phantoms, splits

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


def pytest_addoption(parser):
    parser.addoption("--replay", action="store_true", help="compute every published number again, for minutes")


def draw(folder: Path, name: str, label: str, masks: int = 1, size=(60, 40), modes=("L", "L")) -> None:
    """Write one image with its masks; a normal's mask is empty, mask k is a square of its own."""
    generator = np.random.default_rng(len(list(folder.glob("*"))))
    width, height = size
    pixels = generator.integers(0, 256, (height, width), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(modes[0]).save(folder / f"{name}.png")
    for number in range(masks):
        mask = np.zeros((height, width), np.uint8)
        if label != "normal":
            mask[10:20, 5 + 20 * number : 15 + 20 * number] = 255
        suffix = f"_{number}" if number else ""
        Image.fromarray(mask).convert(modes[1]).save(folder / f"{name}_mask{suffix}.png")


@pytest.fixture
def busi_folder(tmp_path: Path) -> Path:
    """Ten images: gray, RGB and RGBA images; gray, 1-bit, RGB and RGBA masks; one with two masks."""
    root = tmp_path / "busi"
    for number, modes in enumerate([("L", "L"), ("RGB", "1"), ("RGBA", "RGBA")], 1):
        draw(root / "normal", f"normal ({number})", "normal", modes=modes)
    for number, modes in enumerate([("RGB", "L"), ("L", "RGB"), ("RGB", "1"), ("RGBA", "RGBA")], 1):
        draw(root / "benign", f"benign ({number})", "benign", masks=2 if number == 2 else 1, modes=modes)
    for number, size in enumerate([(60, 40), (33, 57), (128, 128)], 1):
        draw(root / "malignant", f"malignant ({number})", "malignant", size=size)
    return root


@pytest.fixture(scope="session")
def small():
    """40 phantoms of 32 pixels and their split."""
    data = phantoms.make(40, 32, seed=1)
    return data, splits.stratified(data.labels, 0, 0.6, 0.2)


@pytest.fixture(scope="session")
def real_busi() -> Path:
    folder = paths.find_data("busi")
    if folder is None:
        pytest.skip("BUSI is not on this machine: put it into data/busi or set PAPER_DATA")
    return folder
