"""What a user may type, or give to a command."""

from functools import partial
from pathlib import Path

import numpy as np

from lib import predict
from lib.core import store
from lib.nas import __main__ as nas
from lib.pipeline import driver
from lib.two_stage import model as two_stage
from tests.unit.bad_input.damage import (
    Case,
    bomb,
    cut,
    dead_link,
    flip,
    much_text,
    nothing,
    pickled,
    picture,
    pipe,
    text,
)
from tests.unit.bad_input.data_sets import at

PICTURE, MODEL = "a.png", "model.npz"


def _after_picture(spoil):
    return lambda folder: [picture(folder / PICTURE), spoil(folder / PICTURE)]


# What lies in the folder, the words behind ``python -m lib.predict``, the message.
_IMAGES = {
    "no word": (nothing, [], "which image"),
    "no such file": (nothing, [PICTURE], r"a\.png: no such file"),
    "a folder without images": (nothing, ["."], "no images"),
    "a text": (at(PICTURE, text, "no picture"), [PICTURE], r"a\.png: no image"),
    "an empty file": (at(PICTURE, text, ""), [PICTURE], r"a\.png: no image"),
    "an image that is cut": (_after_picture(cut), [PICTURE], r"a\.png: damaged or cut off"),
    "a flipped byte": (_after_picture(flip), [PICTURE], r"a\.png: (damaged or cut off|no image)"),
    "a bomb": (at(PICTURE, bomb), [PICTURE], r"a\.png: .*(20000|400000000)"),
    "80 MB of text": (at(PICTURE, much_text), [PICTURE], r"a\.png: damaged .*too large"),
    "one pixel": (at(PICTURE, picture, (1, 1)), [PICTURE], r"a\.png: 1×1 pixels; 8 to 10000"),
    "a pipe": (at(PICTURE, pipe), [PICTURE], r"a\.png: no such file"),
    "a dead link": (at(PICTURE, dead_link), [PICTURE], r"a\.png: no such file"),
    "two of one name": (
        lambda folder: [picture(folder / PICTURE), picture(folder / "b" / PICTURE)],
        [PICTURE, "b/a.png", "--out", "out"],
        r"two images would be written as a\.png",
    ),
    "output over the image": (at(PICTURE, picture), [PICTURE, "--out", "."], "images are there"),
    "output into a file": (at(PICTURE, picture), [PICTURE, "--out", PICTURE], r"a\.png"),
    "an unknown option": (nothing, ["--outt", "x"], "unrecognized arguments: --outt"),
}


def _model(folder: Path, **changed) -> None:
    """The published model's file with other values in it, and a checksum that fits them."""
    values = store.read(two_stage.PUBLISHED, two_stage._KEY)
    store.write(folder / MODEL, {**values, **changed}, {"key": two_stage._KEY})


def _swapped(folder: Path) -> None:
    values = store.read(two_stage.PUBLISHED, two_stage._KEY)
    _model(folder, unet=values["backbone"], backbone=values["unet"])


_NO_MODEL = "model.npz holds no two-stage model"
_MODELS = {
    "no model": (nothing, "model.npz is missing: it should hold a two-stage model"),
    "a model that is text": (at(MODEL, text, "no model"), r"model\.npz is damaged"),
    "a model that is a pickle": (at(MODEL, pickled), r"model\.npz is damaged"),
    "a model that is cut": (at(MODEL, text, two_stage.PUBLISHED.read_bytes()[:-1000]), r"model\.npz is damaged"),
    "plain arrays": (lambda folder: np.savez(folder / MODEL, a=np.ones(3)), r"model\.npz is damaged"),
    "another result": (lambda folder: store.write(folder / MODEL, {"x": 1}, {"key": "k"}), "it holds the result k"),
    "a class too many": (
        lambda folder: _model(folder, classes=["normal", "benign", "malignant", "cyst"]),
        _NO_MODEL,
    ),
    "networks swapped": (_swapped, _NO_MODEL),
    "settings unknown": (lambda folder: _model(folder, settings={}), _NO_MODEL),
    "a size that is none": (lambda folder: _model(folder, size=-1), _NO_MODEL),
}
_NETWORKS = {
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
_NETWORK = "C(4,3) F() FC(10)"
_OUT = {"a drawing into no folder": "nowhere/x.svg", "a drawing in no known format": "x.docx"}
_RUNS = {
    "an unknown profile": (["smok"], "did you mean 'smoke'"),
    "an unknown notebook": (["smoke", "--only", "02_unett"], "did you mean '02_unet'"),
    "a negative seed": (["smoke", "--seed", "-1"], "seed must be"),
    "a seed that is text": (["smoke", "--seed", "one"], "invalid int value: 'one'"),
    "negative jobs": (["smoke", "--jobs", "-2"], "jobs"),
    "blessing real images": (["lite", "--bless"], "only smoke runs can be blessed"),
    "an unknown option of a run": (["smoke", "--froce"], "unrecognized arguments: --froce"),
    "evidence without hours": (["evidence"], "--hours"),
    "hours that are text": (["evidence", "--hours", "many"], "invalid float value: 'many'"),
    "an unknown part": (["evidence", "--hours", "1", "--only", "externall"], "did you mean 'external'"),
}


def _with_picture(prepare):
    return lambda folder: [prepare(folder), picture(folder / PICTURE)]


IMAGES = {
    f"predict, {name}": Case(prepare, partial(predict.main, words), message)
    for name, (prepare, words, message) in _IMAGES.items()
}
CASES = {
    **{
        f"predict, {name}": Case(_with_picture(prepare), partial(predict.main, [PICTURE, "--model", MODEL]), message)
        for name, (prepare, message) in _MODELS.items()
    },
    **{
        f"describe, {name}": Case(nothing, partial(nas.main, ["describe", words]), message)
        for name, (words, message) in _NETWORKS.items()
    },
    **{
        f"describe, {name}": Case(nothing, partial(nas.main, ["describe", _NETWORK, "--out", out]), out)
        for name, out in _OUT.items()
    },
    **{f"run, {name}": Case(nothing, partial(driver.main, words), message) for name, (words, message) in _RUNS.items()},
}
