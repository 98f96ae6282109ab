"""All kinds of jobs behind notebooks 07 and 08, on few phantoms in three folds."""

from dataclasses import replace

import numpy as np
import pytest

from lib.core import config, run
from lib.experiments import clinical_use, external, interpretability, mask_quality
from lib.experiments import model_comparison as models
from lib.experiments.grouped_cv import GroupedCV


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAPER_ARTIFACTS", str(tmp_path_factory.mktemp("artifacts")))
        small = {"unet_filters": 2, "unet_epochs": 1, "encoder_epochs": 1, "head_epochs": 1}
        profile = config.get("smoke", n_phantoms=60, image_size=32, **small)
        yield run.Run("08_better_models", profile, 0), GroupedCV.of(profile)


def test_everything_is_trained_scored_and_explained(here, monkeypatch):
    one, cv = here
    answers = models.with_ensembles(cv, models.answers(one, cv))
    table = models.score_table(cv, answers)
    assert set(table.index) >= {
        models.ENSEMBLE,
        models.GREEDY,
        "fine-tuned stage-1 encoder",
        "image + mask, MobileNetV2",
    }
    assert (table.folds == "3 of 3").all()
    assert (table.images == 66).all()
    for name, part in answers.items():
        assert part.sum(axis=-1) == pytest.approx(1, abs=1e-4), name
    scores = mask_quality.mask_scores(one, cv)
    assert scores.network.value_counts().to_dict() == dict.fromkeys(mask_quality.NETWORKS, 66)
    right = models.rights(cv, answers)
    assert models.ensemble_endpoint(cv, right).loc[models.ENSEMBLE, "images"] == 66
    assert len(models.against_image(cv, right)) == len(answers) - 1
    assert models.partition_table(one).empty, "one partition says nothing of their spread"
    monkeypatch.setattr(models.GroupedCV, "of", lambda *_: cv)
    partitions = models.partition_table(replace(one, profile=replace(one.profile, n_partitions=2)))
    assert partitions["partition 0"].tolist() == pytest.approx(partitions["all"].tolist())
    assert partitions["all"].tolist()[-2:] == mask_quality.mask_endpoint(cv, scores).dice.tolist()
    assert clinical_use.decision_curves(cv, answers).model.nunique() == 4
    assert len(clinical_use.risk_curves(cv, answers)) == 3
    depends = interpretability.dependence_table(cv, one.result(interpretability.explained(cv)))
    assert depends.loc["accuracy", "images"] == len(cv.members(0))
    masks, classes = external.external_tables(one, cv)
    assert masks.loc["all images", "images"].drop(["benign", "malignant"]).sum() == 15
    assert np.isfinite(classes["accuracy"].astype(float)).all()


def test_a_second_look_trains_nothing(here, capsys):
    one, cv = here
    models.answers(one, cv)
    external.external_tables(one, cv)
    assert "done in" not in capsys.readouterr().out
