"""Nothing that answers for a test fold has seen one of its images: checked in the arguments of the jobs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import paths
from lib.core.jobs import Result
from lib.data import splits
from lib.data.record import DataError
from lib.experiments import classifiers, interpretability, mask_quality
from lib.experiments import model_comparison as models
from lib.experiments.grouped_cv import GroupedCV
from tests.unit.experiments.folds import LITE, SMOKE, all_jobs, of_folds


@pytest.fixture(scope="module")
def cv():
    labels = np.random.default_rng(0).integers(0, 3, 100)
    return of_folds(np.arange(100) % 5, labels)


@given(st.integers(0, 2**16), st.integers(2, 5), st.integers(0, 3))
def test_no_group_lies_on_both_sides(seed, n_folds, partition):
    generator = np.random.default_rng(seed)
    groups, labels = generator.integers(0, 80, 150), generator.integers(0, 3, 150)
    cv = of_folds(splits.k_fold(labels, n_folds, partition, groups), labels, groups)
    tested = []
    for fold in range(n_folds):
        split = cv.split(fold)
        parts = [set(groups[part]) for part in (split.train, split.validation, split.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        tested.append(split.test)
    assert sorted(np.concatenate(tested)) == list(range(150))


def test_fold_k_is_tested_and_the_next_one_validates(cv):
    for fold in range(5):
        split = cv.split(fold)
        assert set(cv.folds[split.test]) == {fold}
        assert set(cv.folds[split.validation]) == {(fold + 1) % 5}
        assert len(split.train) == 60


@pytest.mark.parametrize("fold", range(5))
def test_no_job_behind_an_answer_has_trained_on_the_test_fold(cv, fold):
    split = cv.split(fold)
    for name, job in classifiers.classifiers(cv, fold).items():
        for part in ("train", "validation", "test"):
            assert np.array_equal(job.arguments[part], getattr(split, part))
        for one in all_jobs(job):
            used = [one.arguments[part] for part in ("train", "validation") if part in one.arguments]
            assert not np.isin(split.test, np.concatenate([*used, []])).any(), name


def test_masks_of_one_kind_come_from_networks_that_saw_neither_image_nor_test_fold(cv):
    for fold in range(5):
        parts = cv.unseen_masks(fold)
        assert sorted(np.concatenate([chosen for _, chosen in parts])) == list(range(100))
        for network, chosen in parts:
            seen = set(cv.folds[network.arguments["train"]])
            assert len(seen) == 3
            assert fold not in seen
            assert not seen & set(cv.folds[chosen])
            assert set(chosen) <= set(network.arguments["predicted"])
            assert len(network.arguments["validation"]) == 0
            assert network.arguments["settings"].keep == "last"
        # Validation and test images by the same single network.
        held_out = [set(cv.folds[chosen]) for _, chosen in parts if fold in cv.folds[chosen]]
        assert held_out == [{fold, (fold + 1) % 5}]
    networks = {network for fold in range(5) for network, _ in cv.unseen_masks(fold)}
    assert len(networks) == 10


def test_masks_as_printed_come_from_the_network_of_the_training_images(cv):
    for fold in range(5):
        network = cv.paper_unet(fold)
        assert np.array_equal(network.arguments["train"], cv.split(fold).train)
        assert np.array_equal(network.arguments["validation"], cv.split(fold).validation)
        assert network.arguments["settings"].keep == "best"
        assert network.arguments["settings"].architecture == "unet"


@pytest.mark.parametrize(("kind", "networks"), list(zip(mask_quality.NETWORKS, (1, 1, 4), strict=True)))
def test_scored_masks_are_of_unseen_images(cv, kind, networks):
    tested = []
    for job in (job for (name, _), job in mask_quality.scoring_jobs(cv).items() if name == kind):
        masks, chosen = job.arguments["masks"], job.arguments["scored"]
        assert len(masks) == networks
        assert job.arguments["ensemble"] == (networks > 1)
        for network, _ in masks:
            assert not np.isin(chosen, network.arguments["train"]).any()
        tested.append(chosen)
    assert sorted(np.concatenate(tested)) == list(range(100))


def test_what_is_explained_was_not_trained_on(cv):
    job = interpretability.explained(cv)
    trained = [one for one in all_jobs(job) if "train" in one.arguments]
    assert len(trained) > 2
    assert not any(np.isin(job.arguments["test"], one.arguments["train"]).any() for one in trained)


def test_the_members_are_those_of_the_protocol(cv):
    protocol = (paths.ROOT / "report" / "protocol.md").read_text(encoding="utf-8")
    assert "Eleven members, all with equal weight" in protocol
    assert classifiers.members(LITE) == list(classifiers.MEMBERS)
    assert len(classifiers.MEMBERS) == 11
    known = {name: classifiers.classifiers(cv, 0)[name] for name in classifiers.MEMBERS}
    steps = [job.step.name for job in known.values()]
    assert [steps.count(step) for step in ("logistic_regression", "heads", "fine_tuned")] == [8, 1, 2]
    mirror = known["image and mirror image"].arguments
    assert list(mirror["seeds"]) == [0, 1, 2]
    assert mirror["x"][0].arguments["settings"].name == "VGG16"
    assert mirror["mirrored"][0].arguments["settings"].mirrored


def test_answers_are_put_together_fold_by_fold(cv):
    def result(fold, done=True):
        parts = {"test": cv.members(fold), "validation": cv.members(cv.validates(fold))}
        values = {name: np.full((2, 3, len(part), 3), fold, np.float32) for name, part in parts.items()}
        return Result(None, values, "" if done else "not done yet")

    test, validation = models.pool(cv, [result(fold) for fold in range(5)], kind=1)
    assert np.array_equal(test[2, :, 0], cv.folds)
    assert np.array_equal(validation[0, :, 1], (cv.folds - 1) % 5)
    part = models.pool(cv, [result(fold, done=fold != 2) for fold in range(5)])
    right = models.rights(cv, {"one": part})["one"]
    assert cv.done(right) == "4 of 5"
    assert np.array_equal(right.isna(), cv.folds == 2)
    assert models.pool(cv, [result(0, done=False)] * 5) is None


def test_policies_leave_images_out_of_every_fold(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    whole = GroupedCV.of(SMOKE)
    assert whole.folds.min() == 0
    assert whole.table.images is None
    listed = tmp_path / "axilla.csv"
    pd.DataFrame({"name": whole.table.names[:2]}).to_csv(listed, index=False)
    fewer = GroupedCV.of(replace(SMOKE, excluded=str(listed)))
    assert np.flatnonzero(fewer.folds < 0).tolist() == [0, 1]
    assert not any(0 in part for fold in range(3) for part in fewer.split(fold).parts().values())
    listed.write_text("name\nbenign (9999)\n")
    with pytest.raises(DataError, match="unknown"):
        GroupedCV.of(replace(SMOKE, excluded=str(listed)))
    listed.write_text("image\nbenign (1)\n")
    with pytest.raises(DataError, match="lacks name"):
        GroupedCV.of(replace(SMOKE, excluded=str(listed)))
