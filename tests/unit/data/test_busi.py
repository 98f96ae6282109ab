import functools
import hashlib
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.core import paths, store
from lib.core.config import SettingsError
from lib.data import busi, files
from lib.data.record import DataError
from lib.data.sources import Busi


def test_reads_every_kind_of_file_into_one_record(busi_folder):
    data = busi.load(busi_folder, size=32)
    assert data.images.shape == data.masks.shape == (10, 32, 32, 1)
    assert data.images.dtype == data.masks.dtype == np.float32
    assert data.images.min() >= 0
    assert data.images.max() <= 1
    assert data.counts().to_dict() == {"normal": 3, "benign": 4, "malignant": 3}
    assert data.names[0] == "normal (1)"
    assert data.sizes[-2].tolist() == [57, 33]
    assert data.n_masks.tolist() == [1, 1, 1, 1, 2, 1, 1, 1, 1, 1]


def test_colour_modes_give_the_same_pixels(busi_folder):
    """RGB, RGBA and 1-bit copies of gray files must not change a value."""
    before = busi.load(busi_folder)
    for file in busi_folder.rglob("*.png"):
        Image.open(file).convert("L").save(file)
    assert np.array_equal(busi.load(busi_folder).images, before.images)
    assert np.array_equal(busi.load(busi_folder).masks, before.masks)


def test_masks_are_empty_exactly_for_normals(busi_folder):
    data = busi.load(busi_folder)
    assert (data.masks.max(axis=(1, 2, 3)) > 0).tolist() == (data.labels > 0).tolist()


def test_union_holds_both_lesions_and_first_only_one(busi_folder):
    union, first = (busi.load(busi_folder, size=64, masks=masks) for masks in ("union", "first"))
    areas = [data.masks[4].sum() for data in (union, first)]
    assert areas[0] == pytest.approx(2 * areas[1], rel=0.05)
    others = np.arange(10) != 4
    assert np.array_equal(union.masks[others], first.masks[others])


def test_images_are_ordered_by_number_not_by_text(busi_folder):
    for suffix in (".png", "_mask.png"):
        shutil.copy(busi_folder / "normal" / f"normal (1){suffix}", busi_folder / "normal" / f"normal (10){suffix}")
    assert busi.load(busi_folder, size=8).names[:4].tolist() == [f"normal ({k})" for k in (1, 2, 3, 10)]


def test_bilinear_is_the_four_nearest_pixels_and_area_is_the_mean():
    ramp = np.arange(16, dtype=np.float32).reshape(1, 16).repeat(16, axis=0) / 15
    image = Image.fromarray(ramp)
    # Pixel k of four covers columns 4k..4k+3; its centre lies between the two middle ones.
    middle = np.array([(4 * k + 1 + 4 * k + 2) / 2 / 15 for k in range(4)])
    assert busi.resized(image, 4, "bilinear")[0] == pytest.approx(middle)
    stripes = Image.fromarray(np.tile(np.float32([1, 0, 0, 1]), (16, 4)))
    assert busi.resized(stripes, 4, "bilinear") == pytest.approx(0)  # the aliasing that area averaging avoids
    assert busi.resized(stripes, 4, "area") == pytest.approx(0.5)


def test_same_size_is_left_alone(busi_folder):
    file = busi_folder / "malignant" / "malignant (3).png"
    expected = np.asarray(Image.open(file), np.float32) / 255
    assert busi.read_image(file)[..., 0] == pytest.approx(expected, abs=1e-6)
    assert busi.resized(files.read_gray(file), 128, "area") == pytest.approx(expected, abs=1e-6)


def _same(one, other):
    fields = ("labels", "names", "sizes", "n_masks", "classes")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in fields) and one.source == other.source
    )


@pytest.fixture
def at_hand(busi_folder, tmp_path, monkeypatch):
    """BUSI in the data folder, and a published listing that is empty."""
    monkeypatch.setenv("PAPER_DATA", str(busi_folder.parent))
    monkeypatch.setattr(store, "PUBLISHED", tmp_path / "results")
    return busi_folder


