"""How well predicted masks agree with the ground truth, over rounds (paper A, IV-B) and under grouped folds (P4)."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from lib import reported
from lib.core import words
from lib.core.jobs import Job, Result
from lib.core.run import Run
from lib.data.record import ImageSet
from lib.evaluation import metrics, statistics
from lib.experiments import better_masks, frames
from lib.experiments.grouped_cv import GroupedCV
from lib.experiments.paper_a import Plan

PAPER_UNET, SINGLE, ENSEMBLE = NETWORKS = ("paper's U-Net", "single network", "ensemble")
LESIONS, LEFT_EMPTY = "lesions", "without lesion, left empty"
DICE_BOUND = 0.75  # of P4
_SCORES = dict.fromkeys(("dice", "iou", "hd95", "nsd", "true_area", "predicted_area"), float) | {"kind": str}


def of_masks(results: Mapping[tuple, Result], names: Mapping[str, type], images: ImageSet) -> pd.DataFrame:
    """Scores of :func:`lib.two_stage.segmentation.mask_scores` jobs that are done, one row per mask.

    Returns
    -------
    The parts of the jobs' keys, called ``names``, ``image`` (index), ``class``, and the scores.
    """
    classes, parts = np.array(images.classes)[images.labels], []
    for key, result in results.items():
        if result:
            place = result.job.arguments["scored"]
            origin = {**dict(zip(names, key, strict=True)), "image": place, "class": classes[place]}
            parts.append(pd.DataFrame(origin | {name: result[name] for name in _SCORES}))
    return frames.stacked(parts, {**names, "image": int, "class": str, **_SCORES})


def frame(plan: Plan, results: Mapping[tuple[str, int], Result]) -> pd.DataFrame:
    """Columns of :func:`of_masks` by ``part`` and number of the ``round``."""
    return of_masks(results, {"part": str, "round": int}, plan.table)


def histories(results: Iterable[Result]) -> pd.DataFrame:
    """The epochs of all U-Nets that are done: ``round`` and the columns of :func:`lib.models.training.fit`."""
    parts = [pd.DataFrame(one["history"]).assign(round=number) for number, one in enumerate(results) if one]
    types = {"round": int, "epoch": int, "bce": float, "val_bce": float, "kept": bool}
    return frames.stacked(parts, types)[list(types)]


def overfitting_in_words(histories: pd.DataFrame) -> str:
    """From when on the validation loss of :func:`histories` stays low, and how far the training loss falls below it."""
    if histories.empty:
        return f"Learning curves: {words.NO_RESULT}."
    high = histories[histories["val_bce"] >= 1].groupby("round")["epoch"].max()
    settled = high.reindex(histories["round"].unique(), fill_value=0) + 1
    kept, last = histories[histories["kept"].astype(bool)], histories.groupby("round").last()
    return (
        f"The validation loss stays below 1 from epoch {settled.min()} on in the first round to settle, from epoch "
        f"{settled.max()} on in the last. Kept epochs have a "
        f"validation loss of {kept['val_bce'].mean():.3f} and a training loss of {kept['bce'].mean():.3f} on average; "
        f"in the last epoch the two are {last['val_bce'].mean():.3f} and {last['bce'].mean():.3f}."
    )


def over_rounds(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over rounds of each round's figures, by part and kind: lesions, images without lesion, all images.

    Parameters
    ----------
    scores : of :func:`frame`.

    Returns
    -------
    ``dice``, ``iou``: means over images, with their standard deviation over rounds; an empty mask of an empty one
    counts as 1; ``missed or invented``: share of lesions missed, or of images without lesion in which one is
    predicted; of lesions only ``HD95 median`` in pixels, a missed lesion being the image's diagonal, and ``surface
    Dice``; ``images`` per round; ``rounds``.
    """
    rounds = pd.concat([scores, scores.assign(kind="all")]).groupby(["part", "kind", "round"], sort=False)
    figures = rounds[["dice", "iou"]].mean()
    figures["missed or invented"] = rounds["dice"].agg(lambda dice: (dice == 0).mean())
    borders = scores[scores["kind"] == metrics.LESION].groupby(["part", "kind", "round"], sort=False)
    figures["HD95 median"], figures["surface Dice"] = borders["hd95"].median(), borders["nsd"].mean()
    figures["images"] = rounds.size()
    rows = figures.groupby(["part", "kind"], sort=False)
    table = rows.mean().join(rows[["dice", "iou"]].std().add_suffix(" sd")).assign(rounds=rows.size())
    names = ["dice", "dice sd", "iou", "iou sd", "missed or invented", "HD95 median", "surface Dice"]
    return table[[*names, "images", "rounds"]]


