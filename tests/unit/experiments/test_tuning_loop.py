from dataclasses import dataclass

import numpy as np

from lib.experiments import tuning_loop as tuning
from lib.two_stage.classification import HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

COMPONENTS = {"a": (0, 1, 2), "b": ("x", "y")}


@dataclass
class _Paper:
    a: int = 1
    b: str = "y"


def bowl(configuration):
    return (configuration["a"] - 2) ** 2 + (configuration["b"] != "y")


def kept(path):
    """The configuration that a search ended with."""
    return path.loc[path["kept"], list(COMPONENTS)].iloc[-1].to_dict()


def test_it_finds_the_bottom_one_component_at_a_time():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, bowl, 5)
    assert kept(path) == {"a": 2, "b": "y"}
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
    assert kept(path)["a"] == 2


def test_the_loop_starts_with_the_papers_answer_but_for_the_dropout_of_the_unet():
    different = {}
    for (stage, one), paper in zip(tuning.STAGES.items(), (SegmenterSettings(), HeadSettings()), strict=True):
        printed = {name: getattr(paper, name) for name in one["choices"]}
        assert all(one["start"][name] in some and printed[name] in some for name, some in one["choices"].items())
        different |= {(stage, name): start for name, start in one["start"].items() if start != printed[name]}
    assert different == {("unet", "dropout"): 0.05}


def test_a_training_that_is_not_done_ends_the_search_as_it_is():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda c: None if c["a"] == 2 else bowl(c), 5)
    assert path.component.tolist() == ["start", "a"]
    assert not path.attrs["finished"]
    assert tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, bowl).attrs["finished"]
    nothing = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda _: None)
    assert nothing.empty
    assert tuning.in_words(tuning.table(nothing, _Paper())) == "The tuning loop: no result yet."


def test_what_it_chose_is_said_beside_the_papers_choice():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, bowl, 5)
    said = tuning.in_words(tuning.table(path, _Paper()))
    assert said == "The loop chooses 1 of 2 settings as the paper does; a is 2 instead of 1."


def test_a_start_without_a_loss_can_be_left():
    path = tuning.coordinate_search(COMPONENTS, {"a": 0, "b": "x"}, lambda c: np.nan if c["a"] == 0 else bowl(c), 5)
    assert kept(path) == {"a": 2, "b": "y"}
