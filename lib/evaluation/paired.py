"""The table of paired differences: two predictions of the same images, image by image."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar

from lib.core import words
from lib.evaluation import statistics

DIFFERENCE = ("difference", "95 % low", "95 % high", "p")
COLUMNS = (*DIFFERENCE, "only first", "only second", "p McNemar, median", "images", "rounds")
Units = np.ndarray | None  # the round or the head of each answer; None: there is one


def compare(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, rounds: Units = None, heads: Units = None, seed: int = 0
) -> pd.Series:
    """Difference a - b of two predictions of the same images, its interval and tests (protocol, section 5).

    Parameters
    ----------
    a, b : bool (n,), whether each answer is right, or float (n,), such as Dice; NaN in either
        leaves an answer out.
    groups : int (n,), of related images, which are resampled whole.
    rounds : int (n,), the training and split of each answer, resampled as well; None: each image once.
    heads : int (n,), which of several answers of one round to one image it is; None: one.

    Returns
    -------
    ``difference``, ``95 % low``, ``95 % high`` and two-sided ``p`` of the bootstrap; for truth values the
    answers that ``only first`` and ``only second`` got right, and ``p McNemar, median``, exact, the median over
    trainings (it takes related images for independent); ``images`` (per training) and ``rounds``.
    """
    a, b = np.asarray(a), np.asarray(b)
    difference = a.astype(float) - b
    bootstrap = statistics.mean_bootstrap(difference, groups, rounds, seed=seed)
    training = [np.zeros(len(a), int) if part is None else np.asarray(part) for part in (rounds, heads)]
    n_trainings = len(np.unique(training, axis=1).T)
    row = bootstrap.row("difference") | {
        "p": bootstrap.p_value(),
        "images": round((~np.isnan(difference)).sum() / n_trainings),
        "rounds": len(np.unique(training[0])),
    }
    if a.dtype == b.dtype == bool:
        only = pd.DataFrame({"first": a & ~b, "second": b & ~a}).groupby(training).sum()
        p_values = [mcnemar([[0, first], [second, 0]], exact=True).pvalue for first, second in only.to_numpy()]
        row |= {f"only {side}": only[side].sum() for side in only} | {"p McNemar, median": np.median(p_values)}
    return pd.Series(row, COLUMNS)


def table(pairs: Mapping[Hashable, tuple[np.ndarray, np.ndarray]], groups: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """One row of :func:`compare` per pair (first, second), all on the same resamples; tuples give a MultiIndex."""
    rows = {name: compare(*pair, groups, seed=seed) for name, pair in pairs.items()}
    counts = ("only first", "only second", "images", "rounds")
    return pd.DataFrame(rows, COLUMNS).T.astype(dict.fromkeys(counts, "Int64"))


def in_words(table: pd.DataFrame) -> str:
    """The rows of :func:`table` whose interval excludes zero, a sentence each, and how many there are besides."""
    if table.empty:
        return f"Differences: {words.NO_RESULT}."
    clear = (table["95 % low"] > 0) | (table["95 % high"] < 0)
    several = (~clear).sum() > 2
    lines = []
    for name, row in table[clear | ~several].iterrows():
        found = f"{words.number(row.difference, '+.3f')} ({words.interval(row, '+.3f')}, {words.p(row.p)})"
        lines.append(f"{words.label(name)}: {found}; the interval {'excludes' if clear[name] else 'includes'} zero.")
    if several:
        rest = words.span(table.difference[~clear].astype(float), "+.3f")
        lines.append(f"{(~clear).sum()} of {len(table)} intervals include zero; these differences are {rest}.")
    return "\n".join(lines)
