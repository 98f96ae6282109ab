"""One trained two-stage model, round 0's, looked at closely (paper A, IV-B, Fig. 1 and 2)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.core.jobs import Result
from lib.evaluation import metrics, statistics
from lib.experiments.paper_a import STACKED, Plan
from lib.models import backbones
from lib.two_stage.model import TwoStageModel, TwoStageSettings

_KIND = STACKED.index("image+mask")
PARTS = ("validation", "test")


def predictions(plan: Plan, heads: Result, kind: int = _KIND, head: int = 0) -> dict[str, pd.DataFrame]:
    """What one head of round 0 predicts for the validation and test images; empty while it is not trained.

    Returns
    -------
    For each part, by index of the image: ``label``, ``predicted``, ``probability`` of what is predicted.
    """
    found = {}
    for part in PARTS:
        image = plan.rounds[0].split.parts()[part] if heads else np.empty(0, int)
        p = heads[part][kind, head] if heads else np.empty((0, len(plan.table.classes)))
        columns = {"label": plan.labels[image], "predicted": p.argmax(axis=1), "probability": p.max(axis=1)}
        found[part] = pd.DataFrame(columns, image)
    return found


def accuracies(predicted: Mapping[str, pd.DataFrame], printed: Mapping[str, float]) -> pd.DataFrame:
    """Accuracy of each part with its 95 % Wilson interval, the printed one, and that of the majority class."""
    rows = {}
    for part, frame in predicted.items():
        rows[part] = {"paper": printed[part], "images": len(frame)}
        if len(frame):
            right = int((frame["label"] == frame["predicted"]).sum())
            low, high = statistics.proportion_interval(right, len(frame))
            majority = frame["label"].value_counts(normalize=True).max()
            here = {"right": right, "here": right / len(frame), "95 % low": low, "95 % high": high}
            rows[part] |= here | {"majority class": majority}
    columns = ["paper", "right", "images", "here", "95 % low", "95 % high", "majority class"]
    return pd.DataFrame(rows).T.reindex(columns=columns).astype({"images": int})


def class_scores(predicted: Mapping[str, pd.DataFrame], printed: pd.Series, classes: tuple[str, ...]) -> pd.DataFrame:
    """The ten scores of Table I for each part beside the printed row."""
    table = pd.DataFrame({"paper": printed})
    for part, frame in predicted.items():
        if len(frame):
            table[part] = metrics.table_row(frame["label"].to_numpy(), frame["predicted"].to_numpy(), classes)
    return table


def confusions(predicted: Mapping[str, pd.DataFrame], classes: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The confusion matrix of each part (Fig. 2)."""
    return {
        part: metrics.confusion(frame["label"].to_numpy(), frame["predicted"].to_numpy(), classes)
        for part, frame in predicted.items()
        if len(frame)
    }


def balances(plan: Plan, results: Mapping[str, Result]) -> pd.DataFrame:
    """What balancing the classes does: means over heads of Table I's columns on the test part."""
    label = plan.labels[plan.rounds[0].split.test]
    rows = {}
    for way, result in results.items():
        if result:
            heads = [metrics.table_row(label, p.argmax(axis=1), plan.table.classes) for p in result["test"][0]]
            rows[way] = pd.DataFrame(heads).mean()
    return pd.DataFrame(rows).T.rename_axis("balance")


def seconds(times: Result, printed: Mapping[str, float]) -> pd.DataFrame:
    """Seconds of :func:`lib.two_stage.timing.timing` beside the paper's, NaN where there is none."""
    rows = {
        "training of the U-Net": ("training time of the U-Net", "U-Net"),
        "training of the classifier": ("training time of the classifier", "classifier"),
        "  of it features": ("", "features"),
        "  of it head": ("", "head"),
        "loading the model": ("", "load"),
        "first image": ("", "first call"),
        "inference per image": ("inference time an image", "one at a time"),
        "the same in a batch": ("", "in a batch"),
    }
    here = times["seconds"] if times else {}
    values = [(printed.get(paper, np.nan), here.get(name, np.nan)) for paper, name in rows.values()]
    return pd.DataFrame(values, list(rows), columns=["paper", "here"])


def trained(plan: Plan, unet: Result, heads: Result) -> TwoStageModel:
    """The whole model with the first head on image and mask; both results have to bring their weights."""
    settings = TwoStageSettings.of(plan.profile)
    size = plan.profile.image_size
    head = [array[_KIND : _KIND + 1, :1] for array in heads["weights"]]
    backbone = backbones.build(settings.backbone.name, size, settings.backbone.weights)
    return TwoStageModel.of_weights(size, plan.table.classes, settings, unet["weights"], head, backbone)
