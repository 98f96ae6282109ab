"""The small trained model of ``report/model``: round 0's split, MobileNetV2 in both stages (protocol, section 7.3)."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from lib.core import config, jobs, paths, store
from lib.core.config import Profile
from lib.core.jobs import Job
from lib.core.store import pack_masks
from lib.data import sources
from lib.data.record import ImageSet, Source
from lib.evaluation import calibration, metrics, statistics
from lib.experiments.paper_a import Plan
from lib.two_stage import classification, segmentation
from lib.two_stage.model import PUBLISHED, TwoStageModel, TwoStageSettings

SIZE = 128  # pixels of its images


@jobs.step("published_model", version=1)
def published_model(data: ImageSet, file: str) -> dict[str, Any]:
    """What the model of ``report/model`` answers on images of another data set, as a job.

    Parameters
    ----------
    file : SHA-256 of the model's file, so that another model is another job.

    Returns
    -------
    ``probabilities``: float32 (1, n, n_classes); ``dice``, ``kind`` and the other columns of
    :func:`lib.two_stage.segmentation.mask_scores`.
    """
    found = TwoStageModel.load(PUBLISHED).predict(data.images)
    masks = [({"masks": pack_masks(found.masks)}, None)]
    scores = segmentation.mask_scores.function(data, masks, np.arange(len(data)))
    return {"probabilities": found.probabilities[None], **scores}


def outside_job(source: Source) -> Job:
    """:func:`published_model` on images of ``source``."""
    with open(PUBLISHED, "rb") as file:
        return published_model(data=source, file=hashlib.file_digest(file, "sha256").hexdigest())


def settings_of(profile: Profile) -> TwoStageSettings:
    backbone = {"name": "MobileNetV2", "preprocessing": "own", "features": "pooled"}
    return TwoStageSettings.of(profile, segmentation.SegmenterSettings.pretrained(profile), **backbone)


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The U-Net, the scores of its test masks, and the head."""
    plan, settings = Plan(profile, seed), settings_of(profile)
    split, source = plan.rounds[0].split, plan.source
    parts = {"train": split.train, "validation": segmentation.NONE}
    unet = segmentation.segmenter(data=source, **parts, settings=settings.segmenter, seed=seed)
    masks = [(unet, None)]
    x = classification.features(data=source, inputs=settings.inputs, settings=settings.backbone, masks=masks)
    head = classification.heads(data=source, x=[x], **split.parts(), settings=settings.head, seeds=[seed])
    return [unet, segmentation.mask_scores(data=source, masks=masks, scored=split.test), head]


def export(profile: Profile, file: Path = PUBLISHED, seed: int = 0) -> Path | None:
    """Write the model, calibrated and in half precision, and beside it ``about.json``, what it does on test images.

    None while its trainings are not done on this machine: their weights are not published.
    """
    plan = Plan(profile, seed)
    done = jobs.run(planned(profile, seed), config.store_of(profile), train=False, extras=("weights",))
    if not all(done):
        return None
    unet, scores, head = done
    split, data, settings = plan.rounds[0].split, plan.source.load(), settings_of(profile)
    model = TwoStageModel.of_weights(profile.image_size, data.classes, settings, unet["weights"], head["weights"])
    model.calibrated(data, split.train, split.validation).save(file, "float16")

    model = TwoStageModel.load(file)
    labels, found = data.labels[split.test], model.predict(data.images[split.test])
    right = int((found.labels == labels).sum())
    low, high = statistics.proportion_interval(right, len(labels))
    lesions = np.array(scores["dice"])[np.array(scores["kind"]) == metrics.LESION]
    about = {
        "split": {part: len(chosen) for part, chosen in split.parts().items()},
        "temperature": model.temperature,
        "accuracy": {"right": right, "images": len(labels), "95 % low": low, "95 % high": high},
        "expected calibration error": calibration.ece(labels, found.probabilities),
        "lesion Dice": {"mean": lesions.mean(), "images": len(lesions)},
        "answers that half precision changes": int((head["test"][0, 0].argmax(axis=1) != found.labels).sum()),
        "far from the training images": {"BUSI, test part": _far(model, data.images[split.test]), **_others(model)},
    }
    store.write_json(file.with_name("about.json"), about)
    return file


def _far(model: TwoStageModel, images: np.ndarray) -> float:
    """Share of the images that the model takes for something else than it was trained on."""
    return float((model.predict(images).distance > 1).mean())


def _others(model: TwoStageModel) -> dict[str, float]:
    """The same of other ultrasound images, of mammograms and of phantoms, where their files are at hand."""
    size = model.size
    others = {"BUS-UCLM": sources.BusUclm(size), "mini-MIAS, mammograms": sources.MiniMias(size)}
    at_hand = {name: one for name, one in others.items() if paths.find_data(one.folder)}
    named = {"phantoms": sources.Phantoms(100, size), **at_hand}
    return {name: _far(model, one.load().images) for name, one in named.items()}


if __name__ == "__main__":
    print(export(config.get("lite")) or "not trained here yet: ./run_all.sh evidence --hours 1 --only small_model")
