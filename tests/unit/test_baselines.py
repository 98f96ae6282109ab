import numpy as np
import pandas as pd
import pytest

from lib.data import phantoms, splits
from lib.experiments import backbone_comparison as baselines
from lib.experiments import input_ablation as ablation
from lib.experiments import paper_vs_code as switches
from lib.models import backbones
from lib.two_stage import classification, segmentation

SEGMENTER = segmentation.Settings(filters=4, epochs=1, batch_size=8)
SETTINGS = classification.Settings(weights="random", epochs=1)


@pytest.fixture(scope="module")
def data():
    return phantoms.make(40, 32, 0)


def test_a_backbone_without_weights_gets_a_row_and_stops_nothing(data, tmp_path, monkeypatch):
    build = backbones.build

    def missing(name, size, weights="imagenet", seed=0):
        if name == "MobileNet":
            raise backbones.WeightsError("no ImageNet weights of MobileNet")
        return build(name, size, weights, seed)

    monkeypatch.setattr(backbones, "build", missing)
    variants = [("raw", "image"), ("own", "image"), ("raw", "image+mask")]
    plan = ablation.plan(2, 2, 0, "new")
    names = ["MobileNet", "MobileNetV2"]
    answers = baselines.run(data, SEGMENTER, SETTINGS, names, variants, plan, 0, tmp_path)
    assert answers.backbone.tolist() == ["MobileNet", *["MobileNetV2"] * 3]
    assert "WeightsError" in answers.error[0]
    assert (answers.error[1:] == "").all()
    costs = pd.DataFrame({"parameters": {"MobileNet": 1, "MobileNetV2": 2}})
    table = baselines.table(answers, pd.Series({"MobileNet": 0.8, "MobileNetV2": 0.82}), costs)
    assert "no ImageNet weights" in table.weights["MobileNet"]
    assert table.weights["MobileNetV2"] == "random, seed 0"
    assert np.isnan(table.loc["MobileNet", "image, raw"])
    assert 0 <= table.loc["MobileNetV2", "image+mask, raw"] <= 1
    compared = baselines.compare(answers, ["image+mask"], "image").loc["image+mask – image"]
    tests = [splits.stratified(data.labels, seed).test for seed in (0, 1)]
    assert answers.test[1] == [test.tolist() for test in tests]
    assert compared.answers.tolist() == [sum(map(len, tests))] * 2
    assert compared.images["all"] == len(np.union1d(*tests))
    gains = baselines.gains(answers, "image+mask", "image")
    assert list(gains.index) == [("MobileNetV2", "raw")]


def test_densenet_201_runs_as_the_others_do(data, tmp_path):
    plan = ablation.plan(1, 1, 0)
    answers = baselines.run(data, SEGMENTER, SETTINGS, ["DenseNet201"], [("raw", "image")], plan, 0, tmp_path)
    assert answers.error[0] == ""
    assert np.shape(answers.right[0]) == (1, len(splits.stratified(data.labels, 0).test))


def test_costs_are_counted_without_weights(tmp_path):
    costs = baselines.costs(["MobileNetV2"], 32, tmp_path)
    assert costs.loc["MobileNetV2", "parameters"] == 2_257_984
    assert costs.loc["MobileNetV2", "features"] == 1280
    assert costs.loc["MobileNetV2", "ms"] > 0


def test_each_switch_changes_one_thing():
    base = switches.Variant()
    found = switches.variants(base)
    assert list(found) == [switches.BASE, *(name for name, *_ in switches.SWITCHES), switches.ALL_AS_CODE]
    for name, *_ in switches.SWITCHES:
        changed = [
            (part, key)
            for part in ("segmenter", "classifier")
            for key, value in vars(getattr(found[name], part)).items()
            if value != vars(getattr(base, part))[key]
        ]
        changed += [key for key in ("masks", "inputs") if getattr(found[name], key) != getattr(base, key)]
        assert len(changed) == 1, name
    code = found[switches.ALL_AS_CODE]
    assert (code.masks, code.segmenter.keep, code.segmenter.decoder_dropout) == ("first", "last", False)


def test_masks_in_between(data):
    blends = ablation.blends(np.zeros_like(data.masks), data.masks, (0.5, 1.0))
    assert list(blends) == ["50% truth", "100% truth"]
    assert (blends["100% truth"] == data.masks).all()
    assert blends["50% truth"].max() == 0.5


def test_switches_are_scored_against_the_union_and_the_base():
    frame = pd.DataFrame(
        {
            "name": [switches.BASE, "features"],
            "dice validation": [0.5, 0.5],
            "dice test": [0.4, 0.4],
            "accuracy": [[0.5, 0.5], [0.75, 1.0]],
            "right": [[[1, 0, 1, 0]] * 2, [[1, 1, 1, 0], [1, 1, 1, 1]]],
            "error": ["", ""],
        }
    )
    table = switches.table(frame)
    assert table.loc["features", "difference"] == pytest.approx(0.375)
    assert table.loc[switches.BASE, "difference"] == 0
    assert table.loc["features", "switched to"] == "pooled"


def test_without_any_weights_the_tables_are_empty(data, tmp_path, monkeypatch):
    def missing(*_):
        raise backbones.WeightsError("none here")

    monkeypatch.setattr(backbones, "build", missing)
    plan, variants = ablation.plan(1, 1, 0), [("raw", "image"), ("raw", "image+mask")]
    answers = baselines.run(data, SEGMENTER, SETTINGS, ["MobileNet"], variants, plan, 0, tmp_path)
    assert answers.error.str.contains("none here").all()
    assert baselines.gains(answers, "image+mask", "image").empty
    assert baselines.compare(answers, ["image+mask"], "image").empty
    table = baselines.table(answers, pd.Series({"MobileNet": 0.8}), pd.DataFrame({"parameters": {"MobileNet": 1}}))
    assert "none here" in table.weights["MobileNet"]
