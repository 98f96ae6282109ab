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
from lib.data import bus_uclm, busi, sources, splits
from lib.data.record import ImageSet
from lib.evaluation import calibration
from lib.experiments import classifiers, frames, mask_quality, model_comparison, small_model
from lib.experiments.grouped_cv import GroupedCV
from lib.models.head import build_heads
from lib.two_stage import segmentation
from lib.two_stage.classification import HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

INPUTS = ("image", "image + mask")
SMALL = "small model of report/model"
_SCORES = ("dice", "iou", "hd95", "nsd", "predicted_area", "kind")
CURATED = ("pooled features, ", "fine-tuned MobileNetV2")  # classifiers that are trained on Curated BUSI


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
    everyone, flags = np.arange(len(data)), bus_uclm.flags(data.names)
    return {
        "masks": masks,
        "labels": data.labels,
        "names": data.names,
        "patients": everyone if data.groups is None else data.groups,
        "doppler": flags["Doppler"].to_numpy(bool),
        "marks": flags["Marks"].to_numpy(bool),
        **segmentation.mask_scores.function(data, [({"masks": masks}, None)], everyone),
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


def external_source(profile: Profile) -> sources.Source:
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
    name, other = classifiers.single_backbone(cv.profile), replace(cv, source=external_source(cv.profile))
    unseen = [(cv.stage_1(fold), cv.members(fold)) for fold in range(cv.n_folds)]
    x = [cv.features(name), cv.features(name, "image+mask", unseen)]
    external_x = [other.features(name), other.features(name, "image+mask", [(masks_job(cv), None)])]
    head = cv.heads(splits.Split(cv.members(*cv.others(0)), cv.members(0), cv.members(0)), x)
    sizes = {"n_seeds": cv.profile.n_heads, "n_classes": len(cv.classes)}
    return external_classes(head=head, x=external_x, **sizes, settings=head.arguments["settings"])


def small_job(profile: Profile) -> Job:
    """What the model of ``report/model`` answers on the external images, in the size that it takes."""
    return small_model.outside_job(external_source(replace(profile, image_size=small_model.SIZE)))


def planned(profile: Profile, seed: int) -> list[Job]:
    """Jobs of both tables, BUS-UCLM first."""
    cv = GroupedCV.of(profile, seed)
    found = [masks_job(cv), classes_job(cv), small_job(profile)]
    if curated := curated_cv(profile, seed):
        by_name = model_comparison.by_name(curated)
        found += curated_scores(curated).values()
        found += [job for name in by_name if name.startswith(CURATED) for job in by_name[name]]
    return found


def external_tables(run: Run, cv: GroupedCV) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Masks and classes of the external images, with 95 % intervals over patients; empty while not done.

    Subsets: all images, and those without Doppler colours and burned-in marks.
    """
    masks, classes, small = run.results([masks_job(cv), classes_job(cv), small_job(cv.profile)])
    if not (masks and small):
        return pd.DataFrame(), pd.DataFrame()
    labels, patients = masks["labels"], masks["patients"]
    clean = ~(masks["doppler"] | masks["marks"])
    subsets = {"all images": np.full(len(labels), True), "without Doppler and marks": clean}
    about = {"group": patients, "class": np.array(cv.classes)[labels]}
    scores, others = (pd.DataFrame({name: one[name] for name in _SCORES} | about) for one in (masks, small))
    every = pd.concat([scores[chosen].assign(network=title) for title, chosen in subsets.items()])
    every = pd.concat([every, others.assign(network=f"all images, {SMALL}")])
    table = mask_quality.mask_table(every, cv.seed).rename_axis(["subset", "images of"])
    images = ImageSet(None, labels, masks["names"], cv.classes, "external images")
    whole, rows = replace(cv, table=images, groups=patients), {}
    for title, chosen in subsets.items() if classes else ():
        answers = dict(zip(INPUTS, classes["probabilities"], strict=True)) | {SMALL: small["probabilities"]}
        for inputs, test in answers.items():
            row = model_comparison.scores(whole, np.where(chosen[:, None], test, np.nan))
            ece = calibration.ece(labels[chosen], test.mean(axis=0)[chosen])
            most = np.bincount(labels[chosen]).max() / chosen.sum()
            rows[title, inputs] = {**row, "ECE": ece, "majority class": most}
    return table, frames.of_rows(rows, ["subset", "inputs"])


def curated_cv(profile: Profile, seed: int) -> GroupedCV | None:
    """Four stratified folds of Curated BUSI, a part of BUSI; None for phantoms and where its list is not at hand."""
    if profile.data == "phantoms" or paths.find_data(busi.CURATED) is None:
        return None
    source, whole = sources.CuratedBusi(profile.image_size), GroupedCV.of(profile, seed)
    table = source.table()
    groups = pd.Series(whole.groups, whole.table.names)[table.names].to_numpy()
    return replace(whole, source=source, folds=splits.k_fold(table.labels, 4, 0), table=table, groups=groups)


def curated_scores(cv: GroupedCV) -> dict[tuple[int], Job]:
    """Jobs that score masks of Curated BUSI by fold, each by a network that is not trained on the fold."""
    return {(fold,): cv.mask_scores(fold, [cv.without(fold)]) for fold in range(cv.n_folds)}


def curated_table(run: Run) -> pd.DataFrame:
    """Curated BUSI: Dice by class and accuracy, mean over folds with its deviation, beside what is published."""
    cv = curated_cv(run.profile, run.seed)
    if cv is None:
        return reported.read("elsewhere_curated")
    masks = mask_quality.of_masks(run.results(curated_scores(cv)), {"fold": int}, cv.table)
    dice = masks.pivot_table("dice", "fold", "class").add_prefix("Dice ")
    right = model_comparison.rights(cv, model_comparison.answers(run, cv, CURATED))
    accuracies = {name: one.groupby(cv.folds).mean().to_frame("accuracy").dropna() for name, one in right.items()}
    rows = {}
    for name, one in ({"MobileNetV2 encoder": dice} | accuracies).items():
        if len(one):
            deviation = one.std().rename(lambda column: f"sd {column.split()[-1]}")
            rows[f"here: {name}"] = {**one.mean(), **deviation, "images": len(cv.table)}
            rows[f"here: {name}"]["folds"] = f"{len(one)} of {cv.n_folds}"
    table = pd.concat([reported.read("elsewhere_curated"), pd.DataFrame(rows).T])
    return table.reindex(
        columns=sorted(table, key=lambda column: (column in ("images", "folds"), column.startswith("sd ")))
    )
