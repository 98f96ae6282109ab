"""Quality of predicted masks under grouped folds, and endpoint P4."""

from collections.abc import Mapping

import pandas as pd

from lib.core.run import Run
from lib.evaluation import metrics, statistics
from lib.experiments import model_comparison
from lib.experiments.grouped_cv import GroupedCV
from lib.reported import elsewhere

PAPER_UNET, SINGLE, ENSEMBLE = "paper's U-Net", "single network", "ensemble"
DICE_BOUND = 0.75  # of P4


def mask_frames(run: Run, cv: GroupedCV) -> dict[str, pd.DataFrame]:
    """Scores of the test masks of each network, one row per image (see :func:`lib.two_stage.segmentation.mask_scores`).

    Keys: the paper's U-Net; with an ImageNet encoder one network, and the ensemble of all that have not seen the
    image's fold.  Images whose training is not done are left out.
    """
    titles = {"paper": PAPER_UNET, "single": SINGLE, "ensemble": ENSEMBLE}
    frames = {}
    for kind, title in titles.items():
        jobs, tested = zip(*cv.mask_scores(kind), strict=True)
        done = [
            pd.DataFrame(result.values, index=part)
            for result, part in zip(run.results(jobs), tested, strict=True)
            if result
        ]
        if done:
            frames[title] = pd.concat(done).sort_index().assign(folds=len(done))
    return frames


def mask_table(cv: GroupedCV, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Dice with its 95 % interval over groups, IoU, HD95 and surface Dice, by network, lesions of each class apart.

    Both masks empty: Dice and surface Dice 1, HD95 0.  One empty: 0, 0, and the diagonal of the image; the mean of
    HD95 is over images with both masks.  In the rows without lesion Dice is the share left empty.
    """
    rows = {}
    for title, frame in frames.items():
        lesion = frame.kind == metrics.LESION
        of_class = {name: cv.labels[frame.index] == k for k, name in enumerate(cv.classes) if name != "normal"}
        subsets = {"lesions": lesion, **{name: lesion & part for name, part in of_class.items()}}
        for name, chosen in {**subsets, "without lesion, left empty": ~lesion}.items():
            part = frame[chosen]
            bounds = statistics.mean_bootstrap(part.dice.to_numpy(), cv.groups[part.index], seed=cv.seed)
            row = {"Dice": bounds.estimate, "95 % low": bounds.low, "95 % high": bounds.high}
            if name != "without lesion, left empty":
                both = part.predicted_area > 0
                row |= {"IoU": part.iou.mean(), "HD95 median": part.hd95.median(), "HD95 mean": part.hd95[both].mean()}
                row |= {"surface Dice": part.nsd.mean(), "missed": (part.dice == 0).mean()}
            rows[title, name] = {
                **row,
                "images": len(part),
                "trainings": model_comparison.share(frame.folds.iloc[0], cv.n_folds),
            }
    table = pd.DataFrame(rows).T.infer_objects()
    return table.rename_axis(["network", "images of"]) if len(table) else table


def mask_endpoint(cv: GroupedCV, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """P4: lesion Dice of the single network and of the ensemble against the bound."""
    rows = {}
    for title in (SINGLE, ENSEMBLE):
        if title in frames:
            frame = frames[title]
            dice = frame.dice.where(frame.kind == metrics.LESION).reindex(range(len(cv.labels)))
            rows[title] = model_comparison.against_bound(
                cv, "dice", dice.to_numpy(), DICE_BOUND, int(frame.folds.iloc[0])
            )
    return pd.DataFrame(rows).T.infer_objects()


def beside_published(masks: pd.DataFrame) -> pd.DataFrame:
    """Lesion masks here beside those that others print for other splits: a scale, no comparison."""
    here = masks.xs("lesions", level=1) if len(masks) else pd.DataFrame(columns=["Dice", "IoU", "images"])
    here = here[["Dice", "IoU", "images"]].rename(columns={"Dice": "dice", "IoU": "iou"})
    return pd.concat([here.assign(protocol="here: grouped folds"), elsewhere.segmentation()])
