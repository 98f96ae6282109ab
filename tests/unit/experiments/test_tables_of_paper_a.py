"""Tables of paper A from results that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.core import config
from lib.core.jobs import NOT_DONE, Result
from lib.experiments import backbone_comparison, input_ablation, mask_quality, one_model, paper_vs_code
from lib.experiments.paper_a import BACKBONES, ORACLE, STACKED, Plan
from lib.reported import two_stage as reported

PLAN = Plan(config.get("smoke", n_phantoms=160, backbones=("MobileNetV2", "VGG16")))
CLASSES = PLAN.table.classes
NORMAL, BENIGN, MALIGNANT = range(3)


def _heads(job, answer):
    """Heads that give the class ``answer(kind, head, labels)`` to the images, with certainty."""
    p = {}
    for part in ("validation", "test"):
        labels = PLAN.labels[job.arguments[part]]
        p[part] = np.eye(3)[[[answer(kind, head, labels) for head in range(2)] for kind in STACKED]]
    accuracy = np.full((3, len(STACKED), 2), 0.5)
    accuracy[1, :, 1] = 0.75 + job.arguments["seeds"][0] / 100
    return Result(job, {**p, "val_accuracy": accuracy, "kept": np.ones((len(STACKED), 2), int)})


@pytest.fixture(scope="module")
def results():
    """The oracle is right; with a mask all malignant images but the first are; the image alone is called benign."""

    def answer(kind, head, labels):
        answers = np.full(len(labels), BENIGN)
        if kind == ORACLE:
            answers = labels.copy()
        if kind == "image+mask":
            answers[np.flatnonzero(labels == MALIGNANT)[1:]] = MALIGNANT
            answers[np.flatnonzero(labels == MALIGNANT)[:1]] = NORMAL if head else BENIGN
        return answers

    jobs = PLAN.stacked_heads()
    missing = {("VGG16", 1): Result(jobs["VGG16", 1], {}, NOT_DONE)}
    return {key: _heads(job, answer) for key, job in jobs.items()} | missing


@pytest.fixture(scope="module")
def found(results):
    return input_ablation.answers(PLAN, results)


def _rounds(found):
    return input_ablation.by_round(input_ablation.scores(found, CLASSES))


def test_answers_are_those_of_the_test_parts(results, found):
    assert input_ablation.progress(results.values()) == "3 of 4 trainings"
    sizes = found.groupby(["backbone", "round"])["image"].nunique()
    assert sizes.to_dict() == {("MobileNetV2", 0): 17, ("MobileNetV2", 1): 17, ("VGG16", 0): 17}
    assert (found["label"] == PLAN.labels[found["image"]]).all()
    scored = input_ablation.scores(found, CLASSES)
    assert (scored.xs(ORACLE, level="inputs") == 1).all(axis=None)
    assert scored.xs("image", level="inputs")["recall benign"].eq(1).all()


def test_table_1_has_the_paper_beside(found):
    table = input_ablation.table_1(_rounds(found), reported.table_i())
    assert list(dict.fromkeys(table.index.get_level_values("inputs"))) == list(STACKED)
    assert table.loc[("image", "paper (DenseNet201)"), "accuracy"] == "0.8734"
    assert table.loc[(ORACLE, "MobileNetV2"), "accuracy"] == "1.000 ± 0.000"
    assert table.loc[(ORACLE, "VGG16"), ["accuracy", "rounds"]].tolist() == ["1.000", 1]


def test_paired_differences_of_backbones_and_of_all(found):
    groups = np.arange(len(PLAN.labels))
    table = input_ablation.differences(found, groups)
    gain = table.loc["image+mask – image"]
    assert gain["difference"].to_numpy() == pytest.approx([4 / 17] * 3), "four of five malignant images"
    assert gain.loc["all", "only second"] == 0
    assert gain.loc["all", "rounds"] == 2
    assert gain.loc["all", "only first"] == gain["only first"].drop("all").sum()
    assert not table.index.get_level_values("pair").str.contains("out-of-fold").any()
    gains = input_ablation.gains(_rounds(found))
    assert gains.notna().sum().to_dict() == {"MobileNetV2": 2, "VGG16": 1}


def test_the_primary_endpoint_leaves_other_backbones_out(found):
    renamed = found.replace({"backbone": {"VGG16": "DenseNet201"}})
    table = input_ablation.differences(renamed, np.arange(len(PLAN.labels)), [("image+mask", "image")])
    assert table["only first"].tolist() == [8, 16, 16]
    said = input_ablation.endpoint_in_words(table, reported.table_i(), complete=False)
    assert said.startswith("P1: +0.235 (95 % interval +0.061 to +0.436); printed +0.051: ")
    assert said.endswith("(interim: the plan is not complete).")
    assert "DenseNet201" not in BACKBONES


def test_malignant_lesions_called_normal_are_counted_over_all_trainings(found):
    table = input_ablation.malignant_as_normal(found, CLASSES)
    row = table.loc[("image+mask", "all")]
    assert row.drop("note").tolist() == [3, 30, 6, 3, 2], "each second head calls one image normal"
    assert row.note == "3 of 6 heads have no such case"
    assert table.loc[("image+mask", "VGG16")].drop("note").tolist() == [1, 10, 2, 1, 1]


def test_printed_scores_beside_the_interval_of_one_hold_out(found):
    table = input_ablation.hold_outs(found, reported.table_i(), np.arange(len(PLAN.labels)), CLASSES)
    always = table.loc[(ORACLE, "MobileNetV2", "accuracy")]
    assert always[["paper", "here", "95 % low", "95 % high"]].tolist() == [0.9873, 1, 1, 1]
    alone = table.loc[("image", "MobileNetV2", "accuracy")]
    assert alone["95 % low"] < alone["here"] < alone["95 % high"]
    shown = input_ablation.inside(table)
    assert len(shown) == len(table) / 10
    assert shown.loc[(ORACLE, "MobileNetV2"), "scores inside"] == "5 of 10", "those that are printed as 1"
    said = input_ablation.inside_in_words(shown.loc[[(ORACLE, "MobileNetV2"), ("image", "MobileNetV2")]])
    assert said == (
        "In 0 of 2 comparisons (of 2 printed accuracies) the printed one lies inside, 0 times at the limit itself. "
        f"Outside: {ORACLE}, MobileNetV2; image, MobileNetV2."
    )


def test_validation_figures(results):
    jobs = [PLAN.unet(one) for one in PLAN.rounds]
    unets = [Result(job, {"history": {"val_bce": [1.0, loss]}}) for job, loss in zip(jobs, (0.1, 0.3), strict=True)]
    table = input_ablation.validation(PLAN, unets, results)
    assert table.loc["validation loss of the U-Net, mean of 10 rounds", "here"].tolist() == [pytest.approx(0.2)]
    means = table.loc["validation accuracy, mean of 10 rounds"]
    assert means["here"].to_dict() == {"VGG16": 0.625, "MobileNetV2": pytest.approx(0.65)}
    assert means["rounds"].to_dict() == {"VGG16": 1, "MobileNetV2": 2}


def test_nothing_done_gives_empty_tables():
    empty = input_ablation.answers(PLAN, {})
    rounds = _rounds(empty)
    groups = np.arange(len(PLAN.labels))
    assert input_ablation.differences(empty, groups).empty
    assert pd.concat([empty, empty])["predicted"].dtype == int, "put beside others it must not change their type"
    assert input_ablation.gains(rounds).empty
    assert input_ablation.malignant_as_normal(empty, CLASSES).empty
    hold_outs = input_ablation.hold_outs(empty, reported.table_i(), groups, CLASSES)
    assert hold_outs.empty
    assert input_ablation.inside(hold_outs).empty
    nothing = input_ablation.differences(empty, groups)
    assert input_ablation.endpoint_in_words(nothing, reported.table_i(), complete=False) == "P1: no result yet."
    assert input_ablation.validation(PLAN, [], {}).empty
    assert len(input_ablation.table_1(rounds, reported.table_i())) == 4
    assert mask_quality.over_rounds(mask_quality.frame(PLAN, {})).empty


def test_table_2_has_the_weights_of_networks_that_are_run(found):
    table = backbone_comparison.table_2(_rounds(found), reported.table_ii(), "random")
    assert table.loc["VGG16"].index.tolist() == ["paper", "here, raw"]
    assert len(table) == 14 + 2
    assert table.loc[("VGG16", "here, raw"), "weights"] == "random"
    assert table.loc["ResNet152"].index.tolist() == ["paper"]
    accuracy = backbone_comparison.accuracies(_rounds(found), reported.table_ii())
    assert accuracy["here"].dropna().index.tolist() == ["VGG16", "MobileNetV2"]


def test_paper_versus_code_beside_the_base(results):
    jobs = paper_vs_code.jobs(PLAN.profile)
    test = PLAN.labels[PLAN.rounds[0].split.test]
    p = np.eye(3)[np.tile(test, (1, 2, 1))]
    wrong = p[..., [1, 2, 0]]
    scores = {"dice": [1.0] * 17, "kind": ["lesion"] * 17}
    scores |= dict.fromkeys(("iou", "hd95", "nsd", "true_area", "predicted_area"), [1.0] * 17)
    done = {
        name: (
            Result(row[0], {"test": wrong if name == "features" else p}),
            Result(row[1], {}, NOT_DONE),
            Result(row[2], scores),
        )
        for name, row in jobs.items()
    }
    done["kept epoch"] = (Result(jobs["kept epoch"][0], {}, NOT_DONE), *done["kept epoch"][1:])
    table = paper_vs_code.table(PLAN, done, np.arange(len(PLAN.labels)))
    assert table["difference"].dropna().to_dict() == {
        name: -1.0 if name == "features" else 0.0 for name in list(jobs)[2:]
    }
    assert table["Dice test"].eq(1).all()
    assert table["Dice validation"].isna().all()


def test_mask_quality_keeps_kinds_and_rounds_apart():
    test = [one.split.test for one in PLAN.rounds]
    kinds = [np.where(PLAN.labels[part] > 0, "lesion", "no lesion").tolist() for part in test]
    rest = dict.fromkeys(("iou", "hd95", "nsd", "true_area", "predicted_area"), [0.5] * 17)
    results = {
        ("test", number): Result(
            PLAN.mask_scores(PLAN.rounds[number]),
            {"dice": [dice if kind == "lesion" else 0.0 for kind in kinds[number]], "kind": kinds[number], **rest},
        )
        for number, dice in enumerate((0.6, 0.8))
    }
    table = mask_quality.over_rounds(mask_quality.frame(PLAN, results))
    assert table.loc[("test", "lesion"), ["dice", "dice sd", "rounds"]].tolist() == pytest.approx([0.7, 0.02**0.5, 2])
    assert table.loc[("test", "no lesion"), "missed or invented"] == 1
    assert table.loc[("test", "no lesion"), ["HD95 median", "surface Dice"]].isna().all()


def test_one_model(results):
    predicted = one_model.predictions(PLAN, results["MobileNetV2", 0])
    table = one_model.accuracies(predicted, {"validation": 0.9, "test": 0.8})
    assert table.loc["test", ["paper", "right", "images"]].tolist() == [0.8, 13, 17], "nine benign, four malignant"
    assert predicted["probability"].eq(1).all()
    scores = one_model.class_scores(predicted, reported.table_i().loc["image+mask"], CLASSES)
    assert scores.loc["accuracy"].tolist() == pytest.approx([0.9241, 12 / 16, 13 / 17], abs=1e-4)
    assert one_model.confusions(predicted, CLASSES)["test"].loc["malignant"].tolist() == [0, 1, 4]
    assert one_model.kept_in_words(results["MobileNetV2", 0]).startswith("Kept: epoch 2 of 3, validation accuracy 0.5")
    nothing = one_model.predictions(PLAN, Result(PLAN.stacked_heads()["VGG16", 1], {}, NOT_DONE))
    assert one_model.accuracies(nothing, {}).empty
    assert one_model.class_scores(nothing, reported.table_i().loc["image+mask"], CLASSES)["test"].isna().all()
