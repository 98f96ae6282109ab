from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.core import paths
from lib.data.mammograms import KauBcmd, MiniMias


def write(path: Path, value: int, size: tuple[int, int] = (50, 70)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """A folder of data sets that is searched alone."""
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def kau(root: Path) -> Path:
    """KAU-BCMD as distributed: BIRAD folders, four views a case, a blank before the view, mixed sizes."""
    folder = root / "kau-bcmd"
    for level in (1, 3, 4, 5):
        for case in range(6):
            for number, view in enumerate(("CC_L", "CC_R", "MLO_L", "MLO_R")):
                name = f"2016_BC01{level}{case:02d}1_ {view}.jpg"
                write(folder / f"BIRAD {level}" / name, 10 * level + number, (50 + case, 70))
    for clutter in ("Dataset.xlsx", "BIRAD 1/Thumbs.db", "BIRAD 1/.DS_Store"):
        (folder / clutter).write_bytes(b"")
    return folder


def test_kau_bcmd_in_its_real_layout(kau):
    images = KauBcmd().read()
    assert images.images.shape == (96, 64, 64, 1)
    assert images.images.dtype == np.float32
    assert images.counts().to_dict() == {"BI-RADS 1": 24, "BI-RADS 2–3": 24, "BI-RADS 4–5": 48}
    assert np.bincount(images.groups).tolist() == [4] * 24
    assert abs(images.images[0].mean() * 255 - 10) < 1
    assert "BIRAD 1/2016_BC011001_ CC_L.jpg" in images.names


@pytest.fixture
def mias(root: Path) -> Path:
    folder = root / "mini-mias"
    for film in range(1, 9):
        write(folder / f"mdb{film:03d}.png", film, (256, 256))
    (folder / "Info.txt").write_text(
        "some words\nmdb001 G CIRC B 535 425 197\nmdb002 G CIRC B 1 2 3\nmdb003 D NORM \nmdb004 D NORM\n"
        "mdb005 F CIRC B 477 133 30\nmdb005 F CIRC M 500 168 26\nmdb006 F NORM\nmdb007 G CALC B\nmdb008 G NORM\n"
    )
    return folder


def test_mini_mias_takes_the_worst_finding_and_pairs_films(mias):
    images = MiniMias().read()
    assert images.classes == ("normal", "benign", "malignant")
    assert images.labels.tolist() == [1, 1, 0, 0, 2, 0, 1, 0]
    assert images.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert images.images.shape == (8, 64, 64, 1)


def test_the_real_mini_mias():
    if paths.find_data("mini-mias") is None:
        pytest.skip("mini-mias is not here")
    images = MiniMias(16).read()
    assert images.counts().tolist() == [207, 63, 52]
    assert len(set(images.groups.tolist())) == 161
