import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lib import predict
from lib.core import paths
from lib.core.store import StoreError
from lib.data import phantoms
from lib.evaluation import calibration
from lib.two_stage import TwoStageModel
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.model import PUBLISHED, TwoStageSettings
from lib.two_stage.segmentation import SegmenterSettings

SETTINGS = TwoStageSettings(
    SegmenterSettings(filters=2, epochs=2, batch_size=8, bn_momentum=0.5),
    BackboneSettings("MobileNetV2", "random", features="pooled"),
    HeadSettings(epochs=2),
)


@pytest.fixture(scope="module")
def fitted(small, tmp_path_factory):
    data, split = small
    model = TwoStageModel.fit(data, split, SETTINGS, 0)
    return model, model.save(tmp_path_factory.mktemp("model") / "two_stage.npz")


def test_prediction(fitted, small):
    data, split = small
    prediction = fitted[0].predict(data.images[split.test])
    assert prediction.masks.shape == (len(split.test), 32, 32, 1)
    assert prediction.masks.min() >= 0
    assert prediction.masks.max() <= 1
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert prediction.classes == ("normal", "benign", "malignant")


def test_prediction_does_not_depend_on_company(fitted, small):
    images = small[0].images[:5]
    alone = np.concatenate([fitted[0].predict(images[k : k + 1]).probabilities for k in range(5)])
    assert alone == pytest.approx(fitted[0].predict(images).probabilities, abs=1e-5)


def test_a_new_process_predicts_the_same(fitted, small, tmp_path):
    model, file = fitted
    images = small[0].images[:6]
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, numpy as np; from lib.two_stage.model import TwoStageModel;"
        "p = TwoStageModel.load(sys.argv[1]).predict(np.load(sys.argv[2]));"
        "np.savez(sys.argv[3], masks=p.masks, probabilities=p.probabilities)"
    )
    words = [sys.executable, "-c", code, file, tmp_path / "images.npy", tmp_path / "out.npz"]
    subprocess.run(words, check=True, cwd=paths.ROOT)
    here, there = model.predict(images), np.load(tmp_path / "out.npz")
    assert there["probabilities"] == pytest.approx(here.probabilities, abs=1e-5)
    assert there["masks"] == pytest.approx(here.masks, abs=1e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 32, 32, 3)), r"shape \(n, 32, 32, 1\)"),
        (np.zeros((32, 32, 1)), r"shape \(n, 32, 32, 1\)"),
        (np.full((1, 32, 32, 1), 200.0), r"pixels must lie in \[0, 1\]"),
        (np.full((1, 32, 32, 1), np.nan), r"pixels must lie in \[0, 1\]"),
    ],
)
def test_bad_images(fitted, images, message):
    with pytest.raises(ValueError, match=message):
        fitted[0].predict(images)


def test_no_images_give_no_predictions(fitted):
    prediction = fitted[0].predict(np.empty((0, 32, 32, 1)))
    assert prediction.probabilities.shape == (0, 3)
    assert len(prediction.labels) == 0


def test_a_model_that_is_missing_or_damaged(fitted, tmp_path):
    with pytest.raises(paths.MissingDataError, match="should hold a two-stage model"):
        TwoStageModel.load(tmp_path / "model.npz")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(fitted[1].read_bytes()[:-1000])
    with pytest.raises(StoreError, match="damaged"):
        TwoStageModel.load(damaged)


