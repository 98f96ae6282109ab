"""What a comparison of inputs shows: tables beside the printed ones, paired tests, and the same in words."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.data.record import ImageSet
from lib.evaluation import metrics as evaluation
from lib.evaluation import statistics as significance


def summarise(heads: pd.DataFrame, reported: pd.Series) -> pd.DataFrame:
    """Mean, spread, extremes and 95 % interval over heads for each input, beside the printed accuracy."""
    groups = heads.groupby("inputs", sort=False).accuracy
    table = pd.DataFrame({"reported": reported}).reindex(list(dict.fromkeys(heads.inputs)))
    table = table.join(groups.agg(["mean", "std", "min", "max"]))
    # One round has no spread, and so no interval.
    bounds = groups.apply(lambda values: significance.mean_interval(values) if len(values) > 1 else (np.nan, np.nan))
    table["95 % low"], table["95 % high"], table["heads"] = bounds.str[0], bounds.str[1], groups.size()
    return table


def class_table(heads: pd.DataFrame, data: ImageSet) -> pd.DataFrame:
    """Table I's columns for each input: the mean over rounds of :func:`lib.evaluation.metrics.table_row`."""
    rows = [
        evaluation.table_row(data.labels[row.test], np.argmax(row.probabilities, axis=1), data.classes)
        for row in heads.itertuples()
    ]
    return pd.DataFrame(rows).groupby(heads.inputs.to_numpy(), sort=False).mean().rename_axis("inputs")


def right_answers(heads: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """One row an image and round, one column an input: whether the class was right.  Index: ``round``, ``image``."""
    columns = {}
    for name, rows in heads.groupby("inputs", sort=False):
        parts = {
            row.number: pd.Series(np.argmax(row.probabilities, axis=1) == labels[row.test], index=row.test)
            for row in rows.itertuples()
        }
        columns[name] = pd.concat(parts, names=["round", "image"])
    return pd.DataFrame(columns)


def compare(right: pd.DataFrame, pairs: Iterable[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """Paired differences in accuracy between inputs, one row a pair.

    Parameters
    ----------
    right : of :func:`right_answers`; rows that lack one of a pair are left out.
    pairs : (better, worse) as one expects them.

    Returns
    -------
    ``difference``, its 95 % bootstrap interval over test images (an image is drawn with all its
    rounds), the pooled predictions that only one of the two got right (``only first``, ``only
    second``), the exact McNemar ``p pooled``, and ``p median``: the median over rounds of each round's
    own exact p.  The pooled test takes the rounds' answers to one image for independent, which they
    are not: its p is too small whenever rounds share test images.
    """
    rows = {}
    for first, second in pairs:
        both = right[[first, second]].dropna().astype(bool)
        images = both.index.get_level_values("image").to_numpy()
        a, b = both[first].to_numpy(), both[second].to_numpy()
        bounds = significance.mean_bootstrap(a.astype(float) - b, images, seed=seed)
        pooled = significance.mcnemar(a, b)
        single = [
            significance.mcnemar(part[first].to_numpy(), part[second].to_numpy()).p_value
            for _, part in both.groupby(level="round")
        ]
        rows[f"{first} – {second}"] = {
            "difference": a.mean() - b.mean(),
            "95 % low": bounds.low,
            "95 % high": bounds.high,
            "only first": pooled.only_a,
            "only second": pooled.only_b,
            "p pooled": pooled.p_value,
            "p median": float(np.median(single)),
            "rounds": len(single),
            "images": len(np.unique(images)),
        }
    return pd.DataFrame(rows).T


def in_words(row: pd.Series, level: float = 0.05) -> str:
    """What one row of :func:`compare` shows, and what it does not."""
    name, n = row.name, int(row.images)
    step = f"{row.difference:+.3f} or {row.difference * n:+.1f} of {n} images"
    if row["95 % low"] > 0 or row["95 % high"] < 0:
        sure = "the interval excludes zero"
    else:
        sure = "the interval includes zero: no difference is shown"
    single = "significant" if row["p median"] < level else "not significant"
    return f"{name}: {step}; {sure}; a single round is {single} (median exact p = {row['p median']:.2f})"


def least_significant_gain(level: float = 0.05) -> int:
    """The fewest images that one prediction must have right and the other wrong, with none the other way round,
    for an exact two-sided McNemar p below ``level``: so many on one hold-out, however large."""
    gain = 1
    while significance.mcnemar(np.ones(gain, bool), np.zeros(gain, bool)).p_value >= level:
        gain += 1
    return gain
