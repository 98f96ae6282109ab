from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib.core import paths
from lib.core.config import SettingsError
from lib.data import mammograms, splits
from lib.data.record import DataError


def write(path: Path, value: int, size: tuple[int, int] = (50, 70)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


@pytest.fixture
def kau(tmp_path: Path) -> Path:
    """KAU-BCMD as distributed: BIRAD folders, four views a case, a blank before the view, mixed sizes."""
    root = tmp_path / "kau-bcmd"
    for level in (1, 3, 4, 5):
        for case in range(6):
            for number, view in enumerate(("CC_L", "CC_R", "MLO_L", "MLO_R")):
                name = f"2016_BC01{level}{case:02d}1_ {view}.jpg"
                write(root / f"BIRAD {level}" / name, 10 * level + number, (50 + case, 70))
    (root / "Dataset.xlsx").write_bytes(b"")
    return root


def test_kau_bcmd_in_its_real_layout(kau):
    images = mammograms.kau_bcmd(kau)
    assert images.images.shape == (96, 64, 64, 1)
    assert images.images.dtype == np.float32
    assert images.classes == ("BI-RADS 1", "BI-RADS 3", "BI-RADS 4", "BI-RADS 5")
    assert images.counts().tolist() == [24] * 4
    assert np.bincount(images.groups).tolist() == [4] * 24
    assert abs(images.images[0].mean() * 255 - 10) < 1
    assert "BIRAD 1/2016_BC011001_ CC_L.jpg" in images.names


def test_three_classes_join_two_and_three_and_four_and_five(kau):
    images = mammograms.kau_bcmd(kau, size=16, classes="three")
    assert images.images.shape == (96, 16, 16, 1)
    assert images.counts().to_dict() == {"BI-RADS 1": 24, "BI-RADS 2–3": 24, "BI-RADS 4–5": 48}


def test_a_case_stays_on_one_side(kau):
    images = mammograms.kau_bcmd(kau, size=8, classes="three")
    split = splits.grouped(images.labels, images.groups, 0, 0.6, 0.2)
    sides = [set(images.groups[indices]) for indices in split.parts().values()]
    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & sides[2]


def test_wrong_kau_folders_are_named(kau, tmp_path):
    with pytest.raises(SettingsError, match="did you mean 'three'"):
        mammograms.kau_bcmd(kau, classes="tree")
    with pytest.raises(paths.MissingDataError, match="kaggle"):
        mammograms.kau_bcmd(tmp_path / "nowhere")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no folders BIRAD"):
        mammograms.kau_bcmd(tmp_path / "none")
    (kau / "BIRAD 2").mkdir()
    with pytest.raises(DataError, match=r"BIRAD 2 is empty"):
        mammograms.kau_bcmd(kau)


def test_a_foreign_name_or_a_broken_file_is_named(kau):
    bad = kau / "BIRAD 1" / "holiday.jpg"
    write(bad, 0)
    with pytest.raises(DataError, match=r"holiday\.jpg"):
        mammograms.kau_bcmd(kau)
    bad.unlink()
    (kau / "BIRAD 1" / "2016_BC019001_ CC_L.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match="no readable image"):
        mammograms.kau_bcmd(kau)


def test_missing_class_of_three_is_named(tmp_path):
    for case in range(4):
        write(tmp_path / "BIRAD 1" / f"2017_BC{case:04d}_ CC_L.jpg", 1)
    with pytest.raises(DataError, match="BI-RADS 2–3, BI-RADS 4–5"):
        mammograms.kau_bcmd(tmp_path, classes="three")


@pytest.fixture
def mias(tmp_path: Path) -> Path:
    root = tmp_path / "mini-mias"
    for film in range(1, 9):
        write(root / f"mdb{film:03d}.png", film, (256, 256))
    (root / "Info.txt").write_text(
        "some words\nmdb001 G CIRC B 535 425 197\nmdb002 G CIRC B 1 2 3\nmdb003 D NORM \nmdb004 D NORM\n"
        "mdb005 F CIRC B 477 133 30\nmdb005 F CIRC M 500 168 26\nmdb006 F NORM\nmdb007 G CALC B\nmdb008 G NORM\n"
    )
    return root


def test_mini_mias_takes_the_worst_finding_and_pairs_films(mias):
    images = mammograms.mini_mias(mias)
    assert images.classes == ("normal", "benign", "malignant")
    assert images.labels.tolist() == [1, 1, 0, 0, 2, 0, 1, 0]
    assert images.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert images.images.shape == (8, 64, 64, 1)


def test_mini_mias_that_is_not_whole_is_refused(mias):
    (mias / "mdb004.png").unlink()
    with pytest.raises(DataError, match="mdb004"):
        mammograms.mini_mias(mias)
    (mias / "Info.txt").write_text("nothing")
    with pytest.raises(DataError, match="no films"):
        mammograms.mini_mias(mias)
    (mias / "Info.txt").unlink()
    with pytest.raises(DataError, match=r"Info\.txt is missing"):
        mammograms.mini_mias(mias)


def test_the_real_mini_mias():
    if paths.find_data("mini-mias") is None:
        pytest.skip("mini-mias is not here")
    images = mammograms.mini_mias(size=16)
    assert images.counts().tolist() == [207, 63, 52]
    assert len(set(images.groups.tolist())) == 161


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=60, max_size=90), st.integers(0, 999))
def test_groups_stay_together_and_shares_are_near(groups, seed):
    labels = np.repeat([0, 1, 2, *(label for label, _ in groups)], [12, 12, 12, *(size for _, size in groups)])
    members = np.concatenate([np.arange(36), 36 + np.repeat(np.arange(len(groups)), [size for _, size in groups])])
    split = splits.grouped(labels, members, seed)
    sides = [set(members[indices]) for indices in split.parts().values()]
    assert sum(len(side) for side in sides) == len(set(members.tolist()))
    assert sum(len(indices) for indices in split.parts().values()) == len(labels)
    for label in range(3):
        of_class = (labels == label).sum()
        for indices, share in zip(split.parts().values(), (0.8, 0.1, 0.1), strict=True):
            assert abs((labels[indices] == label).sum() - share * of_class) <= 5


def test_a_class_in_too_few_groups_is_said():
    with pytest.raises(DataError, match="class 1 lies in 2 groups"):
        splits.grouped(np.repeat([0, 1], [30, 10]), np.r_[np.arange(30), np.repeat([30, 31], 5)], 0)
