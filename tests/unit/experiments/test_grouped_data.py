from dataclasses import replace

import numpy as np
import pytest

from lib.core import config, run
from lib.experiments import clinical_use, grouped_data, mask_quality
from lib.experiments import model_comparison as models
from lib.experiments.grouped_cv import GroupedCV
from lib.plots import grouped
from tests.unit.experiments.folds import SMOKE, of_folds


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A run on phantoms that trains nothing, and its images in grouped and random folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAPER_ARTIFACTS", str(tmp_path_factory.mktemp("artifacts")))
        profile = config.get("smoke", n_phantoms=90, image_size=32, trains=False)
        yield run.Run("07_leakage", profile, 0), *(GroupedCV.of(profile, grouped=kind) for kind in (True, False))


def test_planted_relatives_are_found_and_grouped_folds_do_not_leak(here):
    one, cv, random = here
    found, pairs = grouped_data.related_images(one, cv)
    recall = grouped_data.recall_table(cv, found)["value"]
    assert (recall["listed pairs"], recall["images"]) == (9, 99)
    assert recall["of them found"] > 0.8 * recall["listed pairs"]
    shares = grouped_data.leak_shares(cv, random)
    assert shares.loc["grouped folds", "share"] == 0
    assert shares.loc["random folds", "share"] > 0
    table = grouped_data.pair_table(cv, found, pairs)
    figure = grouped.image_pairs(cv.source.open(), table)
    assert [cell.get_title() for cell in figure.axes[:4]] == table["first image"].head(4).tolist()
    assert grouped_data.fold_table(cv).groups.sum() == 90


def test_a_review_table_shows_whole_groups(here):
    one, cv, _ = here
    _, pairs = grouped_data.related_images(one, cv)
    pairs = pairs[cv.groups[pairs["first"]] == cv.groups[pairs["second"]]].reset_index(drop=True)
    changed, labels = pairs.loc[0, ["first", "second"]].to_list(), cv.labels.copy()
    labels[changed[0]] = (labels[changed[0]] + 1) % 3
    table = grouped_data.review_table(replace(cv, table=replace(cv.table, labels=labels)), pairs)
    assert len(table) == 18
    assert set(table["name"][table["conflict"]]) == set(cv.table.names[changed])
    known = table[table["closest"] != ""]
    assert (known["closest"].str.removesuffix(" relative") == known["name"].str.removesuffix(" relative")).all()


def test_tables_say_what_is_not_done_yet(here):
    one, cv, random = here
    answers = models.answers(one, cv, ("image, ",))
    assert answers == {}
    assert grouped_data.protocol_table(cv, answers, random, {}).empty
    right = models.rights(cv, answers)
    assert grouped_data.leak_effect(cv, right, right).empty
    assert grouped_data.sensitivity_table(cv, right, *grouped_data.related_images(one, cv)).empty
    assert models.score_table(cv, models.with_ensembles(cv, answers)).empty
    assert models.mask_gain(cv, right).empty
    assert models.against_image(cv, right).empty
    assert models.ensemble_endpoint(cv, right).empty
    assert models.partition_table(one).empty
    scores = mask_quality.mask_scores(one, cv)
    assert mask_quality.mask_table(scores, 0).empty
    assert mask_quality.mask_endpoint(cv, scores).empty
    assert clinical_use.calibration_table(cv, None).empty
    assert clinical_use.malignant_calls(cv, None).empty
    assert clinical_use.decision_curves(cv, answers).empty
    assert grouped.scores_with_intervals(grouped_data.protocol_table(cv, {}, random, {}), models.references(cv)) is None


def test_an_image_that_only_validates_is_no_training():
    # Image 0 is related to image 1 of the next fold, which validates for its fold; the other way round it trains.
    groups = np.r_[0, 0, 10:68]
    cv = of_folds(np.arange(60) % 3, np.tile([0, 1], 30), groups, SMOKE)
    shares = grouped_data.leak_shares(cv, cv)
    assert shares.loc["random folds", ["from", "to"]].tolist() == [0, 0.05]


def test_conflicts_name_their_images():
    cv = of_folds(np.arange(6) % 3, [0, 1, 1, 2, 2, 2], np.array([0, 0, 1, 1, 2, 2]), SMOKE)
    table = grouped_data.conflict_table(cv)
    assert table.labels.tolist() == ["normal, benign", "benign, malignant"]
    assert table.names.tolist() == ["image 0, image 1", "image 2, image 3"]
    assert grouped_data.conflict_table(replace(cv, groups=np.arange(6))).empty
