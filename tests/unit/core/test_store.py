import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from lib.core import jobs, paths
from lib.core import store as stores
from lib.core.store import Store, StoreError, pack_masks, unpack_masks
from tests.unit.core import steps

VALUES = {"a": np.arange(6.0).reshape(2, 3), "parts": [np.zeros(2), np.ones((3, 1), np.uint8)], "n": 3, "text": "ü"}


@pytest.fixture
def path(tmp_path):
    return stores.write(tmp_path / "a.npz", VALUES, {"key": "k"})


def test_values_come_back_as_they_were(path):
    found = stores.read(path, "k")
    assert set(found) == set(VALUES)
    assert (found["a"] == VALUES["a"]).all()
    assert [part.dtype for part in found["parts"]] == [np.float64, np.uint8]
    assert (found["n"], found["text"]) == (3, "ü")
    assert "parts" not in stores.read(path, "k", leave=["parts"])


def test_equal_results_are_equal_files(path, tmp_path):
    again = stores.write(tmp_path / "b.npz", VALUES, {"key": "k"})
    assert again.read_bytes() == path.read_bytes()


def _replace_member(path, name, data):
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, old in members.items():
            archive.writestr(one, data if one == name else old)


def _hostile() -> bytes:
    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("exploded",)

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([Bomb()], object), allow_pickle=True)
    return buffer.getvalue()


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "altered": lambda path: path.write_bytes(
        path.read_bytes().replace(np.float64(5).tobytes(), np.float64(6).tobytes())
    ),
    "rewritten": lambda path: _replace_member(path, "a.npy", _hostile().replace(b"|O", b"<f8")),
    "hostile": lambda path: _replace_member(path, "a.npy", _hostile()),
    "other version": lambda path: _replace_member(path, "result.json", b'{"format": 99}'),
    "no JSON": lambda path: _replace_member(path, "result.json", b"{"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"a": 1})),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_named_in_one_line_and_run_nothing(path, damage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    damage(path)
    with pytest.raises(StoreError, match=r"a\.npz is damaged \(.+\)") as caught:
        stores.read(path, "k")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "exploded").exists()


def test_an_object_array_is_never_unpickled_even_with_the_right_checksum(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stores, "_npy", lambda array: _hostile())
    path = stores.write(tmp_path / "a.npz", {"a": np.zeros(1)}, {"key": "k"})
    with pytest.raises(StoreError, match="damaged"):
        stores.read(path, "k")
    assert not (tmp_path / "exploded").exists()


def test_a_file_under_a_wrong_name_is_refused(path):
    with pytest.raises(StoreError, match="it holds the result k"):
        stores.read(path, "another")


def test_a_damaged_working_file_is_set_aside_and_made_again(private, capsys):
    job = steps.network(seed=2)
    jobs.run([job], private)
    file = private.file(job)
    file.write_bytes(file.read_bytes()[:-9])
    (result,) = jobs.run([job], private)
    assert steps.counted("network") == 2
    assert result["score"] == 22
    assert file.with_suffix(".npz.damaged").exists()
    assert "set aside and made again" in capsys.readouterr().err


def test_a_damaged_published_file_is_an_error_that_names_the_cure(store):
    job = steps.network(seed=2)
    jobs.run([job], store)
    file = store.published / "network" / f"{job.key}.npz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"damaged .*git checkout -- .*\.npz") as caught:
        jobs.run([job], store)
    assert len(str(caught.value).splitlines()) == 1
    assert file.exists()


def test_published_files_are_small_and_written_once(store):
    job = steps.network(seed=2)
    jobs.run([job], store)
    file = store.published / "network" / f"{job.key}.npz"
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert set(stores.read(file, job.key)) == {"score"}
    store.file(job).unlink()
    jobs.run([job], store, extras=["weights"])
    store.keep(job, {"score": 99}, {})
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "working").write_text("a file, where a folder should be")
    with pytest.raises(
        StoreError, match=r"working/numbers/.+ could not be written \(.+\): make room, or set PAPER_ARTIFACTS"
    ):
        jobs.run([steps.numbers(seed=1)], Store(tmp_path / "working"))


def test_a_full_disk_loses_nothing(tmp_path):
    """A disk of its own, filled within a job and within a training, and then emptied again."""
    if not _may_mount(tmp_path):
        pytest.skip("this user may not mount a small file system (unshare -Urm)")
    words = [sys.executable, "-m", "tests.unit.core.full_disk", str(tmp_path)]
    done = subprocess.run(_mounting(tmp_path, *words), capture_output=True, text=True, cwd=paths.ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    full = r"could not be written \(No space left on device\): make room, or set PAPER_ARTIFACTS"
    wanted = [
        rf".*/numbers/\w+\.npz {full}",
        "results are those of an undisturbed run",
        rf".*training\.state {full}",
        "weights are those of an undisturbed run",
    ]
    for line, pattern in zip(done.stdout.splitlines(), wanted, strict=True):
        assert re.fullmatch(pattern, line), line


def _mounting(folder, *words):
    script = f'mount -t tmpfs -o size=1m tmpfs "{folder}" && exec "$@"'
    return ["unshare", "-Urm", "sh", "-c", script, "sh", *words]


def _may_mount(folder) -> bool:
    return (
        bool(shutil.which("unshare")) and subprocess.run(_mounting(folder, "true"), capture_output=True).returncode == 0
    )


def test_masks_keep_the_side_of_one_half_on_which_a_pixel_lies():
    masks = np.random.default_rng(0).random((3, 4, 6, 1)).astype(np.float32)
    again = unpack_masks(pack_masks(masks))
    assert pack_masks(masks).nbytes == masks.size / 2
    assert np.abs(again - masks).max() <= 1 / 30 + 1e-6
    assert ((again > 0.5) == (masks > 0.5)).all()
    assert (pack_masks(again) == pack_masks(masks)).all()


def test_a_result_that_could_not_be_published_is_not_taken_for_done(tmp_path, monkeypatch):
    store, job = Store(tmp_path / "working", tmp_path / "published", publish=True), steps.numbers(seed=1)
    write = stores.write

    def full(path, *arguments, **options):
        if path.is_relative_to(store.published):
            raise StoreError("no room")
        return write(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(stores, "write", full)
        with pytest.raises(StoreError, match="no room"):
            jobs.run([job], store)
    assert not store.holds(job)
    jobs.run([job], store)
    assert len(list(store.published.glob("*/*.npz"))) == 1
