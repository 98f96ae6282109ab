"""What may lie in the data folder instead of a data set: each is named in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import busi, group_files
from lib.data.bus_uclm import BusUclm
from lib.data.busi import CuratedBusi
from lib.data.digits import Mnist
from lib.data.mammograms import KauBcmd, MiniMias
from tests.unit.bad_input.damage import (
    Case,
    bomb,
    cut,
    dead_link,
    flip,
    folder_instead,
    much_text,
    nothing,
    picture,
    pipe,
    text,
)

IMAGE, MASK = "busi/benign/benign (1).png", "busi/benign/benign (1)_mask.png"
KAU, BENIGN_KAU = "kau-bcmd/BIRAD 1/2016_BC011001_ CC_L.jpg", "kau-bcmd/BIRAD 2/2016_BC021001_ CC_L.jpg"
INFO = "Image;Resolution;Label;Doppler;Marks;Combined\n"
LIST = "curated-busi/mapping_curated_BUSI.csv"


def at(name: str, spoil: Callable, *arguments, **options) -> Callable[[Path], object]:
    """``spoil`` the file ``name`` of a folder."""
    return lambda folder: spoil(folder / name, *arguments, **options)


def _second_spelling(root: Path) -> None:
    for suffix in ("", "_mask"):
        shutil.copy(root / f"busi/benign/benign (1){suffix}.png", root / f"busi/benign/Benign (1){suffix}.png")


# In a folder with ten images in BUSI's layout.
_BUSI = {
    "no mask": (at(MASK, Path.unlink), r"no mask of benign \(1\)"),
    "no image": (at(IMAGE, Path.unlink), r"no image of benign \(1\)"),
    "mask of another size": (
        at(MASK, picture, (59, 40)),
        r"benign \(1\)_mask\.png: 59×40 pixels, but benign \(1\) has 60×40",
    ),
    "image is text": (at(IMAGE, text, "no picture"), r"benign \(1\)\.png: no image"),
    "image is empty": (at(IMAGE, text, ""), r"benign \(1\)\.png: no image"),
    "image is cut": (at(IMAGE, cut), r"benign \(1\)\.png: damaged or cut off .* Put an undamaged copy"),
    "a flipped byte": (at(IMAGE, flip), r"benign \(1\)\.png: damaged or cut off"),
    "mask is cut": (at(MASK, cut), r"benign \(1\)_mask\.png: damaged or cut off"),
    "image is a folder": (at(IMAGE, folder_instead), r"benign \(1\)\.png: no such file"),
    "image is a pipe": (at(IMAGE, pipe), r"benign \(1\)\.png: no such file"),
    "image is a dead link": (at(IMAGE, dead_link), r"benign \(1\)\.png: no such file"),
    "one pixel": (at(IMAGE, picture, (1, 1)), r"benign \(1\)\.png: 1×1 pixels; 8 to 10000"),
    "a bomb": (at(IMAGE, bomb), r"benign \(1\)\.png: .*(20000|400000000)"),
    "80 MB of text": (at(IMAGE, much_text), r"benign \(1\)\.png: damaged .*too large"),
    "no class folder": (at("busi/malignant", shutil.rmtree), "no images of malignant"),
    "an empty class": (
        lambda root: [file.unlink() for file in (root / "busi/normal").iterdir()],
        "no images of normal",
    ),
    "nothing": (
        lambda root: [shutil.rmtree(file) for file in (root / "busi").iterdir()],
        "no images of normal, benign, malig",
    ),
    "no folder": (at("busi", shutil.rmtree), "busi"),
    "another file": (at("busi/benign/notes.txt", text, "x"), r"notes\.txt: not a name of BUSI, like"),
    "a file of another class": (
        lambda root: shutil.move(root / "busi/normal/normal (1).png", root / "busi/benign"),
        r"benign/normal \(1\)\.png: not a name of BUSI",
    ),
    "two spellings": (_second_spelling, r"Benign \(1\)(_mask)?\.png: not a name of BUSI"),
    "an empty lesion": (at(MASK, picture, value=0), r"benign \(1\)_mask\.png: no lesion"),
    "a lesion in a normal": (
        at("busi/normal/normal (1)_mask.png", picture, value=255),
        r"normal \(1\)_mask\.png: a lesion",
    ),
}


def _films(root: Path, info: str | None, *names: str) -> None:
    for name in names:
        picture(root / "mini-mias" / name)
    if info is not None:
        text(root / "mini-mias/Info.txt", info)


def _digits(root: Path, n: int) -> None:
    arrays = {f"{kind}_{part}": np.zeros((n, 28, 28)) for kind in "xy" for part in ("train", "test")}
    np.savez(root / "mnist.npz", **arrays)


_ABSENT = r"is not here\. Put it at .*; it is at \w+\.\w+"
_OTHERS = {
    "KAU-BCMD without folders": (KauBcmd(), at("kau-bcmd", Path.mkdir), "no images of BI-RADS 1, BI-RAD"),
    "KAU-BCMD with one class": (KauBcmd(), at(KAU, picture), "no images of BI-RADS 2–3, BI-RADS 4–5"),
    "KAU-BCMD with another name": (
        KauBcmd(),
        at("kau-bcmd/BIRAD 1/holiday.jpg", picture),
        r"holiday\.jpg: expected a name such as 'BIRAD 1/2016",
    ),
    "KAU-BCMD with a broken file": (
        KauBcmd(),
        lambda root: [picture(root / BENIGN_KAU.replace("2", "4")), picture(root / BENIGN_KAU), text(root / KAU, "x")],
        r"2016_BC011001_ CC_L\.jpg: no image",
    ),
    "mini-MIAS without Info.txt": (MiniMias(), lambda root: _films(root, None, "mdb001.png"), r"Info\.txt is missing"),
    "mini-MIAS without films": (MiniMias(), lambda root: _films(root, "nothing"), "no films"),
    "mini-MIAS lacks a film": (MiniMias(), lambda root: _films(root, "mdb004 D NORM"), r"mdb004\.png: no such file"),
    "mini-MIAS lacks a severity": (MiniMias(), lambda root: _films(root, "mdb001 G CIRC 1 2"), "without B or M"),
    "BUS-UCLM without INFO.csv": (BusUclm(), at("bus-uclm", Path.mkdir), r"INFO\.csv: no CSV file"),
    "BUS-UCLM with another INFO.csv": (
        BusUclm(),
        at("bus-uclm/INFO.csv", text, "Image;Label\n"),
        "lacks Doppler, Marks",
    ),
    "BUS-UCLM lacks an image": (
        BusUclm(),
        at("bus-uclm/INFO.csv", text, INFO + "ALWI_000.png;1x1;Benign;No;No;No\n"),
        r"images/ALWI_000\.png: no such file",
    ),
    "Curated BUSI with unknown images": (
        CuratedBusi(),
        at(LIST, text, "class;id\nbenign;99\n"),
        r"1 unknown images \['benign \(99\)'\]",
    ),
    "Curated BUSI with an empty list": (CuratedBusi(), at(LIST, text, ""), "no CSV file"),
    "MNIST is text": (Mnist(), at("mnist.npz", text, "not a zip"), r"mnist\.npz is not MNIST"),
    "MNIST is cut": (Mnist(), lambda root: [_digits(root, 600), cut(root / "mnist.npz")], "is not MNIST"),
    "MNIST of three": (Mnist(), lambda root: _digits(root, 3), r"images are \(3, 28, 28\). Remove it"),
    "MNIST without images": (
        Mnist(),
        lambda root: np.savez(root / "mnist.npz", a=1),
        "is not MNIST as Keras packs it",
    ),
    **{f"no {one.folder}": (one, nothing, _ABSENT) for one in (KauBcmd(), MiniMias(), BusUclm(), CuratedBusi())},
}

_NAMES = np.array([f"image ({k})" for k in range(6)])
_NO_PAIRS = pd.DataFrame({"first": [], "second": [], "correlation": []})
_FILE = Path("some.csv")
HEAD, GROUPS = "first,second,related\n", "group,class,image\n"


def published() -> np.ndarray:
    """The groups of six images in ``some.csv`` of the folder."""
    return group_files.read_published(_FILE, _NAMES)


def _overrides() -> np.ndarray:
    return group_files.apply_overrides(np.arange(6), _NAMES, _FILE, _NO_PAIRS)


_TABLES = {
    "groups of an unknown image": (published, GROUPS + "1,image,image (9)\n", r"1 images unknown \['image \(9\)'\]"),
    "groups with an image twice": (published, GROUPS + "1,image,image (1)\n2,image,image (1)\n", "1 images repeated"),
    "groups of another class": (published, GROUPS + "7,benign,image (1)\n", "1 images of another class"),
    "groups without a group": (
        published,
        GROUPS + "1,image,image (1)\n,image,image (2)\n",
        r"1 images without a group \['image \(2\)'\]",
    ),
    "groups without a column": (
        published,
        "group,image\n1,image (1)\n",
        "needs columns group, class, image; lacks class",
    ),
    "groups of nothing": (published, "", "no CSV file"),
    "groups in UTF-16": (published, HEAD.encode("utf-16"), "no CSV file in UTF-8"),
    "groups in binary": (published, bytes(range(256)) * 4, "no CSV file in UTF-8"),
    "groups with an open quote": (published, f'{GROUPS}"1,image,image (1)\n', "no CSV file"),
    "groups in a folder": (published, None, "no CSV file"),
    "overrides of an unknown image": (_overrides, HEAD + "image (0),image (9),yes\n", "1 unknown images"),
    "overrides that say maybe": (
        _overrides,
        HEAD + "image (0),image (1),maybe\n",
        r"neither yes nor no \['maybe'\]",
    ),
    "overrides that say nothing": (_overrides, HEAD + "image (0),image (1),\n", r"neither yes nor no \[''\]"),
    "overrides of one image": (_overrides, HEAD + "image (2),image (2),no\n", "paired with themselves"),
    "overrides that say both": (
        _overrides,
        HEAD + "image (0),image (1),yes\nimage (1),image (0),no\n",
        r"image \(1\) – image \(0\)",
    ),
    "overrides against others": (
        _overrides,
        HEAD + "image (0),image (1),yes\nimage (1),image (2),yes\nimage (0),image (2),no\n",
        "rows that say yes",
    ),
    "overrides with semicolons": (
        _overrides,
        HEAD.replace(",", ";") + "image (0);image (1);yes\n",
        "lacks first, second, related",
    ),
}


def _table(content: str | bytes | None) -> Callable[[Path], object]:
    return at(_FILE.name, Path.mkdir) if content is None else at(_FILE.name, text, content)


CASES = {
    **{
        f"BUSI, {name}": Case(prepare, lambda: busi.load("busi", size=16), f"(?=.*busi).*{message}")
        for name, (prepare, message) in _BUSI.items()
    },
    **{name: Case(prepare, source.read, message) for name, (source, prepare, message) in _OTHERS.items()},
    **{
        name: Case(_table(content), reader, rf"(?=.*some\.csv).*{message}")
        for name, (reader, content, message) in _TABLES.items()
    },
}
