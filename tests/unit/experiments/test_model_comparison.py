from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.core.run import Run
from lib.experiments import classifiers, clinical_use
from lib.experiments import model_comparison as models
from tests.unit.experiments.folds import LITE, SMOKE, of_folds


@pytest.fixture(scope="module")
def cv():
    return of_folds(np.arange(90) % 3, np.random.default_rng(0).integers(0, 3, 90), profile=SMOKE)


def answers(labels, right):
    """Probabilities 0.8 for the label where ``right``, else for the next one; one seed, for test and validation."""
    named = np.where(right, labels, (labels + 1) % 3)
    p = (np.full((len(labels), 3), 0.1) + 0.7 * np.eye(3)[named])[None]
    return np.stack([p, p])


def first(n, of=90):
    return np.arange(of) < n


def test_scores_of_known_answers(cv):
    right = ~first(18)
    row = models.score_table(cv, {"one": answers(cv.labels, right)}).loc["one"]
    assert row["accuracy"] == pytest.approx(0.8)
    assert row["accuracy low"] < 0.8 < row["accuracy high"]
    recalls = [right[cv.labels == label].mean() for label in range(3)]
    assert row["balanced accuracy"] == pytest.approx(np.mean(recalls))
    assert row["folds"] == "3 of 3"
    wide = models.scores(replace(cv, groups=np.arange(90) // 18), answers(cv.labels, right)[0])
    assert wide["accuracy high"] - wide["accuracy low"] > row["accuracy high"] - row["accuracy low"]


def test_scores_are_means_over_seeds_not_of_their_ensemble(cv):
    three = np.concatenate([answers(cv.labels, right) for right in (first(90), first(45), first(30))], axis=1)
    row = models.scores(cv, three[0])
    assert row["accuracy"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert models.class_table(cv, {"one": three}).loc["one", "accuracy"] == pytest.approx(row["accuracy"])
    assert row["SD over seeds"] == pytest.approx(np.std([1, 1 / 2, 1 / 3], ddof=1))
    assert models.rights(cv, {"one": three})["one"].mean() == pytest.approx(row["accuracy"])


def test_the_ensemble_waits_for_all_members_and_is_their_plain_mean(cv):
    names = classifiers.members(cv.profile)
    found = {name: answers(cv.labels, first(30 + 5 * k)) for k, name in enumerate(names)}
    assert models.with_ensembles(cv, found)[models.ENSEMBLE] == pytest.approx(np.mean(list(found.values()), axis=0))
    del found[names[0]]
    assert models.ENSEMBLE not in models.with_ensembles(cv, found)


def test_a_partition_counts_where_all_backbones_and_folds_are_done(cv, monkeypatch):
    names = [f"{kind}, {name}" for kind in ("image", classifiers.AS_PRINTED) for name in LITE.backbones]
    found = {name: answers(cv.labels, first(60 + 10 * name.startswith(classifiers.AS_PRINTED))) for name in names}
    hole = {name: np.where(cv.folds[:, None] == 0, np.nan, one) for name, one in found.items()}
    cv = replace(cv, profile=replace(LITE, n_partitions=2))
    monkeypatch.setattr(models.GroupedCV, "of", lambda *_: cv)
    monkeypatch.setattr(models.mask_quality, "mask_scores", lambda *_: pd.DataFrame(columns=["kind"]))
    monkeypatch.setattr(models.mask_quality, "lesion_dice", lambda *_: pd.DataFrame())
    for second, rows in ((found, 1), (hole, 0), ({name: found[name] for name in names if "VGG16" in name}, 0)):
        known = iter((found, second))
        monkeypatch.setattr(models, "answers", lambda *_, known=known: next(known))
        table = models.partition_table(Run("08_better_models", cv.profile, 0))
        assert len(table) == rows
        assert rows == 0 or table.loc["accuracy gained by masks as printed", "all"] == pytest.approx(1 / 9)


def test_greedy_selection_reads_validation_data_only(cv):
    good, bad = answers(cv.labels, first(90)), answers(cv.labels, first(0))
    # On validation data the first is right, on test data the second.
    found = {"a": np.stack([bad[0], good[1]]), "b": np.stack([good[0], bad[1]])}
    assert models.with_ensembles(cv, found)[models.GREEDY] == pytest.approx(found["a"])


def test_the_gain_is_the_mean_over_backbones_and_interim_until_all_are_done():
    labels = np.random.default_rng(0).integers(0, 3, 100)
    cv = of_folds(np.arange(100) % 5, labels, profile=LITE)
    found = {}
    for k, name in enumerate(LITE.backbones):
        found[f"image, {name}"] = answers(labels, first(60, 100))
        found[f"image + mask as printed, {name}"] = answers(labels, first(70 + 5 * k, 100))
    right = models.rights(cv, found)
    row = models.mask_gain(cv, right).iloc[-1]
    assert row.name == ("image+mask – image", "all")
    assert (row["image"], row["with mask"], row.difference) == pytest.approx((0.6, 0.75, 0.15))
    assert row.verdict == "reproduced"
    part = right.assign(**{"image, VGG16": right["image, VGG16"].where(cv.folds > 0)})
    row = models.mask_gain(cv, part).iloc[-1]
    assert (row.folds, row.images, row.verdict) == ("4 of 5", 80, "interim: reproduced")
    row = models.mask_gain(cv, right.drop(columns="image, Xception")).iloc[-1]
    assert (row.folds, row.verdict) == ("5 of 5", "interim: reproduced")


def test_each_model_stands_against_the_image_in_its_own_backbone():
    cv = of_folds(np.arange(90) % 3, np.zeros(90, int), profile=LITE)
    names = ["image, VGG16", "image, Xception", "image + mask, Xception", "mask descriptors"]
    right = models.rights(cv, {name: answers(cv.labels, first(50)) for name in names})
    assert models.against_image(cv, right).index.tolist() == [
        "image + mask, Xception – image, Xception",
        "mask descriptors – image, VGG16",
    ]


def test_the_plan_begins_with_p2_and_names_no_job_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    plan = models.planned(SMOKE, 0)
    assert len(plan) == len(set(plan))
    assert [job.step.name for job in plan[:4]] == ["heads"] * 3 + ["mask_scores"]
    assert len(plan[0].arguments["x"]) == 2


def test_thresholds_and_temperatures_come_from_the_validation_fold(cv):
    malignant = cv.labels == 2
    score = np.where(malignant, 0.6, 0.2)
    # On its validation fold, the models of fold 0 give all a score lower by 0.1.
    shift = np.where(cv.folds == 1, 0.1, 0)

    def of(score):
        return np.stack([(1 - score) / 2, (1 - score) / 2, score], axis=-1)[None]

    calls = clinical_use.malignant_calls(cv, np.stack([of(score), of(score - shift)])).loc["as chosen"]
    assert calls.loc[["sensitivity", "specificity"], "value"].tolist() == [1, 1]
    late = np.stack([of(score - np.where(cv.folds == 0, 0.2, 0)), of(score - shift)])
    missed = clinical_use.malignant_calls(cv, late).loc["as chosen"]
    assert missed.loc["sensitivity", "value"] == pytest.approx((malignant & (cv.folds > 0)).sum() / malignant.sum())
    sure = answers(cv.labels, first(45))
    assert clinical_use.probabilities(cv, sure)[clinical_use.SCALED].max(axis=None) < sure.max()


def test_the_margin_finds_one_image_more_where_the_share_allows_it():
    # 40 malignant images in each fold: 38 have to be found, with the margin 39 of 41.
    cv = of_folds(np.arange(240) % 3, np.where(np.arange(240) < 120, 2, 0), profile=SMOKE)
    score = np.linspace(0.9, 0.1, 240)
    p = np.stack([(1 - score) / 2, (1 - score) / 2, score], axis=-1)[None]
    found = clinical_use.malignant_calls(cv, np.stack([p, p])).value.xs("sensitivity", level="score") * 120
    assert found["as chosen"] == pytest.approx(3 * 38, abs=1)
    assert found["with margin"] == pytest.approx(3 * 39, abs=1)
