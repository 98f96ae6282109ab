import json

import pandas as pd
import pytest
from matplotlib.figure import Figure

import lib.core.run
from lib.core import config, paths, runtime


def test_smoke_needs_neither_data_nor_weights():
    smoke = config.get("smoke")
    assert smoke.data == "phantoms"
    assert smoke.weights == "random"


def test_lite_is_the_protocol_and_looks_up_only(monkeypatch):
    """report/protocol.md, section 4: recipes of the published results."""
    lite = config.get("lite")
    assert (lite.unet_filters, lite.unet_epochs, lite.unet_batch, lite.head_epochs, lite.n_heads) == (16, 50, 32, 20, 3)
    assert (lite.n_rounds, lite.backbones) == (10, ("VGG16", "Xception", "MobileNetV2"))
    assert (lite.weights, lite.data, lite.trains) == ("imagenet", "busi", False)
    monkeypatch.setenv(config.TRAIN, "1")
    monkeypatch.setenv(config.JOBS, "3")
    assert (config.get("lite").trains, config.get("lite").workers) == (True, 3)


def test_a_second_training_reads_and_writes_nothing_published(monkeypatch):
    assert config.store_of(config.get("lite")).publish
    first = config.store_of(config.get("lite")).working
    monkeypatch.setenv(config.RETRAIN, "1")
    assert config.store_of(config.get("lite")).published is None
    assert config.store_of(config.get("lite")).working != first, "neither takes the results of the other for its own"
    assert config.get("lite").trains
    assert config.store_of(config.get("smoke")).published is None


def test_a_variable_that_is_0_asks_for_nothing(monkeypatch):
    for name in (config.RETRAIN, config.TRAIN, config.REPLAY):
        monkeypatch.setenv(name, "0")
    assert not config.get("lite").trains
    assert config.store_of(config.get("lite")).publish


def test_relative_folders_are_meant_from_the_repository(tmp_path, monkeypatch):
    for name in ("PAPER_DATA", "PAPER_WEIGHTS", "PAPER_ARTIFACTS"):
        monkeypatch.setenv(name, "some/where")
    monkeypatch.chdir(tmp_path)
    expected = paths.ROOT / "some" / "where"
    assert paths.data_folders() == paths.weights_folders() == [expected]
    assert paths.artifacts("lite") == expected / "lite"
    monkeypatch.setenv("PAPER_ARTIFACTS", "")
    assert paths.artifacts("lite") == paths.ROOT / "artifacts" / "lite"


def test_unknown_profile_names_the_nearest():
    with pytest.raises(config.SettingsError, match="unknown profile 'smok'; did you mean 'smoke'"):
        config.get("smok")


def test_misspelt_setting_names_the_nearest():
    with pytest.raises(config.SettingsError, match="unknown setting 'unet_epoch'; did you mean 'unet_epochs'"):
        config.get("smoke", unet_epoch=3)


def test_overrides_replace_and_leave_the_profile_alone():
    assert config.get("smoke", unet_epochs=1).unet_epochs == 1
    assert config.get("smoke").unet_epochs > 1


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", True])
def test_a_seed_is_a_small_natural_number(seed):
    with pytest.raises(config.SettingsError, match="seed must be"):
        lib.core.run.start("01", "smoke", seed)


def test_saved_figures_know_their_source(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    run = lib.core.run.start("09_test", "smoke", 5)
    table = pd.DataFrame({"x": [1.0, 2.0004]})
    assert isinstance(run.save_figure(Figure(), "figure", table), Figure)
    html = run.save_table(table, "table", "what it is").data
    assert "what it is" in html
    assert "2.000<" in html
    assert run.figures == tmp_path / "smoke" / "figures" / "09_test"
    assert {f.suffix for f in run.figures.glob("figure.*")} == {".png", ".pdf", ".csv", ".json"}
    sidecar = json.loads((run.figures / "figure.json").read_text())
    assert (sidecar["notebook"], sidecar["seed"], sidecar["table"]) == ("09_test", 5, "figure.csv")
    assert sidecar["machine"]["keras"] in runtime.backend_id()
    assert pd.read_csv(run.figures / "table.csv").x.tolist() == [1, 2.0004], "not rounded as shown"
