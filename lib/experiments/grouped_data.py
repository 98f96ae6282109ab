"""What related images do to an evaluation: pairs found, conflicting labels, leak shares, both kinds of folds."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.core.jobs import Result
from lib.core.run import Run
from lib.data import group_files, near_duplicates, splits
from lib.experiments import model_comparison
from lib.experiments.grouped_cv import GroupedCV, Pooled

N_REPLAYS = 500  # of the paper's split


def related_images(run: Run, cv: GroupedCV) -> tuple[Result, pd.DataFrame]:
    """The groups of the images (:func:`lib.data.near_duplicates.image_groups`) and all pairs found, surest first."""
    job = near_duplicates.groups_job(cv.source)
    pairs = pd.DataFrame(run.result(job.arguments["pairs"])["pairs"])
    return run.result(job), pairs


def recall_table(cv: GroupedCV, found: Result) -> pd.DataFrame:
    """Pairs and groups found against those of the published list (phantoms: the planted ones)."""
    check = near_duplicates.compare_groups(found["found"], found["listed"])
    sizes = pd.Series(found["groups"]).value_counts()
    values = {
        "listed pairs": check["listed"],
        "of them found": check["recalled"],
        "recall": check["recall"],
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
    listed = found["listed"]
    sure = pairs[pairs["score"] >= near_duplicates.SCORE].astype({"first": int, "second": int})
    table = sure.assign(listed=listed[sure["first"]] == listed[sure["second"]])
    names, labels = cv.table.names, np.array(cv.classes)[cv.labels]
    for side in ("first", "second"):
        table[f"{side} image"], table[f"{side} label"] = names[table[side]], labels[table[side]]
    return table.sort_values(["listed", "score"], ignore_index=True).drop(columns=["overlap"])


def review_table(cv: GroupedCV, pairs: pd.DataFrame) -> pd.DataFrame:
    """All images with relatives, for a person to look through (:func:`lib.data.group_files.review_table`)."""
    integers = pairs.astype({"first": int, "second": int})
    return group_files.review_table(cv.table.names, cv.labels, list(cv.classes), cv.groups, integers)


def conflict_table(cv: GroupedCV) -> pd.DataFrame:
    """Groups whose images have different labels, one row each: ``images``, ``labels`` and ``names``."""
    chosen = np.flatnonzero(near_duplicates.conflicts(cv.groups, cv.labels))
    labels = np.array(cv.classes)[cv.labels[chosen]]
    frame = pd.DataFrame({"group": cv.groups[chosen], "label": labels, "name": cv.table.names[chosen]})
    rows = frame.groupby("group").agg(images=("name", "size"), labels=("label", _listed), names=("name", _listed))
    return rows.astype({"images": int})


def _listed(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(values))


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
    return pd.DataFrame(rows, index=["share", "low", "high", "splits"]).T.astype({"splits": int})


def _leak(groups: np.ndarray, split: splits.Split) -> float:
    return float(np.isin(groups[split.test], groups[split.train]).mean())


def leak_in_words(table: pd.DataFrame) -> str:
    """What the leak shares show."""
    printed, grouped = table.iloc[0], table.iloc[-1]
    return (
        f"Under the printed rule {printed.share:.1%} of the test images have a relative in training "
        f"({printed.low:.1%} to {printed.high:.1%} over {printed.splits:.0f} draws), "
        f"under grouped folds {grouped.share:.1%}."
    )


def recall_in_words(table: pd.DataFrame) -> str:
    """What the search for related images found."""
    value = table["value"]
    return (
        f"{value['of them found']:.0f} of {value['listed pairs']:.0f} listed pairs end in one group, and "
        f"{value['pairs beyond the list']:.0f} others; {value['images with relatives']:.0f} of {value['images']:.0f} "
        f"images have a relative, {value['groups with different labels']:.0f} groups have different labels."
    )


def fold_table(cv: GroupedCV) -> pd.DataFrame:
    """Images of each class and groups in each fold."""
    used = cv.folds >= 0
    folds = pd.Series(cv.folds[used], name="fold")
    table = pd.crosstab(folds, pd.Series(np.array(cv.classes)[cv.labels[used]], name="class"))
    return table[list(cv.classes)].assign(groups=pd.Series(cv.groups[used]).groupby(folds).nunique())


def protocol_table(
    grouped: GroupedCV, answers: Mapping[str, Pooled], random: GroupedCV, leaky: Mapping[str, Pooled]
) -> pd.DataFrame:
    """The papers' own inputs under both kinds of folds: rows of :func:`lib.experiments.model_comparison.scores`."""
    tables = {
        "random folds": model_comparison.score_table(random, leaky),
        "grouped folds": model_comparison.score_table(grouped, answers),
    }
    tables = {name: table for name, table in tables.items() if len(table)}
    return pd.concat(tables, names=["folds", "model"]) if tables else pd.DataFrame()


def leak_effect(cv: GroupedCV, answers: Mapping[str, Pooled], leaky: Mapping[str, Pooled]) -> pd.DataFrame:
    """Random minus grouped folds on the same images, model by model, with 95 % intervals over groups."""
    shared = [name for name in answers if name in leaky]
    return model_comparison.differences(cv, {name: (leaky[name], answers[name]) for name in shared})


def sensitivity_table(cv: GroupedCV, answers: Mapping[str, Pooled], found: Result, pairs: pd.DataFrame) -> pd.DataFrame:
    """P2 with other groups in its bootstrap, or without images whose relatives have another label."""
    integers = pairs[["first", "second"]].to_numpy(int)
    others = {
        "as planned": cv.groups,
        "groups of the published list": found["listed"],
        "uncertain pairs kept together": near_duplicates.connected(len(cv.labels), integers),
    }
    rows = {name: model_comparison.mask_gain(replace(cv, groups=groups), answers) for name, groups in others.items()}
    kept = ~near_duplicates.conflicts(cv.groups, cv.labels)[:, None]
    fewer = {name: replace(one, test=np.where(kept, one.test, np.nan)) for name, one in answers.items()}
    rows["conflicting labels dropped"] = model_comparison.mask_gain(cv, fewer)
    table = pd.DataFrame({name: rows[name].iloc[-1] for name in rows if len(rows[name])}).T
    return table.infer_objects()
