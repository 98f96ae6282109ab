import pytest

import lib.core.run
from lib.core import config as profiles


def test_smoke_needs_neither_data_nor_weights():
    smoke = profiles.get("smoke")
    assert smoke.data == "phantoms"
    assert smoke.weights == "random"


def test_full_is_the_papers_protocol():
    full = profiles.get("full")
    assert (full.backbone, full.image_size, full.unet_epochs, full.head_epochs, full.n_rounds) == (
        "DenseNet201",
        128,
        50,
        20,
        10,
    )
    assert (full.weights, full.data) == ("imagenet", "busi")


def test_unknown_profile_names_the_nearest():
    with pytest.raises(profiles.SettingsError, match="unknown profile 'smok'; did you mean 'smoke'"):
        profiles.get("smok")


def test_misspelt_setting_names_the_nearest():
    with pytest.raises(profiles.SettingsError, match="no setting 'unet_epoch'; did you mean 'unet_epochs'"):
        profiles.get("smoke", unet_epoch=3)


def test_overrides_replace_and_leave_the_profile_alone():
    assert profiles.get("smoke", unet_epochs=1).unet_epochs == 1
    assert profiles.get("smoke").unet_epochs > 1


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", True])
def test_a_seed_is_a_small_natural_number(seed):
    with pytest.raises(profiles.SettingsError, match="seed must be"):
        lib.core.run.start("01", "smoke", seed)


def test_saved_figures_know_their_source(tmp_path, monkeypatch):
    import pandas as pd
    from matplotlib.figure import Figure

    from lib.core import artifacts

    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    run = lib.core.run.start("09_test", "smoke", 5)
    table = pd.DataFrame({"x": [1.0, 2.0]})
    assert isinstance(run.save_figure(Figure(), "09_figure", table), Figure)
    styled = run.save_table(table, "09_table", "what it is")
    assert "what it is" in styled.to_html()
    assert run.profile.cuts in styled.to_html()
    assert {f.suffix for f in run.figures.glob("09_figure.*")} == {".png", ".pdf", ".csv", ".json"}
    sidecar = artifacts.read_json(run.figures / "09_figure.json")
    assert (sidecar["notebook"], sidecar["seed"], sidecar["table"]) == ("09_test", 5, "09_figure.csv")
    assert sidecar["profile"]["name"] == "smoke"
    pd.testing.assert_frame_equal(run.read_table("09_table"), table)
    with pytest.raises(FileNotFoundError, match="run the notebook that writes it"):
        run.read_table("missing")
