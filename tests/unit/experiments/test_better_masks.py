import numpy as np
import pytest

from lib.core.jobs import NOT_DONE, Result
from lib.core.run import Run
from lib.experiments import better_masks, mask_quality
from tests.unit.experiments.folds import LITE, SMOKE, of_folds


@pytest.fixture(scope="module")
def cv():
    return of_folds(np.repeat(np.arange(5), 3), np.tile([0, 1, 2], 5), profile=LITE)


def test_recipes_are_trained_beside_both_folds_and_the_first_is_in_the_plan_already(cv):
    networks = {recipe[0]: better_masks.network(cv, recipe) for recipe in better_masks.RECIPES}
    assert networks["a"] == cv.stage_1(0)
    assert len({job.key for job in networks.values()}) == 4
    assert all(job.arguments["train"].min() >= 6 for job in networks.values()), "folds 0 and 1 are not trained on"
    settings = networks["c"].arguments["settings"]
    assert (settings.architecture, settings.epochs, settings.batch_size) == ("vgg16", 20, 8)


def test_a_smoke_run_pretrains_nothing():
    cv = of_folds(np.repeat(np.arange(3), 3), np.tile([0, 1, 2], 3), profile=SMOKE)
    found = {better_masks.network(cv, recipe).arguments["settings"].architecture for recipe in better_masks.RECIPES}
    assert found == {"unet"}


def test_a_classifier_empties_masks_of_what_it_calls_normal(cv, monkeypatch):
    scores = {"kind": ["no lesion", "lesion", "lesion"], "dice": [0.0, 0.8, 0.6]}
    scores |= dict.fromkeys(("iou", "hd95", "nsd", "true_area", "predicted_area"), [0.5] * 3)
    normal_or_not = np.array([[[1, 0, 0], [0, 1, 0], [1, 0, 0]]])  # the last is a lesion called normal

    def results(run, wanted, extras=()):
        done = {
            key: Result(job, scores if "c:" in key[0] else {}, "" if "c:" in key[0] else NOT_DONE)
            for key, job in wanted.items()
        }
        return done

    monkeypatch.setattr(Run, "results", results)
    heads = Result(better_masks.classifier(cv), dict.fromkeys(("validation", "test"), normal_or_not[None]))
    monkeypatch.setattr(Run, "result", lambda run, job: heads)
    table = mask_quality.recipe_table(Run("08", LITE, 0), cv)
    assert table.loc[better_masks.VGG_ENCODER].tolist() == pytest.approx([0.7, 0, 0.7, 0])
    assert table.loc[better_masks.EMPTIED].tolist() == pytest.approx([0.4, 1, 0.4, 1])
    monkeypatch.setattr(
        Run, "results", lambda run, wanted: {key: Result(job, {}, NOT_DONE) for key, job in wanted.items()}
    )
    assert mask_quality.recipe_table(Run("08", LITE, 0), cv).nlargest(1, "validation lesion").empty
