"""Other data: BUS-UCLM, on which nothing is trained or chosen, and the published comparison on Curated BUSI."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib import reported
from lib.core import jobs, paths
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.core.run import Run
from lib.core.store import pack_masks
from lib.data import bus_uclm, curated_busi, sources
from lib.data.record import ImageSet
from lib.data.sources import Source
from lib.evaluation import calibration, metrics, statistics
from lib.experiments import classifiers, model_comparison
from lib.experiments.grouped_cv import GroupedCV, Pooled
from lib.models.head import build_heads
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

INPUTS = ("image", "image + mask")
_CURATED_FOLDS = 4


@jobs.step("external_masks", version=1, needs={"network": ("weights",)})
def external_masks(data: ImageSet, network: Mapping[str, Any], settings: SegmenterSettings) -> dict[str, Any]:
    """Masks of images of another data set by a trained network of stage 1, and their scores, as a job.

    Returns
    -------
    ``masks`` of :func:`lib.core.store.pack_masks`; ``labels``, ``names``, ``patients``, ``doppler`` and ``marks`` of
    the images; ``dice``, ``kind``, ``hd95`` and the other columns of
    :func:`lib.two_stage.segmentation.mask_scores`.
    """
    model = segmentation.restore(data.images.shape[1], settings, network["weights"])
    masks = pack_masks(segmentation.predict(model, data.images, mirrored=settings.mirrored))
    everyone = np.arange(len(data))
    scores = segmentation.mask_scores.function(data, [({"masks": masks}, None)], everyone)
    flags = bus_uclm.flags(data.names)
    return {
        "masks": masks,
        "labels": np.asarray(data.labels, np.int64),
        "names": data.names,
        "patients": np.asarray(everyone if data.groups is None else data.groups, np.int64),
        "doppler": flags["Doppler"].to_numpy(bool),
        "marks": flags["Marks"].to_numpy(bool),
        **scores,
    }


@jobs.step("external_classes", version=1, needs={"head": ("weights",), "x": ("features",)})
def external_classes(
    head: Mapping[str, Any], x: Sequence[Mapping[str, Any]], n_seeds: int, n_classes: int, settings: HeadSettings
) -> dict[str, Any]:
    """Class probabilities of another data set by trained heads, as a job.

    Parameters
    ----------
    head : result of :func:`lib.two_stage.classification.heads` with ``settings`` and ``n_seeds`` seeds.
    x : its kinds of features, of the other images.

    Returns
    -------
    ``probabilities``: float32 (n_kinds, n_seeds, n, n_classes).
    """
    stacked = np.stack([one["features"] for one in x], axis=1)
    model = build_heads(len(x), n_seeds, stacked.shape[2], n_classes, settings)
    model.set_weights(head["weights"])
    return {"probabilities": model.predict(stacked, verbose=0).transpose(1, 2, 0, 3)}


def external_source(profile: Profile) -> Source:
    """BUS-UCLM; for phantoms, phantoms of another seed."""
    if profile.data == "phantoms":
        return sources.Phantoms(profile.n_phantoms // 4, profile.image_size, seed=1)
    return sources.BusUclm(profile.image_size)


def masks_job(cv: GroupedCV) -> Job:
    """Masks of the external images by one network that is trained on all images of ``cv``."""
    settings = SegmenterSettings.pretrained(cv.profile)
    return external_masks(data=external_source(cv.profile), network=cv.without(), settings=settings)


def classes_job(cv: GroupedCV) -> Job:
    """Classes of the external images: heads on the image, and on image and mask, whose epoch fold 0 chooses.

    Masks that the heads are trained on come from networks that have not seen the image, as those of the external
    images do.
    """
    name, settings = classifiers.single_backbone(cv.profile), HeadSettings(epochs=cv.profile.head_epochs)
    unseen = [(cv.stage_1(fold), cv.members(fold)) for fold in range(cv.n_folds)]
    validation = cv.members(0)
    head = classification.heads(
        data=cv.source,
        x=[cv.features(name), cv.features(name, "image+mask", unseen)],
        train=cv.members(*range(1, cv.n_folds)),
        validation=validation,
        test=validation,
        settings=settings,
        seeds=cv.head_seeds,
    )
    backbone, external = BackboneSettings(name, cv.profile.weights), external_source(cv.profile)
    x = [
        classification.features(data=external, inputs="image", settings=backbone),
        classification.features(data=external, inputs="image+mask", settings=backbone, masks=[(masks_job(cv), None)]),
    ]
    return external_classes(head=head, x=x, n_seeds=len(cv.head_seeds), n_classes=len(cv.classes), settings=settings)


def planned(profile: Profile, seed: int) -> list[Job]:
    """Jobs of both tables, BUS-UCLM first."""
    cv = GroupedCV.of(profile, seed)
    found = [masks_job(cv), classes_job(cv)]
    if curated := curated_cv(profile, seed):
        known = classifiers.classifiers(profile)
        found += [job for job, _ in _curated_scores(curated)]
        found += [known[name][0](curated, fold) for name in _curated_names(profile) for fold in range(_CURATED_FOLDS)]
    return found


def external_tables(run: Run, cv: GroupedCV) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Masks and classes of the external images, with 95 % intervals over patients; empty while not done.

    Subsets: all images, and those without Doppler colours and burned-in marks.
    """
    masks, classes = run.results([masks_job(cv), classes_job(cv)])
    if not masks:
        return pd.DataFrame(), pd.DataFrame()
    clean = ~(masks["doppler"] | masks["marks"])
    subsets = {"all images": np.ones(len(clean), bool), "without Doppler and marks": clean}
    return _mask_table(cv, masks, subsets), _class_table(cv, masks, classes, subsets) if classes else pd.DataFrame()


