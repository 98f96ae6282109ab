"""What the two stages look at: single cases with activation maps, and what the answers depend on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core.config import Profile
from lib.data.record import ImageSet
from lib.experiments import grouped_cv as cross_validation
from lib.experiments import grouped_data as honest
from lib.models import backbones
from lib.two_stage import classification
from lib.two_stage import model as two_stage


@dataclass(frozen=True)
class Cases:
    """Images of the first fold that are looked at, with titles, and the indices of the whole fold."""

    images: np.ndarray
    titles: list[str]
    test: np.ndarray


def explained_model(
    data: ImageSet, masks: np.ndarray, folds: np.ndarray, profile: Profile, seed: int, cache: Path, n_wrong: int = 3
) -> tuple[two_stage.TwoStageModel, Cases]:
    """The two stages tested on the first fold as one model; a right case a class, and the surest wrong ones."""
    split = cross_validation.split_of(folds, 0)
    stage_1, stage_2 = honest.segmenter(profile), classification.Settings.of(profile)
    unet = cross_validation.trained_beside(data, folds, 0, stage_1, seed, cache)
    x = classification.features(data.images, masks[0], stage_2, cache, seed)
    head, _ = classification.train_head(x, data.labels, len(data.classes), split, stage_2, seed)
    backbone = backbones.build(stage_2.backbone, data.images.shape[1], stage_2.weights, seed)
    model = two_stage.TwoStageModel(two_stage.Settings(stage_1, stage_2), data.classes, unet, backbone, head)
    said = model.predict(data.images[split.test])
    true = data.labels[split.test]
    right = [np.flatnonzero((said.labels == true) & (true == label))[:1] for label in range(len(data.classes))]
    wrong = np.flatnonzero(said.labels != true)
    wrong = wrong[np.argsort(-said.probabilities.max(axis=1)[wrong])][:n_wrong]
    shown = np.concatenate([*right, wrong])
    titles = [f"{data.classes[true[i]]}, said {data.classes[said.labels[i]]}" for i in shown]
    return model, Cases(data.images[split.test[shown]], titles, split.test)


def why_table(through: pd.DataFrame, occluded: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """What the answers depend on, from :func:`lib.experiments.interpretability.sensitivity_through_mask` and :func:`lib.experiments.interpretability.occlude`."""
    marked = occluded[occluded.area > 0]
    values = {
        "accuracy": (through.label == labels).mean(),
        "accuracy without mask": (through.label_without_mask == labels).mean(),
        "accuracy without image (what the mask alone tells)": (through.label_without_image == labels).mean(),
        "images": len(through),
        "images with burnt-in marks (heuristic)": len(marked),
        "mean change of the probability, marks removed": (marked.without_marks - marked.before).mean(),
        "mean change of the probability, as much removed elsewhere": (marked.control - marked.before).mean(),
        "answers flipped, marks removed": marked.flipped.mean(),
        "answers flipped, as much removed elsewhere": marked.control_flipped.mean(),
    }
    return pd.DataFrame({"value": values})