def scoring_jobs(cv: GroupedCV) -> dict[tuple[str, int], Job]:
    """Jobs that score the test masks of each fold, by network and fold.

    The paper's U-Net; with an ImageNet encoder one network, and the ensemble of all that have not seen the fold.
    """
    found = {}
    for kind in NETWORKS:
        for fold in range(cv.n_folds):
            others = [cv.without(fold, one) for one in cv.others(fold)]
            networks = {PAPER_UNET: [cv.paper_unet(fold)], SINGLE: [cv.stage_1(fold)], ENSEMBLE: others}
            found[kind, fold] = cv.mask_scores(fold, networks[kind])
    return found


def mask_scores(run: Run, cv: GroupedCV) -> pd.DataFrame:
    """Scores of the test masks, one row per network and image, of those whose training is done.

    Columns of :func:`of_masks` by ``network`` and ``fold``, ``group`` and ``folds`` (such as "4 of 5").
    """
    scores = of_masks(run.results(scoring_jobs(cv)), {"network": str, "fold": int}, cv.table)
    done = scores.groupby("network")["fold"].transform("nunique").astype(str)
    return scores.assign(group=cv.groups[scores["image"]], folds=done + f" of {cv.n_folds}")


def mask_table(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Dice with its 95 % interval over groups, IoU, HD95 and surface Dice, by network, lesions of each class apart.

    Both masks empty: Dice and surface Dice 1, HD95 0.  One empty: 0, 0, and the diagonal of the image; the mean of
    HD95 is over images with both masks.  In the rows without lesion Dice is the share left empty.

    Parameters
    ----------
    scores : one row per mask, as :func:`mask_scores` makes them.
    """
    rows = {}
    for network, one in scores.groupby("network", sort=False):
        lesion = one[one.kind == metrics.LESION]
        subsets = {LESIONS: lesion, **dict(iter(lesion.groupby("class"))), LEFT_EMPTY: one.drop(lesion.index)}
        for name, part in subsets.items():
            row = statistics.mean_bootstrap(part.dice, part.group, seed=seed).row("Dice")
            if name != LEFT_EMPTY:
                row |= {"IoU": part.iou.mean(), "HD95 median": part.hd95.median()}
                row |= {"HD95 mean": part.hd95[part.predicted_area > 0].mean(), "surface Dice": part.nsd.mean()}
                row |= {"missed": (part.dice == 0).mean()}
            row |= {"images": len(part), "groups": part.group.nunique()}
            rows[network, name] = {**row, **one.filter(["folds"]).iloc[0]}
    return frames.of_rows(rows, ["network", "images of"])


def lesion_dice(cv: GroupedCV, scores: pd.DataFrame) -> pd.DataFrame:
    """Dice of each image (rows) by each network (columns); NaN without lesion, and where it is not tested."""
    lesion = scores[scores.kind == metrics.LESION]
    return lesion.pivot_table(index="image", columns="network", values="dice").reindex(range(len(cv.labels)))


def mask_endpoint(cv: GroupedCV, scores: pd.DataFrame) -> pd.DataFrame:
    """P4: lesion Dice of the single network and of the ensemble against the bound."""
    return cv.against_bound("dice", lesion_dice(cv, scores).filter([SINGLE, ENSEMBLE]), DICE_BOUND)


def recipe_table(run: Run, cv: GroupedCV) -> pd.DataFrame:
    """Mean Dice of lesions, and share of images without lesion left empty, by recipe and part, as far as it is done.

    The validation fold's lesions choose the winner; the test fold chooses nothing.  The classifier of recipe h had
    its epoch chosen on the same validation fold.
    """
    heads, names = run.result(better_masks.classifier(cv)), {"recipe": str, "part": str}
    scores = of_masks(run.results(better_masks.scoring_jobs(cv)), names, cv.table)
    known = scores[scores["recipe"] == better_masks.VGG_ENCODER]
    if heads and len(known):
        called = np.concatenate([heads[part][0].mean(axis=0).argmax(axis=-1) for part in known["part"].unique()])
        empty = (known["kind"] != metrics.LESION).astype(float)
        emptied = known["dice"].mask(called == cv.classes.index("normal"), empty)
        scores = pd.concat([scores, known.assign(recipe=better_masks.EMPTIED, dice=emptied)])
    scores = scores.assign(column=scores["part"] + " " + scores["kind"])
    columns = [f"{part} {kind}" for part in ("validation", "test") for kind in (metrics.LESION, metrics.NORMAL)]
    return scores.pivot_table("dice", "recipe", "column").reindex(columns=columns)


def beside_published(masks: pd.DataFrame) -> pd.DataFrame:
    """Lesion masks here beside those that others print for other splits: a scale, no comparison."""
    here = masks.xs(LESIONS, level=1) if len(masks) else pd.DataFrame(columns=["Dice", "IoU", "images"])
    here = here[["Dice", "IoU", "images"]].rename(columns={"Dice": "dice", "IoU": "iou"})
    return pd.concat([here.assign(protocol="here: grouped folds"), reported.read("elsewhere_segmentation")])
