import numpy as np
import pytest

from lib.core.config import SettingsError
from lib.two_stage import tuning

COMPONENTS = {"a": (0, 1, 2), "b": ("x", "y")}


def bowl(configuration):
    return (configuration["a"] - 2) ** 2 + (configuration["b"] != "y")


def test_it_finds_the_bottom_one_component_at_a_time():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, bowl, 5)
    assert tuning.chosen(path, list(COMPONENTS)).to_dict() == {"a": 2, "b": "y"}
    assert path.component.tolist() == ["start", "a", "a", "b", "a", "a"]
    assert path.kept.tolist() == [True, True, True, True, False, False]
    assert (path.best.diff().dropna() <= 0).all()


def test_a_pass_without_a_change_ends_it_and_nothing_is_scored_twice():
    seen = []

    def count(configuration):
        seen.append(tuple(configuration.values()))
        return 1.0

    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, count, 5)
    assert len(seen) == len(set(seen)) == len(path) == 4
    assert path["pass"].max() == 1


def test_nan_is_never_kept():
    path = tuning.coordinate_search(
        COMPONENTS, {"a": 0, "b": "x"}, lambda c: np.nan if c["a"] == 1 else 1.0 - c["a"], 1
    )
    assert tuning.chosen(path, ["a"])["a"] == 2


def test_it_needs_a_start_for_each_component():
    with pytest.raises(ValueError, match="lacks b"):
        tuning.coordinate_search(COMPONENTS, {"a": 0}, bowl)


def test_components_by_name():
    assert list(tuning.only(tuning.UNET_COMPONENTS, "dropout units")) == ["dropout"]
    assert tuning.only(tuning.HEAD_COMPONENTS, "all") == tuning.HEAD_COMPONENTS
    with pytest.raises(SettingsError, match="did you mean 'dropout'"):
        tuning.only(tuning.UNET_COMPONENTS, "dropot")


def test_the_papers_answer_is_within_reach_and_not_the_start():
    paper = {"learning_rate": 1e-3, "dropout": 0.1, "upsampling": "transposed", "regularizer": "none"}
    for name, choice in paper.items():
        assert choice in tuning.UNET_COMPONENTS[name]
        assert tuning.UNET_START[name] in tuning.UNET_COMPONENTS[name]
    assert any(tuning.UNET_START[name] != choice for name, choice in paper.items())


def test_a_training_that_is_not_done_ends_the_search_as_it_is():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda c: None if c["a"] == 2 else bowl(c), 5)
    assert path.component.tolist() == ["start", "a"]
    assert not path.attrs["finished"]
    assert tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, bowl).attrs["finished"]
    assert tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda _: None).empty


def test_a_start_without_a_loss_can_be_left():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda c: np.nan if c["a"] == 0 else bowl(c), 5)
    assert tuning.chosen(path, list(COMPONENTS)).to_dict() == {"a": 2, "b": "y"}
