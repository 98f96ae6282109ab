"""What related images do to an evaluation: pairs found, conflicting labels, leak shares, both kinds of folds."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.core.jobs import Result
from lib.core.run import Run
from lib.data import near_duplicates, splits
from lib.experiments.grouped_cv import GroupedCV
from lib.experiments.model_comparison import Answers, differences, mask_gain, score_table

N_REPLAYS = 500  # of the paper's split


def related_images(run: Run, cv: GroupedCV) -> tuple[Result, pd.DataFrame]:
    """The groups of the images (:func:`lib.data.near_duplicates.image_groups`) and all pairs found, surest first."""
    job = near_duplicates.groups_job(cv.source)
    pairs = pd.DataFrame(run.result(job.arguments["pairs"])["pairs"])
    return run.result(job), pairs.astype({"first": int, "second": int})


def recall_table(cv: GroupedCV, found: Result) -> pd.DataFrame:
    """Pairs and groups found against those of the published list (phantoms: the planted ones)."""
    check = near_duplicates.compare_groups(found["found"], found["listed"])
    sizes = pd.Series(found["groups"]).value_counts()
    values = {
        "listed pairs": check["listed"],
        "of them found": check["recalled"],
        "pairs beyond the list": len(check["extra"]),
        "images": len(cv.labels),
        "images with relatives": int(sizes[sizes > 1].sum()),
        "groups of two or more": int((sizes > 1).sum()),
        "largest group": int(sizes.max()),
        "groups with different labels": len(conflict_table(cv)),
    }
    return pd.DataFrame({"value": values})


def pair_table(cv: GroupedCV, found: Result, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs beyond the list, then the least sure of the others, one row each, with ``first`` and ``second`` indices."""
    table = pairs[pairs["score"] >= near_duplicates.SCORE].drop(columns="overlap")
    table["listed"] = found["listed"][table["first"]] == found["listed"][table["second"]]
    for side in ("first", "second"):
        table[[f"{side} image", f"{side} label"]] = _images(cv).loc[table[side], ["name", "label"]].to_numpy()
    return table.assign(group=cv.groups[table["first"]]).sort_values(["listed", "score"], ignore_index=True)


def review_table(cv: GroupedCV, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row per image that has relatives, group by group, for a person to look through.

    Returns
    -------
    ``name``, ``group``, ``label`` (class name), ``conflict``: whether the group has different labels,
    ``identical``: whether another image has the same pixels, ``closest``: the name of the most correlated
    image of the group and ``correlation`` with it (empty and NaN where no pair of this image connects it).
    """
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both[cv.groups[both["first"]] == cv.groups[both["second"]]]
    closest = both.sort_values("correlation", ascending=False, kind="stable").groupby("first").first()
    frame = _images(cv)
    by_group = frame.groupby("group")["label"]
    frame["conflict"] = by_group.transform("nunique") > 1
    frame["identical"] = frame.index.isin(both.loc[both["identical"].astype(bool), "first"])
    frame["closest"] = closest["second"].map(frame["name"])
    frame["correlation"] = closest["correlation"]
    related = frame[by_group.transform("size") > 1].fillna({"closest": ""})
    return related.sort_values("group", kind="stable", ignore_index=True)


def _images(cv: GroupedCV) -> pd.DataFrame:
    return pd.DataFrame({"name": cv.table.names, "group": cv.groups, "label": np.array(cv.classes)[cv.labels]})


def conflict_table(cv: GroupedCV) -> pd.DataFrame:
    """Groups whose images have different labels, one row each: ``images``, ``labels`` and ``names``."""
    chosen = _images(cv)[near_duplicates.conflicts(cv.groups, cv.labels)].groupby("group")
    labels, names = (chosen[column].agg(lambda values: ", ".join(values.unique())) for column in ("label", "name"))
    return pd.DataFrame({"images": chosen.size(), "labels": labels, "names": names})


def leak_shares(grouped: GroupedCV, random: GroupedCV) -> pd.DataFrame:
    """Share of test images that have a relative in training, by protocol; images that validate are not counted.

    The paper's 80:10:10 split is drawn :data:`N_REPLAYS` times: mean and the range of 95 % of them.  Folds:
    mean, least and most.
    """
    labels, groups = grouped.labels, grouped.groups
    rule = [_leak(groups, splits.stratified(labels, grouped.seed + number)) for number in range(N_REPLAYS)]
    rows = {"stratified 80:10:10, as printed": [np.mean(rule), *np.percentile(rule, [2.5, 97.5]), N_REPLAYS]}
    for name, cv in (("random folds", random), ("grouped folds", grouped)):
        shares = [_leak(groups, cv.split(fold)) for fold in range(cv.n_folds)]
        rows[name] = [np.mean(shares), min(shares), max(shares), cv.n_folds]
    return pd.DataFrame(rows, index=["share", "from", "to", "splits"]).T.astype({"splits": int})


def _leak(groups: np.ndarray, split: splits.Split) -> float:
    return float(np.isin(groups[split.test], groups[split.train]).mean())


def fold_table(cv: GroupedCV) -> pd.DataFrame:
    """Images of each class and groups in each fold."""
    frame = _images(cv).assign(fold=cv.folds)[cv.folds >= 0]
    table = pd.crosstab(frame["fold"], frame["label"].rename("class"))
    return table[list(cv.classes)].assign(groups=frame.groupby("fold")["group"].nunique())


def protocol_table(grouped: GroupedCV, answers: Answers, random: GroupedCV, leaky: Answers) -> pd.DataFrame:
    """The paper's own inputs under both kinds of folds: rows of :func:`lib.experiments.model_comparison.scores`."""
    tables = {"random folds": score_table(random, leaky), "grouped folds": score_table(grouped, answers)}
    return pd.concat(tables, names=["protocol", "model"])


def leak_effect(cv: GroupedCV, right: pd.DataFrame, leaky: pd.DataFrame) -> pd.DataFrame:
    """Random minus grouped folds on the same images, model by model, with 95 % intervals over groups and ``folds``.

    Parameters
    ----------
    right, leaky : of :func:`lib.experiments.model_comparison.rights`.
    """
    table = differences(cv, {name: (leaky[name], right[name]) for name in right if name in leaky})
    return table.assign(folds=[cv.done(leaky[name] + right[name]) for name in right if name in leaky])


def sensitivity_table(cv: GroupedCV, right: pd.DataFrame, found: Result, pairs: pd.DataFrame) -> pd.DataFrame:
    """P2 with other groups in its bootstrap, or without images whose relatives have another label."""
    uncertain = near_duplicates.connected(len(cv.labels), pairs[["first", "second"]].to_numpy())
    agreeing = right[~near_duplicates.conflicts(cv.groups, cv.labels)].reindex(right.index)
    tables = {
        "as planned": mask_gain(cv, right),
        "groups of the published list": mask_gain(replace(cv, groups=found["listed"]), right),
        "uncertain pairs resampled together": mask_gain(replace(cv, groups=uncertain), right),
        "conflicting labels dropped": mask_gain(cv, agreeing),
    }
    return pd.DataFrame({name: table.iloc[-1] for name, table in tables.items() if len(table)}).T.infer_objects()