def test_calibration_comes_from_validation_and_half_precision_changes_little(fitted, small, tmp_path):
    data, split = small
    model = fitted[0].calibrated(data, split.train, split.validation)
    plain, found = fitted[0].predict(data.images), model.predict(data.images)
    assert np.isnan(plain.distance).all()
    assert (found.labels == plain.labels).all()
    own = calibration.fit_temperature(data.labels[split.validation], plain.probabilities[split.validation])
    assert model.temperature == pytest.approx(own, rel=1e-3)
    assert found.distance[split.train] == pytest.approx(0, abs=1e-5)
    assert (found.distance[split.validation] > 1).mean() <= 0.2
    noise = np.random.default_rng(0).random((5, 32, 32, 1))
    assert model.predict(noise).distance.mean() > found.distance[split.test].mean()
    half = TwoStageModel.load(model.save(tmp_path / "half.npz", "float16")).predict(data.images)
    assert half.probabilities == pytest.approx(found.probabilities, abs=0.02)
    assert half.distance == pytest.approx(found.distance, abs=0.15)


@pytest.fixture
def pictures(tmp_path):
    """Two phantoms as files of 90 × 50 pixels, in a folder of their own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, image in enumerate(phantoms.make(15, 40, 5).images[:2]):
        Image.fromarray((image[..., 0] * 255).astype(np.uint8)).resize((90, 50)).save(folder / f"image {index}.png")
    return folder


def test_command_line_names_images_and_draws_lesions(fitted, pictures, tmp_path, capsys):
    words = ["--model", str(fitted[1]), "--out", str(tmp_path / "out"), str(pictures)]
    assert predict.main(words) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "out" / "predictions.csv").read_text()
    lines = printed.splitlines()
    assert lines[0] == "image,class,normal,benign,malignant,lesion,distance"
    assert len(lines) == 3
    for file in pictures.iterdir():
        assert Image.open(tmp_path / "out" / f"{file.stem}_mask.png").size == (90, 50)
        assert Image.open(tmp_path / "out" / file.name).mode == "RGB"
    assert predict.main(["--model", str(fitted[1]), "--json", str(pictures)]) == 0
    assert [one["class"] for one in json.loads(capsys.readouterr().out)] == [line.split(",")[1] for line in lines[1:]]


def test_an_image_that_cannot_be_read_does_not_spoil_the_others(fitted, pictures, capsys):
    (pictures / "broken.png").write_bytes(b"no picture")
    assert predict.main(["--model", str(fitted[1]), str(pictures)]) == 2
    out, err = capsys.readouterr()
    assert "broken.png: no image" in err
    assert len(out.splitlines()) == 3


def test_images_are_listed_once_and_hidden_files_not_at_all(pictures):
    (pictures / "._image 0.png").write_bytes(b"of a file manager")
    first, second = sorted(pictures.glob("[!.]*"))
    assert predict._listed([pictures, second]) == [first, second]


def test_borders_are_drawn_on_images_of_sixteen_bits_as_they_were_read(tmp_path):
    ramp = np.linspace(0, 2**16 - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    predict._draw(tmp_path / "deep.png", np.zeros((8, 8), np.float32), tmp_path / "out")
    drawn = np.asarray(Image.open(tmp_path / "out" / "deep.png"))
    assert np.abs(drawn[..., 0] - ramp / 257).max() <= 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--demo", "a.png"], "predicts a phantom, and no other images"),
        (["nothing.png"], "no such file"),
        (["--model", "x", "a"], "missing"),
        ([], "which image"),
        (["tests/golden"], "no images"),
        (["a/1.png", "b/1.png", "--out", "x"], "two images would be written as 1.png"),
        (["a/1.png", "a/1_mask.png", "--out", "x"], "two images would be written as 1_mask.png"),
        (["a/1.png", "b/2.png", "--out", "b"], "images are there, which it could overwrite"),
    ],
)
def test_command_line_errors(fitted, words, message, capsys):
    arguments = words if "--model" in words else ["--model", str(fitted[1]), *words]
    assert predict.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_model_of_a_fresh_clone(capsys):
    if not PUBLISHED.exists():
        pytest.skip("report/model holds no model yet")
    assert PUBLISHED.stat().st_size < 20e6
    assert predict.main(["--demo"]) == 0
    assert capsys.readouterr().out.startswith("image,class,normal,benign,malignant,lesion,distance\n")