def test_a_table_needs_no_images(at_hand, monkeypatch):
    whole, table = Busi().open(), Busi().table()
    assert _same(table, whole)
    assert table.images is table.masks is None
    busi.record()
    monkeypatch.setenv("PAPER_DATA", str(at_hand / "nowhere"))
    assert _same(Busi().open(), whole)
    assert Busi().open().images is None
    selected = Busi().open().select(np.array([0, 4]))
    assert selected.images is None
    assert selected.n_masks.tolist() == [1, 2]


def test_clutter_of_file_managers_is_passed_over(busi_folder):
    (busi_folder / "benign" / ".DS_Store").write_text("x")
    (busi_folder / "benign" / "Thumbs.db").write_text("x")
    assert len(busi.load(busi_folder, size=8)) == 10


@pytest.mark.parametrize("choice", [{"masks": "frist"}, {"resize": "nearest"}])
def test_unknown_choices(busi_folder, choice):
    with pytest.raises(SettingsError, match="unknown"):
        busi.load(busi_folder, **choice)


@pytest.fixture
def archive_url(busi_folder, tmp_path):
    """A local server with the archive as the data set's page offers it, and its checksum."""
    inner = tmp_path / "archive" / "Dataset_BUSI_with_GT"
    shutil.copytree(busi_folder, inner)
    archive = shutil.make_archive(tmp_path / "served" / "Dataset_BUSI", "zip", inner.parent)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        checksum = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
        yield f"http://127.0.0.1:{server.server_port}/Dataset_BUSI.zip", checksum
        server.shutdown()


def _offer(monkeypatch, url, sha256, folder):
    monkeypatch.setattr(busi, "URL", url)
    monkeypatch.setattr(busi, "SHA256", sha256)
    monkeypatch.setenv("PAPER_DATA", str(folder))
    monkeypatch.setattr(store, "PUBLISHED", folder / "results")


def test_download_unpacks_the_archive(archive_url, tmp_path, busi_folder, monkeypatch):
    _offer(monkeypatch, *archive_url, tmp_path / "data")
    data = busi.load(size=16)
    assert [file.name for file in (tmp_path / "data").glob("[!.]*")] == ["busi"]
    assert np.array_equal(data.images, busi.load(busi_folder, size=16).images)


def test_a_download_by_another_process_is_taken(archive_url, tmp_path, busi_folder, monkeypatch):
    _offer(monkeypatch, *archive_url, tmp_path / "data")
    find = iter([None])  # this process looked before the other had it
    shutil.copytree(busi_folder, tmp_path / "data" / "busi")
    with monkeypatch.context() as patched:
        patched.setattr(busi.paths, "find_data", lambda name: next(find))
        assert busi._find() == tmp_path / "data" / "busi"
    assert not list((tmp_path / "data").glob("*.zip"))


@pytest.mark.parametrize("name", ["benign (1).png~", "benign (1)_mask.png.bak"])
def test_copies_of_editors_are_no_images_or_masks(busi_folder, name):
    shutil.copy(next((busi_folder / "benign").glob("*_mask.png")), busi_folder / "benign" / name)
    with pytest.raises(DataError, match="not a name of BUSI"):
        busi.load(busi_folder)


def test_a_wrong_checksum_leaves_nothing(archive_url, tmp_path, monkeypatch):
    _offer(monkeypatch, archive_url[0], "0" * 64, tmp_path / "data")
    with pytest.raises(paths.MissingDataError, match="could not be downloaded"):
        busi.load()
    assert not list((tmp_path / "data").glob("busi*"))


def test_without_data_and_network_the_error_says_what_to_put_where(tmp_path, monkeypatch):
    _offer(monkeypatch, "http://127.0.0.1:9/nothing.zip", busi.SHA256, tmp_path / "data")
    with pytest.raises(paths.MissingDataError, match="Put its folders normal, benign, malignant into"):
        busi.load()
    with pytest.raises(paths.MissingDataError, match="Put its folders"):
        Busi().table()


def test_the_real_data_set(real_busi):
    data = busi.load(real_busi)
    assert data.counts().to_dict() == {"normal": 133, "benign": 437, "malignant": 210}
    assert data.n_masks.sum() == 798
    assert (data.n_masks > 1).sum() == 17
    assert data.sizes.min(axis=0).tolist() == [310, 190]
    assert data.sizes.max(axis=0).tolist() == [719, 1048]
    assert ((data.masks.max(axis=(1, 2, 3)) > 0) == (data.labels > 0)).all()
    assert _same(Busi().table(), data)
