import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lib import predict
from lib.core import paths
from lib.core.store import StoreError
from lib.data import phantoms
from lib.two_stage import TwoStageModel
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.model import TwoStageSettings
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


def test_command_line_names_images_and_writes_masks(fitted, tmp_path, capsys):
    files = []
    for index, image in enumerate(phantoms.make(15, 40, 5).images[:2]):
        files.append(tmp_path / f"image {index}.png")
        Image.fromarray((image[..., 0] * 255).astype(np.uint8)).resize((90, 50)).save(files[-1])
    words = ["--model", str(fitted[1]), "--masks", str(tmp_path / "masks"), *map(str, files)]
    assert predict.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "image,class,normal,benign,malignant,lesion"
    assert len(lines) == 3
    for file in files:
        assert Image.open(tmp_path / "masks" / f"{file.stem}_mask.png").size == (90, 50)


@pytest.mark.parametrize(("words", "message"), [(["nothing.png"], "no such file"), (["--model", "x", "a"], "missing")])
def test_command_line_errors(fitted, words, message, capsys):
    arguments = words if "--model" in words else ["--model", str(fitted[1]), *words]
    assert predict.main(arguments) == 2
    assert message in capsys.readouterr().err
