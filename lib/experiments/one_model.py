"""One trained two-stage model, round 0's, looked at closely (paper A, IV-B, Fig. 1 and 2)."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib import reported
from lib.core import words
from lib.core.jobs import Result
from lib.data import phantoms
from lib.data.record import ImageSet
from lib.evaluation import metrics, statistics
from lib.experiments import input_ablation
from lib.experiments.paper_a import STACKED, Plan
from lib.two_stage.model import PUBLISHED, TwoStageModel, TwoStageSettings

INPUTS = "image+mask"
KIND = STACKED.index(INPUTS)  # its place among the features of the heads
_STAND_INS = 15  # phantoms, the fewest that hold every class


def predictions(plan: Plan, heads: Result) -> pd.DataFrame:
    """Answers of round 0's first head on image and mask, validation and test part; no rows while it is not trained.

    Returns
    -------
    Columns of :func:`lib.experiments.input_ablation.answers` and ``part``, by index of the image.
    """
    known = {(plan.profile.backbone, 0): heads}
    parts = [input_ablation.answers(plan, known, part=part).assign(part=part) for part in ("validation", "test")]
    found = pd.concat(parts)
    return found[(found["inputs"] == INPUTS) & (found["head"] == 0)].set_index("image")


def accuracies(predicted: pd.DataFrame, printed: Mapping[str, float]) -> pd.DataFrame:
    """Accuracy of each part with its 95 % Wilson interval, the printed one, and that of the majority class."""
    rows = {}
    for part, frame in predicted.groupby("part", sort=False):
        right, n = (frame["label"] == frame["predicted"]).sum(), len(frame)
        majority = frame["label"].value_counts(normalize=True).max()
        rows[part] = [printed[part], right, n, right / n, *statistics.proportion_interval(right, n), majority]
    columns = ["paper", "right", "images", "here", "95 % low", "95 % high", "majority class"]
    return pd.DataFrame(rows, columns).T.astype({"images": int})


def class_scores(predicted: pd.DataFrame, printed: pd.Series, classes: tuple[str, ...]) -> pd.DataFrame:
    """The ten columns of Table I, here as rows: ``paper``, and ``validation`` and ``test`` of :func:`predictions`."""
    parts = predicted.groupby("part", sort=False)
    own = {part: metrics.table_row(frame["label"], frame["predicted"], classes) for part, frame in parts}
    return pd.DataFrame({"paper": printed, **own}, columns=["paper", "validation", "test"]).astype(float)


def confusions(predicted: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The confusion matrix of each part of :func:`predictions`: true classes in rows, predicted ones in columns."""
    parts = predicted.groupby("part", sort=False)
    return {str(part): metrics.confusion(frame["label"], frame["predicted"], classes) for part, frame in parts}


def kept_in_words(heads: Result) -> str:
    """Which epoch of the first head on image and mask is kept, and its validation accuracy."""
    if not heads:
        return words.NO_RESULT
    accuracy, kept = heads["val_accuracy"][:, KIND, 0], heads["kept"][KIND, 0]
    return f"Kept: epoch {kept + 1} of {len(accuracy)}, validation accuracy {accuracy[kept]:.3f}."


def balances(plan: Plan, results: Mapping[str, Result]) -> pd.DataFrame:
    """Mean test scores of :meth:`Plan.balanced_heads` on image and mask, by the way in which classes are balanced."""
    known = {(way, 0): result for way, result in results.items()}
    scored = input_ablation.scores(input_ablation.answers(plan, known, (INPUTS,)), plan.table.classes)
    return scored.groupby("backbone", sort=False).mean().rename_axis("balance")


def seconds(times: Result, printed: Mapping[str, float]) -> pd.DataFrame:
    """Seconds of :func:`lib.two_stage.timing.timing` beside the paper's, NaN where there is none."""
    names, here = reported.read("two_stage_times"), times["seconds"] if times else {}
    return pd.DataFrame({"paper": names["paper"].map(printed), "here": names["here"].map(here)}, dtype=float)


def trained(plan: Plan, unet: Result, heads: Result) -> TwoStageModel:
    """The whole model with the first head on image and mask; both results have to bring their weights."""
    size, settings = plan.profile.image_size, TwoStageSettings.of(plan.profile)
    return TwoStageModel.of_weights(size, plan.table.classes, settings, unet["weights"], heads["weights"], KIND)


def to_explore(plan: Plan, data: ImageSet, results: Callable[..., list[Result]]) -> tuple[TwoStageModel, ImageSet]:
    """The model and the images of the explorer: two test images of each class, malignant ones first.

    Phantoms are seen by round 0's own model, images by the small published one, with its own test part (round 0 of
    seed 0); where the images are not at hand, phantoms stand in for them.

    Parameters
    ----------
    results : :meth:`lib.core.run.Run.results`.
    """
    one = plan.rounds[0]
    if plan.profile.data == "phantoms":
        jobs = [plan.unet(one), plan.heads(one, plan.profile.backbone)]
        model = trained(plan, *results(jobs, extras=("weights",)))
    else:
        model, one = TwoStageModel.load(PUBLISHED), Plan(plan.profile, 0).rounds[0]
    data = data.select(one.split.test) if data.images is not None else phantoms.make(_STAND_INS, model.size)
    few = [np.flatnonzero(data.labels == k)[:2] for k in reversed(range(len(data.classes)))]
    return model, data.select(np.concatenate(few))
