import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure

from lib.core import config
from lib.core.run import FIGURES, Run
from lib.data import phantoms
from lib.plots import explorers
from lib.reported import nas as reported
from lib.two_stage.model import PUBLISHED, TwoStageModel


@pytest.fixture(scope="module")
def looks():
    data = phantoms.make(15, 128).select(np.array([0, 14]))
    return data, explorers.two_stage(TwoStageModel.load(PUBLISHED), data)


def test_an_image_is_seen_with_each_mask_and_the_threshold_moves_its_contour(looks):
    data, look = looks
    areas, surest = {}, {}
    for mask in explorers.MASKS:
        image, cam, bars = look(data.names[1], mask).axes
        areas[mask] = image.get_title().splitlines()[-1]
        surest[mask] = max(bar.get_width() for bar in bars.patches)
        assert len(image.collections) == (mask != "none"), "a contour where there is a mask"
        assert len(cam.images) == 2
    assert areas["ground truth"] == f"contour: {100 * (data.masks[1] >= 0.5).mean():.1f} %"
    assert areas["none"] == "contour: 0.0 %"
    assert len(set(surest.values())) == 3, "stage 2 sees the chosen mask"
    assert look(data.names[1], "predicted", 0.95).axes[0].get_title().splitlines()[-1] != areas["predicted"]


def test_a_network_is_drawn_with_its_four_children(capsys):
    figure = explorers.networks(reported.MNIST_SHAPE)(reported.M, "SEIB")
    columns = [text.get_text().splitlines()[0] for text in figure.axes[0].texts if text.get_position()[1] > 0]
    assert columns == ["as typed", "add_layer", "add_block", "widen", "concat"]
    assert "add_block: C(64,3) P(1,1) IB(32,64,128,16,32,32) SEIB(" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "Q(3) F() FC(10)", "C(64,3) F()", "C(64,99) F() FC(10)", "C(0,1) F() FC(10)"])
def test_a_text_that_is_no_network_gets_one_sentence(capsys, text):
    assert explorers.networks(reported.MNIST_SHAPE)(text) is None
    said = capsys.readouterr().out
    assert said.startswith("This is no network: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1


def test_a_small_network_says_which_transformations_it_has_no_place_for(capsys):
    assert explorers.networks(reported.MNIST_SHAPE)("F() FC(10)")
    assert "concat: finds no place in this network" in capsys.readouterr().out


def test_without_a_reader_the_first_picture_is_saved_and_stands_alone(monkeypatch, tmp_path):
    run = Run("06_nas", config.get("smoke"), 0)
    shown = explorers.networks(reported.MNIST_SHAPE), {"text": reported.M, "block": ["IB", "SEIB"], "draw": (0, 20)}
    monkeypatch.delenv(FIGURES, raising=False)
    assert isinstance(explorers.explore(run, "06_explorer", shown[0], **shown[1]), ipywidgets.Widget)
    assert not any(tmp_path.rglob("*"))
    monkeypatch.setenv(FIGURES, str(tmp_path))
    assert isinstance(explorers.explore(run, "06_explorer", shown[0], **shown[1]), Figure)
    assert (tmp_path / "06_nas" / "06_explorer.png").exists()


def test_a_network_that_fits_small_images_only_is_drawn_all_the_same(capsys):
    look = explorers.networks(reported.MNIST_SHAPE)
    assert isinstance(look("P(30,1) P(30,1) P(30,1) Concat() F() FC(10)"), Figure)
    assert "concat: finds no place" in capsys.readouterr().out
