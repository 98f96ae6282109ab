"""The plan of paper A: jobs as the protocol names them."""

import numpy as np
import pytest

from lib.core import config, jobs
from lib.data import splits
from lib.data.sources import Busi
from lib.experiments import input_ablation, paper_vs_code, tuning_loop
from lib.experiments.paper_a import INPUTS, OUT_OF_FOLD, STACKED, Plan
from lib.two_stage.segmentation import SegmenterSettings, segmenter

SMOKE = config.get("smoke")


def test_the_protocol_has_only_defaults_and_its_published_key(real_busi):
    plan = Plan(config.get("lite"))
    split = splits.stratified(plan.labels, 3)
    parts = {"train": split.train, "validation": split.validation}
    assert plan.unet(plan.rounds[3]) == segmenter(data=Busi(), **parts, settings=SegmenterSettings(), seed=3)
    assert plan.unet(plan.rounds[0]).key == "3aa64fd5f3fc7d7e", "a published result would not be found any more"
    assert [len(part) for part in plan.rounds[0].split.parts().values()] == [623, 78, 79]


def test_seeds_of_a_round():
    plan = Plan(SMOKE, seed=5)
    assert [one.seed for one in plan.rounds] == [5, 6]
    assert plan.heads(plan.rounds[1], "MobileNetV2").arguments["seeds"] == [60, 61]
    assert plan.unet(plan.rounds[0]) == Plan(SMOKE, seed=4).unet(Plan(SMOKE, seed=4).rounds[1])


def test_no_network_of_cross_fitting_has_seen_what_it_predicts():
    plan = Plan(SMOKE)
    one = plan.rounds[0]
    jobs = [job.arguments for job in plan.fold_unets()]
    assert all(not set(job["train"]) & set(job["predicted"]) for job in jobs)
    assert sorted(np.concatenate([job["predicted"] for job in jobs])) == one.split.train.tolist()
    assert all(set(job["train"]) < set(one.split.train) and job["settings"].keep == "last" for job in jobs)
    (unet, others), *folds = plan.mask_parts(one, OUT_OF_FOLD)
    assert unet == plan.unet(one)
    assert set(others) == set(one.split.validation) | set(one.split.test)
    assert [job for job, _ in folds] == plan.fold_unets()


def test_features_without_predicted_masks_serve_every_round():
    plan = Plan(SMOKE)
    first, second = (plan.heads(one, "MobileNetV2").arguments["x"] for one in plan.rounds)
    shared = [a == b for a, b in zip(first, second, strict=True)]
    assert dict(zip(STACKED, shared, strict=True)) == dict(zip(STACKED, (True, False, False, True), strict=True))
    assert set(STACKED) | {OUT_OF_FOLD} == set(INPUTS)


def test_a_round_is_planned_as_a_whole_and_the_remedy_with_round_0():
    plan, planned = Plan(SMOKE), input_ablation.planned(SMOKE)
    rounds = [[plan.unet(one), plan.heads(one, "MobileNetV2")] for one in plan.rounds]
    first = [*rounds[0], *plan.fold_unets(), plan.out_of_fold_heads("MobileNetV2"), *rounds[1]]
    assert planned[: len(first)] == first


def test_each_variant_changes_what_it_says():
    jobs = paper_vs_code.jobs(SMOKE)
    assert jobs["base"][0] == Plan(SMOKE).balanced_heads()["none"]
    assert jobs["masks to train stage 2"][0] == Plan(SMOKE).out_of_fold_heads("MobileNetV2")
    # Phantoms have one mask each: there is no first of several, and the two rows are the base.
    same = [name for name, row in jobs.items() if row[0] == jobs["base"][0]]
    assert same == ["base", "several lesions"]
    scores = {name for name, row in jobs.items() if row[1] != jobs["base"][1]}
    assert scores == {"kept epoch", "decoder dropout", "all as in the code"}


def test_stage_1_of_the_code_learns_the_first_mask_and_is_scored_by_all(real_busi):
    plan = paper_vs_code.plan_of(config.get("lite"), paper_vs_code.VARIANTS["several lesions"])
    assert plan.unet(plan.rounds[0]).arguments["data"] == Busi(masks="first")
    assert plan.mask_scores(plan.rounds[0]).arguments["data"] == Busi()


def test_the_tuning_loop_plans_the_next_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_ARTIFACTS", str(tmp_path))
    store, profile = config.store_of(SMOKE), SMOKE
    head, unet = tuning_loop.planned(profile)
    assert (head.step.name, unet.step.name) == ("heads", "segmenter")
    store.keep(unet, {"history": {"val_bce": [0.5, 0.4]}}, {})
    later = tuning_loop.planned(profile)
    assert later[1] == unet
    assert later[2].arguments["settings"].batch_norm is False
    store.keep(later[2], {"error": "the loss is not a number any more"}, {})
    path = tuning_loop.search(Plan(profile), "unet", lambda job: jobs.run([job], store, train=False)[0])
    assert path.attrs["finished"]
    assert path["kept"].tolist() == [True, False], "a training that failed is never kept"
    assert tuning_loop.table(path, SegmenterSettings())["chosen"].to_dict() == {"batch_norm": True}


@pytest.mark.parametrize("name", ["smoke", "full"])
def test_the_backbones_of_the_primary_endpoint_come_first(name):
    first = Plan(config.get(name)).backbones[:3]
    assert first == (["VGG16", "MobileNetV2", "Xception"] if name == "full" else ["MobileNetV2"])
