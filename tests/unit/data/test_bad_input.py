"""Whatever lies in the data folder: one clear error that names the file, or the right pixels."""

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from lib.core import paths
from lib.data import busi, files, group_files
from lib.data.bus_uclm import BusUclm
from lib.data.busi import Busi, CuratedBusi
from lib.data.digits import Mnist
from lib.data.mammograms import KauBcmd, MiniMias
from lib.data.record import DataError

IMAGE, MASK = "benign/benign (1).png", "benign/benign (1)_mask.png"


def picture(path: Path, size=(60, 40), value=100, mode="L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def much_text(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 80_000_000, zip=True)
    Image.new("L", (60, 40)).save(path, pnginfo=info)


def bomb(path: Path) -> None:
    """A head that claims 20,000 × 20,000 pixels."""
    picture(path)
    head = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + path.read_bytes()[24:29]
    path.write_bytes(path.read_bytes()[:12] + head + zlib.crc32(head).to_bytes(4, "big") + path.read_bytes()[33:])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def second_spelling(root: Path) -> None:
    for suffix in ("", "_mask"):
        shutil.copy(root / f"benign/benign (1){suffix}.png", root / f"benign/Benign (1){suffix}.png")


BUSI_CASES = {
    "no mask": (lambda root: (root / MASK).unlink(), r"no mask of benign \(1\)"),
    "no image": (lambda root: (root / IMAGE).unlink(), r"no image of benign \(1\)"),
    "mask of another size": (
        lambda root: picture(root / MASK, (59, 40)),
        r"benign \(1\)_mask\.png: 59×40 pixels, but benign \(1\) has 60×40",
    ),
    "image is text": (lambda root: text(root / IMAGE, "no picture"), r"benign \(1\)\.png: no image"),
    "image is empty": (lambda root: text(root / IMAGE, ""), r"benign \(1\)\.png: no image"),
    "image is cut": (lambda root: cut(root / IMAGE), r"benign \(1\)\.png: damaged or cut off .* Put an undamaged copy"),
    "a flipped byte": (lambda root: flip(root / IMAGE), r"benign \(1\)\.png: damaged or cut off"),
    "mask is cut": (lambda root: cut(root / MASK), r"benign \(1\)_mask\.png: damaged or cut off"),
    "image is a folder": (
        lambda root: [(root / IMAGE).unlink(), (root / IMAGE).mkdir()],
        r"benign \(1\)\.png: no such file",
    ),
    "image is a pipe": (lambda root: pipe(root / IMAGE), r"benign \(1\)\.png: no such file"),
    "image is a dead link": (
        lambda root: [(root / IMAGE).unlink(), (root / IMAGE).symlink_to("nowhere")],
        r"benign \(1\)\.png: no such file",
    ),
    "one pixel": (lambda root: picture(root / IMAGE, (1, 1)), r"benign \(1\)\.png: 1×1 pixels; 8 to 10000"),
    "a bomb": (lambda root: bomb(root / IMAGE), r"benign \(1\)\.png: .*(20000|400000000)"),
    "80 MB of text": (lambda root: much_text(root / IMAGE), r"benign \(1\)\.png: damaged .*too large"),
    "no class folder": (lambda root: shutil.rmtree(root / "malignant"), "no images of malignant"),
    "an empty class": (lambda root: [file.unlink() for file in (root / "normal").iterdir()], "no images of normal"),
    "nothing": (lambda root: [shutil.rmtree(file) for file in root.iterdir()], "no images of normal, benign, malig"),
    "another file": (lambda root: text(root / "benign/notes.txt", "x"), r"notes\.txt: not a name of BUSI, like"),
    "a file of another class": (
        lambda root: shutil.move(root / "normal/normal (1).png", root / "benign"),
        r"benign/normal \(1\)\.png: not a name of BUSI",
    ),
    "two spellings": (second_spelling, r"Benign \(1\)(_mask)?\.png: not a name of BUSI"),
    "an empty lesion": (lambda root: picture(root / MASK, value=0), r"benign \(1\)_mask\.png: no lesion"),
    "a lesion in a normal": (
        lambda root: picture(root / "normal/normal (1)_mask.png", value=255),
        r"normal \(1\)_mask\.png: a lesion",
    ),
}


@pytest.mark.parametrize("case", BUSI_CASES)
def test_busi(busi_folder, case):
    damage, message = BUSI_CASES[case]
    damage(busi_folder)
    with pytest.raises(DataError, match=message) as caught:
        busi.load(busi_folder, size=16)
    assert len(str(caught.value).splitlines()) == 1
    assert str(busi_folder) in str(caught.value)


KAU, BENIGN_KAU = "kau-bcmd/BIRAD 1/2016_BC011001_ CC_L.jpg", "kau-bcmd/BIRAD 2/2016_BC021001_ CC_L.jpg"
INFO = "Image;Resolution;Label;Doppler;Marks;Combined\n"
LIST = "curated-busi/mapping_curated_BUSI.csv"


def films(root: Path, info: str | None, *names: str) -> None:
    for name in names:
        picture(root / "mini-mias" / name)
    if info is not None:
        text(root / "mini-mias/Info.txt", info)


def digits(root: Path, n: int) -> None:
    arrays = {f"{kind}_{part}": np.zeros((n, 28, 28)) for kind in "xy" for part in ("train", "test")}
    np.savez(root / "mnist.npz", **arrays)


FOLDER_CASES = {
    "KAU-BCMD without folders": (KauBcmd(), lambda root: (root / "kau-bcmd").mkdir(), "no images of BI-RADS 1, BI-RAD"),
    "KAU-BCMD with one class": (KauBcmd(), lambda root: picture(root / KAU), "no images of BI-RADS 2–3, BI-RADS 4–5"),
    "KAU-BCMD with another name": (
        KauBcmd(),
        lambda root: picture(root / "kau-bcmd/BIRAD 1/holiday.jpg"),
        r"holiday\.jpg: expected a name such as 'BIRAD 1/2016",
    ),
    "KAU-BCMD with a broken file": (
        KauBcmd(),
        lambda root: [picture(root / BENIGN_KAU.replace("2", "4")), picture(root / BENIGN_KAU), text(root / KAU, "x")],
        r"2016_BC011001_ CC_L\.jpg: no image",
    ),
    "mini-MIAS without Info.txt": (MiniMias(), lambda root: films(root, None, "mdb001.png"), r"Info\.txt is missing"),
    "mini-MIAS without films": (MiniMias(), lambda root: films(root, "nothing"), "no films"),
    "mini-MIAS lacks a film": (MiniMias(), lambda root: films(root, "mdb004 D NORM"), r"mdb004\.png: no such file"),
    "mini-MIAS lacks a severity": (MiniMias(), lambda root: films(root, "mdb001 G CIRC 1 2"), "without B or M"),
    "BUS-UCLM without INFO.csv": (BusUclm(), lambda root: (root / "bus-uclm").mkdir(), r"INFO\.csv: no CSV file"),
    "BUS-UCLM with another INFO.csv": (
        BusUclm(),
        lambda root: text(root / "bus-uclm/INFO.csv", "Image;Label\n"),
        "lacks Doppler, Marks",
    ),
    "BUS-UCLM lacks an image": (
        BusUclm(),
        lambda root: text(root / "bus-uclm/INFO.csv", INFO + "ALWI_000.png;1x1;Benign;No;No;No\n"),
        r"images/ALWI_000\.png: no such file",
    ),
    "Curated BUSI with unknown images": (
        CuratedBusi(),
        lambda root: text(root / LIST, "class;id\nbenign;99\n"),
        r"1 unknown images \['benign \(99\)'\]",
    ),
    "Curated BUSI with an empty list": (CuratedBusi(), lambda root: text(root / LIST, ""), "no CSV file"),
    "MNIST is text": (Mnist(), lambda root: text(root / "mnist.npz", "not a zip"), r"mnist\.npz is not MNIST"),
    "MNIST is cut": (Mnist(), lambda root: [digits(root, 60_000 // 100), cut(root / "mnist.npz")], "is not MNIST"),
    "MNIST of three": (Mnist(), lambda root: digits(root, 3), r"images are \(3, 28, 28\). Remove it"),
    "MNIST without images": (Mnist(), lambda root: np.savez(root / "mnist.npz", a=1), "is not MNIST as Keras packs it"),
}


@pytest.mark.parametrize("case", FOLDER_CASES)
def test_other_data(busi_folder, monkeypatch, case):
    monkeypatch.setenv("PAPER_DATA", str(busi_folder.parent))
    source, damage, message = FOLDER_CASES[case]
    damage(busi_folder.parent)
    with pytest.raises(DataError, match=message) as caught:
        source.read()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("source", [KauBcmd(), MiniMias(), BusUclm(), CuratedBusi()], ids=lambda source: source.folder)
def test_an_absent_folder_is_named_with_the_page_that_has_it(busi_folder, monkeypatch, source):
    monkeypatch.setenv("PAPER_DATA", str(busi_folder.parent))
    with pytest.raises(paths.MissingDataError, match=r"is not here\. Put it at .*; it is at \w+\.\w+"):
        source.read()


def test_a_mistyped_data_folder_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path / "mistyped"))
    with pytest.raises(paths.MissingDataError, match="mistyped"):
        MiniMias().read()
    with pytest.raises(DataError, match="mistyped"):
        busi.load(tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()


NAMES = np.array([f"image ({k})" for k in range(6)])
NO_PAIRS = pd.DataFrame({"first": [], "second": [], "correlation": []})


def published(file: Path) -> np.ndarray:
    return group_files.read_published(file, NAMES)


def overrides(file: Path) -> np.ndarray:
    return group_files.apply_overrides(np.arange(6), NAMES, file, NO_PAIRS)


HEAD = "first,second,related\n"
TABLE_CASES = [
    (published, "group,class,image\n1,image,image (9)\n", r"1 images unknown \['image \(9\)'\]"),
    (published, "group,class,image\n1,image,image (1)\n2,image,image (1)\n", "1 images repeated"),
    (published, "group,class,image\n7,benign,image (1)\n", "1 images of another class"),
    (
        published,
        "group,class,image\n1,image,image (1)\n,image,image (2)\n",
        r"1 images without a group \['image \(2\)'\]",
    ),
    (published, "group,image\n1,image (1)\n", "needs columns group, class, image; lacks class"),
    (published, "", "no CSV file"),
    (published, HEAD.encode("utf-16"), "no CSV file in UTF-8"),
    (published, bytes(range(256)) * 4, "no CSV file in UTF-8"),
    (published, 'group,class,image\n"1,image,image (1)\n', "no CSV file"),
    (published, None, "no CSV file"),
    (overrides, HEAD + "image (0),image (9),yes\n", "1 unknown images"),
    (overrides, HEAD + "image (0),image (1),maybe\n", r"neither yes nor no \['maybe'\]"),
    (overrides, HEAD + "image (0),image (1),\n", r"neither yes nor no \[''\]"),
    (overrides, HEAD + "image (2),image (2),no\n", "paired with themselves"),
    (overrides, HEAD + "image (0),image (1),yes\nimage (1),image (0),no\n", r"image \(1\) – image \(0\)"),
    (
        overrides,
        HEAD + "image (0),image (1),yes\nimage (1),image (2),yes\nimage (0),image (2),no\n",
        "rows that say yes",
    ),
    (overrides, HEAD.replace(",", ";") + "image (0);image (1);yes\n", "lacks first, second, related"),
]


def test_a_group_that_a_spreadsheet_wrote_as_a_decimal_is_the_same(tmp_path):
    rows = "".join(f"{group},image,image ({k})\n" for k, group in enumerate(["0", "0.0", "10", "1", "1.00", "1.5"]))
    text(tmp_path / "some.csv", "group,class,image\n" + rows)
    assert published(tmp_path / "some.csv").tolist() == [0, 0, 1, 2, 2, 3]


@pytest.mark.parametrize(("reader", "content", "message"), TABLE_CASES)
def test_tables(tmp_path, reader, content, message):
    file = tmp_path / "some.csv"
    file.mkdir() if content is None else text(file, content)
    with pytest.raises(DataError, match=message) as caught:
        reader(file)
    assert "some.csv" in str(caught.value)


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