def _mask_table(cv: GroupedCV, masks: Mapping[str, Any], subsets: Mapping[str, np.ndarray]) -> pd.DataFrame:
    lesion = np.asarray(masks["kind"]) == metrics.LESION
    kinds = {"lesions, Dice": lesion, "without lesion, left empty": ~lesion}
    rows = {}
    for title, chosen in subsets.items():
        for name, part in kinds.items():
            part = part & chosen
            if not part.any():
                continue
            bounds = statistics.mean_bootstrap(np.asarray(masks["dice"])[part], masks["patients"][part], seed=cv.seed)
            row = {"value": bounds.estimate, "95 % low": bounds.low, "95 % high": bounds.high, "images": part.sum()}
            rows[title, name] = {**row, "patients": len(np.unique(masks["patients"][part]))}
    return pd.DataFrame(rows).T.rename_axis(["images", "score"]).astype({"images": int, "patients": int})


def _class_table(
    cv: GroupedCV, masks: Mapping[str, Any], classes: Mapping[str, Any], subsets: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    labels, patients = masks["labels"], masks["patients"]
    table = ImageSet(None, labels, masks["names"], cv.classes, "external images")
    whole = replace(cv, folds=np.zeros(len(labels), int), table=table, groups=patients)
    rows = {}
    for title, chosen in subsets.items():
        for kind, inputs in enumerate(INPUTS):
            test = np.where(chosen[:, None], classes["probabilities"][kind], np.nan)
            one = Pooled(test, test, 1)
            row = model_comparison.scores(whole, one)
            mean = test.mean(axis=0)[chosen]
            row["ECE"] = calibration.ece(labels[chosen], mean)
            row["majority class"] = np.bincount(labels[chosen]).max() / chosen.sum()
            rows[title, inputs] = row
    return pd.DataFrame(rows).T.infer_objects().rename_axis(["images", "inputs"]).drop(columns="trainings")


def curated_cv(profile: Profile, seed: int) -> GroupedCV | None:
    """Four stratified folds of Curated BUSI, a part of BUSI; None for phantoms and where its list is not at hand."""
    if profile.data == "phantoms" or paths.find_data(curated_busi.FOLDER) is None:
        return None
    source = sources.CuratedBusi(profile.image_size)
    whole = GroupedCV.of(profile, seed)
    place = {name: index for index, name in enumerate(whole.table.names)}
    groups = whole.groups[[place[name] for name in source.table().names]]
    return GroupedCV.on(source, profile, _CURATED_FOLDS, seed, grouped=False, groups=groups)


def _curated_names(profile: Profile) -> list[str]:
    return [f"pooled features, {name}" for name in profile.backbones] + ["fine-tuned MobileNetV2"]


def _curated_scores(cv: GroupedCV) -> list[tuple[Job, np.ndarray]]:
    scored = []
    for fold in range(cv.n_folds):
        tested = cv.members(fold)
        job = segmentation.mask_scores(data=cv.source, masks=[(cv.without(fold), tested)], scored=tested)
        scored.append((job, tested))
    return scored


def curated_table(run: Run) -> pd.DataFrame:
    """Curated BUSI: Dice by class and accuracy, mean over folds with its deviation, beside what is published."""
    cv = curated_cv(run.profile, run.seed)
    published = reported.read("elsewhere_curated")
    if cv is None:
        return pd.DataFrame() if run.profile.data == "phantoms" else published
    rows = dict(published.iterrows())
    jobs_of, tested = zip(*_curated_scores(cv), strict=True)
    found = zip(run.results(jobs_of), tested, strict=True)
    dice = [pd.Series(result["dice"]).groupby(cv.labels[part]).mean() for result, part in found if result]
    if dice:
        means, spread = pd.concat(dice, axis=1).mean(axis=1), pd.concat(dice, axis=1).std(axis=1)
        row = {name: means[k] for k, name in enumerate(cv.classes)}
        row |= {f"{name} sd": spread[k] for k, name in enumerate(cv.classes)}
        rows["here: MobileNetV2 encoder"] = {**row, "trainings": f"{len(dice)} of {cv.n_folds}"}
    for name, one in model_comparison.answers(run, cv, tuple(_curated_names(run.profile))).items():
        right = pd.Series(one.right(cv.labels)).groupby(cv.folds).mean().dropna()
        row = {"accuracy": right.mean(), "accuracy sd": right.std(), "trainings": f"{one.trainings} of {cv.n_folds}"}
        rows[f"here: {name}"] = row
    return pd.DataFrame(rows).T
