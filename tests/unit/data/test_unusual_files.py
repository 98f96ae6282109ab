"""Files that are unusual but right: their pixels and rows are read as meant."""

import numpy as np
import pytest
from PIL import Image

from lib.data import busi, files
from lib.data.busi import Busi, CuratedBusi
from lib.data.record import DataError
from tests.unit.bad_input.damage import text
from tests.unit.bad_input.data_sets import GROUPS, LIST, published


def test_twelve_and_sixteen_bits_are_scaled_by_their_range(tmp_path):
    ramp = np.arange(100, dtype=np.uint16).reshape(10, 10) * 41
    for bits, factor in ((4095, 1), (65_535, 16)):
        Image.fromarray(ramp * np.uint16(factor)).save(tmp_path / "deep.png")
        assert np.asarray(files.read_gray(tmp_path / "deep.png")) == pytest.approx(ramp * factor / bits)


def test_masks_of_zeros_and_ones_are_lesions(busi_folder):
    expected = busi.load(busi_folder, size=16).masks
    for file in busi_folder.rglob("*_mask*.png"):
        Image.fromarray((np.asarray(Image.open(file).convert("L")) > 0).astype(np.uint8)).save(file)
    assert np.array_equal(busi.load(busi_folder, size=16).masks, expected)


def test_a_list_with_blanks_and_a_byte_order_mark_is_read(busi_folder, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(busi_folder.parent))
    text(busi_folder.parent / LIST, "\ufeffclass;id\nbenign;1 \nmalignant;2\n")
    assert CuratedBusi(16).read().names.tolist() == ["benign (1)", "malignant (2)"]
    assert len(Busi(16).read()) == 10


def test_a_group_that_a_spreadsheet_wrote_as_a_decimal_is_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{group},image,image ({k})\n" for k, group in enumerate(["0", "0.0", "10", "1", "1.00", "1.5"]))
    text(tmp_path / "some.csv", GROUPS + rows)
    assert published().tolist() == [0, 0, 1, 2, 2, 3]


def test_pixels_of_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="floating-point numbers of unknown range"):
        files.read_gray(tmp_path / "a.tif")
