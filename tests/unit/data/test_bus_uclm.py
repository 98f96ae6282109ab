import numpy as np
import pytest
from PIL import Image

from lib.core import paths
from lib.data import bus_uclm
from lib.data.record import DataError
from lib.data.sources import Busi, BusUclm, CuratedBusi

COLOURS = {"Normal": (0, 0, 0), "Benign": (0, 255, 0), "Malignant": (255, 0, 0)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two patients with one image of each class, in the data set's layout."""
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))
    root = tmp_path / "bus-uclm"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    lines = ["Image;Resolution;Label;Doppler;Marks;Combined"]
    for patient in ("ALWI", "BEMO"):
        for number, (label, colour) in enumerate(COLOURS.items()):
            file = f"{patient}_{number:03d}.png"
            Image.new("L", (60, 40), 100).save(root / "images" / file)
            mask = Image.new("RGB", (60, 40))
            mask.paste(colour, (20, 10, 40, 30))
            mask.save(root / "masks" / file)
            lines.append(f"{file};60x40;{label};{'Yes' if number == 1 else 'No'};No;No")
    (root / "INFO.csv").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    return root


def test_images_masks_patients_and_flags(folder):
    data = BusUclm(32).load()
    assert data.images.shape == data.masks.shape == (6, 32, 32, 1)
    assert data.labels.tolist() == [0, 1, 2] * 2
    assert data.groups.tolist() == [0, 0, 0, 1, 1, 1]
    assert (data.masks.max(axis=(1, 2, 3)) == np.tile([0, 1, 1], 2)).all()
    assert data.masks[1].mean() == pytest.approx(20 * 20 / (60 * 40), abs=0.03)
    assert bus_uclm.flags(data.names)["Doppler"].tolist() == [False, True, False] * 2
    assert not bus_uclm.flags(np.array(["benign (1)"])).to_numpy().any()


def test_a_label_that_is_no_class_is_named(folder):
    info = folder / "INFO.csv"
    info.write_text(info.read_text(encoding="utf-8").replace("Benign", "Cyst"), encoding="utf-8")
    with pytest.raises(DataError, match=r"INFO\.csv: labels must be normal, benign, malignant"):
        BusUclm(32).read()


def test_curated_busi_is_the_listed_part(real_busi):
    if paths.find_data("curated-busi") is None:
        pytest.skip("the list of Curated BUSI is not on this machine: data/curated-busi")
    table = CuratedBusi().table()
    assert np.bincount(table.labels).tolist() == [64, 222, 164]
    assert set(table.names) < set(Busi().table().names)
    assert CuratedBusi().describe() != Busi().describe()
