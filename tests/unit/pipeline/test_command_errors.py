"""What a user may type or have in the way: each command ends with a status and one to five lines that name the cure.

Beside it :mod:`tests.unit.data.test_bad_input` has what may lie in the data folders.
"""

import os
import pickle
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib import predict
from lib.core import config, store
from lib.nas import __main__ as nas
from lib.pipeline import driver
from lib.two_stage import model as two_stage
from lib.two_stage.model import TwoStageModel

PICTURE, MODEL = "a.png", "model.npz"


def _picture(folder: Path, size=(60, 40), mode="L", name=PICTURE) -> Path:
    Image.new(mode, size, 100).save(folder / name)
    return folder / name


def _bytes(folder: Path, content: bytes, name=PICTURE) -> None:
    (folder / name).write_bytes(content)


def _cut(folder: Path) -> None:
    file = _picture(folder)
    file.write_bytes(file.read_bytes()[:60])


def _flipped(folder: Path) -> None:
    content = bytearray(_picture(folder).read_bytes())
    content[len(content) // 2] ^= 255
    _bytes(folder, bytes(content))


def _bomb(folder: Path) -> None:
    """A head that claims 20,000 × 20,000 pixels."""
    content = _picture(folder).read_bytes()
    head = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + content[24:29]
    _bytes(folder, content[:12] + head + zlib.crc32(head).to_bytes(4, "big") + content[33:])


def _much_text(folder: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 80_000_000, zip=True)
    Image.new("L", (60, 40)).save(folder / PICTURE, pnginfo=info)


def _model(folder: Path, **changed) -> None:
    """The published model's file with other values in it, and a checksum that fits them."""
    values = store.read(two_stage.PUBLISHED, two_stage._KEY)
    store.write(folder / MODEL, {**values, **changed}, {"key": two_stage._KEY})


def _swapped(folder: Path) -> None:
    values = store.read(two_stage.PUBLISHED, two_stage._KEY)
    _model(folder, unet=values["backbone"], backbone=values["unet"])


def _half(folder: Path) -> None:
    _bytes(folder, two_stage.PUBLISHED.read_bytes()[:-1000], MODEL)


class _Hostile:
    def __reduce__(self):
        return os.mkdir, ("hostile",)


def _pickled(folder: Path) -> None:
    _bytes(folder, pickle.dumps(_Hostile()), MODEL)


def _nothing(folder: Path) -> None:
    pass


# What lies in the folder, the words behind ``python -m lib.predict``, the message.
IMAGES = {
    "no word": (_nothing, [], "which image"),
    "no such file": (_nothing, [PICTURE], r"a\.png: no such file"),
    "a folder without images": (_nothing, ["."], "no images"),
    "a text": (lambda folder: _bytes(folder, b"no picture"), [PICTURE], r"a\.png: no image"),
    "an empty file": (lambda folder: _bytes(folder, b""), [PICTURE], r"a\.png: no image"),
    "cut": (_cut, [PICTURE], r"a\.png: damaged or cut off"),
    "a flipped byte": (_flipped, [PICTURE], r"a\.png: (damaged or cut off|no image)"),
    "a bomb": (_bomb, [PICTURE], r"a\.png: .*(20000|400000000)"),
    "80 MB of text": (_much_text, [PICTURE], r"a\.png: damaged .*too large"),
    "one pixel": (lambda folder: _picture(folder, (1, 1)), [PICTURE], r"a\.png: 1×1 pixels; 8 to 10000"),
    "a pipe": (lambda folder: os.mkfifo(folder / PICTURE), [PICTURE], r"a\.png: no such file"),
    "a dead link": (lambda folder: (folder / PICTURE).symlink_to("nowhere"), [PICTURE], r"a\.png: no such file"),
    "two of one name": (
        lambda folder: [(folder / "b").mkdir(), _picture(folder), _picture(folder / "b")],
        [PICTURE, "b/a.png", "--out", "out"],
        "two images are called a",
    ),
    "output into a file": (lambda folder: _picture(folder), [PICTURE, "--out", PICTURE], r"a\.png"),
    "an unknown option": (_nothing, ["--outt", "x"], "unrecognized arguments: --outt"),
}
MODELS = {
    "no model": (_nothing, "model.npz is missing: it should hold a two-stage model"),
    "a model that is text": (lambda folder: _bytes(folder, b"no model", MODEL), r"model\.npz is damaged"),
    "a model that is a pickle": (_pickled, r"model\.npz is damaged"),
    "a model that is cut": (_half, r"model\.npz is damaged"),
    "plain arrays": (lambda folder: np.savez(folder / MODEL, a=np.ones(3)), r"model\.npz is damaged"),
    "another result": (lambda folder: store.write(folder / MODEL, {"x": 1}, {"key": "k"}), "it holds the result k"),
    "a class too many": (
        lambda folder: _model(folder, classes=["normal", "benign", "malignant", "cyst"]),
        "model.npz holds no two-stage model",
    ),
    "networks swapped": (_swapped, "model.npz holds no two-stage model"),
    "settings unknown": (lambda folder: _model(folder, settings={}), "model.npz holds no two-stage model"),
    "a size that is none": (lambda folder: _model(folder, size=-1), "model.npz holds no two-stage model"),
}
NETWORKS = {
    "nothing": ("", "expected a layer such as"),
    "no layer": ("hello", "hello"),
    "an unknown layer": ("Q(3) F() FC(10)", "Q"),
    "an open bracket": ("C(64,3) F(", r"F\("),
    "no output": ("C(64,3) F()", "last layer"),
    "too few numbers": ("C(64) F() FC(10)", "C"),
    "too many numbers": ("C(64,3,3) F() FC(10)", "C"),
    "zero filters": ("C(0,3) F() FC(10)", "C"),
    "a negative number": ("C(-1,3) F() FC(10)", "C"),
    "a fraction": ("C(1.5,3) F() FC(10)", r"1\.5|C"),
    "a kernel larger than the image": ("C(64,99) F() FC(10)", "99"),
    "5,000 digits": (f"C({'9' * 5000},3) F() FC(10)", "whole numbers from 1: filters"),
    "10,000 layers": ("C(1,1) " * 10_000 + "F() FC(10)", "more than 1000 layers"),
    "code": ("__import__('os').mkdir('hostile')", "expected a layer such as"),
    "a Concat of nothing": ("Concat(-9,-8) F() FC(10)", "Concat|place|reach"),
}
COMMANDS = {
    "an unknown profile": (["smok"], "did you mean 'smoke'"),
    "an unknown notebook": (["smoke", "--only", "02_unett"], "did you mean '02_unet'"),
    "a negative seed": (["smoke", "--seed", "-1"], "seed must be"),
    "a seed that is text": (["smoke", "--seed", "one"], "invalid int value: 'one'"),
    "negative jobs": (["smoke", "--jobs", "-2"], "jobs"),
    "blessing real images": (["lite", "--bless"], "only smoke runs can be blessed"),
    "an unknown option": (["smoke", "--froce"], "unrecognized arguments: --froce"),
    "evidence without hours": (["evidence"], "--hours"),
    "hours that are text": (["evidence", "--hours", "many"], "invalid float value: 'many'"),
    "an unknown part": (["evidence", "--hours", "1", "--only", "externall"], "did you mean 'external'"),
}


@pytest.fixture(scope="module")
def loaded():
    return TwoStageModel.load(two_stage.PUBLISHED)


@pytest.fixture
def ended(tmp_path, monkeypatch, capsys):
    """Calls a command in an empty folder; it must end with status 2, in a few lines that match the message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv(config.JOBS, "0")  # the command sets it, for the notebooks

    def call(main, words, message):
        try:
            status = main(words)
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr().err
        assert status == 2, said
        lines = [line for line in said.splitlines() if not line.startswith(("usage:", "    "))]
        assert 1 <= len(lines) <= 5, said
        assert re.search(message, said), said
        assert len(said) < 2000, "nobody reads that"
        assert not (tmp_path / "hostile").exists(), "a file was executed"

    return call


@pytest.mark.parametrize("case", IMAGES)
def test_predict(tmp_path, monkeypatch, loaded, ended, case):
    monkeypatch.setattr(predict, "_load", lambda path: loaded)
    prepare, words, message = IMAGES[case]
    prepare(tmp_path)
    ended(predict.main, words, message)


@pytest.mark.parametrize("case", MODELS)
def test_predict_with_a_model(tmp_path, ended, case):
    prepare, message = MODELS[case]
    prepare(tmp_path)
    _picture(tmp_path)
    ended(predict.main, [PICTURE, "--model", MODEL], message)


@pytest.mark.parametrize("case", NETWORKS)
def test_describe(ended, case):
    text, message = NETWORKS[case]
    ended(nas.main, ["describe", text], message)


@pytest.mark.parametrize("out", ["nowhere/x.svg", "x.docx"])
def test_describe_draws_into_no_such_folder_or_format(ended, out):
    ended(nas.main, ["describe", "C(4,3) F() FC(10)", "--out", out], out)


@pytest.mark.parametrize("case", COMMANDS)
def test_run(ended, case):
    ended(driver.main, *COMMANDS[case])
