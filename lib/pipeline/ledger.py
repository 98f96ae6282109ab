"""The ledger: every checkable claim of both papers beside what the notebooks found, and the protocol's verdict.

Claims are in ``lib/reported/claims.csv``, primary endpoints in ``endpoints.csv``; what was found comes from the
tables that the notebooks of a profile saved.  A row is named by its index levels, joined with " · ".
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from lib import reported
from lib.core import words
from lib.evaluation import statistics
from lib.reported import arithmetic

NOT_YET = "not tested yet"
VERDICTS = (*statistics.VERDICTS, NOT_YET)
ROUNDS = 10  # of Tables I and II
# Tables for which nothing is trained.
_COUNTS = ("01_preprocessing/01_counts", "01_preprocessing/01_sizes_table", "06_nas/06_parameter_counts")
_DECIDED = {statistics.REPRODUCED, statistics.DIRECTION_ONLY, statistics.NOT_REPRODUCED, "reached", "not reached"}
_NO_INTERVAL = (math.nan, math.nan)


def claims() -> pd.DataFrame:
    """Claims by ``id``: paper, place, claim, printed (as in the paper), value, rule, table, row, column, reason."""
    return _read("claims")


def ledger(figures: Path) -> pd.DataFrame:
    """What became of each claim, by ``id``.

    Parameters
    ----------
    figures : folder of the saved tables, ``<notebook>/<table>.csv``.

    Returns
    -------
    Text to show: ``claim``, ``place``, ``paper`` (as printed), ``here``, ``95 % interval``, ``verdict``, ``remark``
    (what is done of a plan that is not finished, or what limits a result), ``where`` (notebook and table),
    ``rests on`` (trainings, counts of images and parameters, or the printed numbers alone), ``reason`` (why not
    testable).  As float, NaN where there is none: ``printed``, ``number``, ``low``, ``high``.
    """
    computed = arithmetic.checks()
    rows = {}
    for claim in claims().itertuples():
        printed = _number(claim.value)
        here, low, high, verdict = _judge(claim, printed, figures, computed)
        row = f"{claim.row} · accuracy" if claim.rule == "values" else claim.row  # of all scores, the first
        cells, of = _row(figures, claim.table, row), claim.column.partition(" of ")[2]  # a column "a of b" shows both
        basis = "the printed numbers alone" if claim.rule == "arithmetic" else "trainings"
        rows[claim.Index] = {
            "claim": claim.claim,
            "place": f"{claim.paper}, {claim.place}",
            "paper": claim.printed if math.isnan(printed) or not claim.table else _show(printed, claim),
            "here": _show(here, claim) + (f" of {cells[of]:,}" if of in cells else ""),
            "95 % interval": "" if math.isnan(low) else f"{_show(low, claim).split(' ')[0]} to {_show(high, claim)}",
            "verdict": verdict,
            "remark": "; ".join(filter(None, [_unfinished(cells), _note(cells)])) if here != "" else "",
            "where": claim.table or ("printed numbers" if claim.rule == "arithmetic" else ""),
            "rests on": "counts of images and parameters" if claim.table in _COUNTS else basis,
            "reason": claim.reason if verdict == statistics.NOT_TESTABLE else "",
            "printed": printed,
            "number": math.nan if isinstance(here, str) else here,
            "low": low,
            "high": high,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")


def by_verdict(entries: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`ledger` to read: claims that can be tested here, under their verdicts."""
    found = entries[entries.verdict != statistics.NOT_TESTABLE]
    found = found.assign(place=found["place"].str[3:]).sort_values(
        "verdict", key=lambda column: column.map(VERDICTS.index), kind="stable"
    )
    return found.set_index(["verdict", "claim"])[["place", "paper", "here", "95 % interval", "remark", "where"]]


def counts(entries: pd.DataFrame) -> pd.DataFrame:
    """Number of claims with each verdict (rows, without those that none has) in each paper (columns)."""
    table = pd.crosstab(entries.verdict, "paper " + entries["place"].str[0], margins=True, margins_name="both")
    return table.loc[[name for name in VERDICTS if name in table.index]]


def endpoints(figures: Path) -> pd.DataFrame:
    """Primary endpoints of the protocol: estimate, interval, p, Holm's p, verdict, remark, and images tested.

    P4 has two figures; that of the single network enters Holm's correction.  *Confirmed*: the
    verdict, for or against, is one way or the other, the adjusted p below 0.05 and the plan complete.
    """
    rows = {}
    for endpoint in _read("endpoints").itertuples():
        cells = _row(figures, endpoint.table, endpoint.row)
        here, low, high, p_value = _values(cells, endpoint.column)
        verdict = _of_interval(endpoint.rule, here, low, high, endpoint.printed, endpoint.bound)
        parts = [cells] + [_row(figures, endpoint.table, part) for part in endpoint.parts.split("; ") if part]
        finished = verdict == NOT_YET or not any(part.empty or _unfinished(part) for part in parts)
        rows[endpoint.Index] = {
            "endpoint": endpoint.endpoint,
            "bound": float(endpoint.bound),
            "here": here,
            "95 % low": low,
            "95 % high": high,
            "p": p_value,
            "verdict": verdict if finished else f"{verdict} (interim)",
            "remark": _note(cells),
            "images": _images(cells),
            "where": endpoint.table,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")
    table.insert(6, "p Holm", statistics.holm(table.p[~table.index.str.contains(",")]))
    decided = table.verdict.isin(_DECIDED)
    confirmed = (decided & (table["p Holm"] < 0.05)).map({True: "yes", False: "no"})
    table["confirmed"] = confirmed.where(table["p Holm"].notna(), "")
    return table


def _note(cells: pd.Series) -> str:
    """What a table itself remarks on a row."""
    note = cells.get("note", "")
    return "" if pd.isna(note) else note


def _images(cells: pd.Series) -> str:
    """How many images are tested, and in how many rounds."""
    number, rounds = (cells.get(name, math.nan) for name in ("images", "rounds"))
    return "" if pd.isna(number) else ("" if pd.isna(rounds) else f"{rounds:.0f} × ") + f"{number:,.0f}"


def _unfinished(cells: pd.Series) -> str:
    """What a plan lacks: its table calls the verdict interim, has one training, or too few rounds (Tables I and II)."""
    if "interim" in str(cells.get("verdict", "")):
        return "interim"
    if str(cells.get("trainings", "")) in ("1", "1.0"):
        return "one training"
    rounds = float(cells.get("rounds", ROUNDS))
    return f"{rounds:.0f} of {ROUNDS} rounds" if rounds < ROUNDS else ""


def _judge(
    claim, printed: float, figures: Path, computed: dict[str, tuple[bool, str]]
) -> tuple[float | str, float, float, str]:
    """What was found ("" if nothing), its interval, and the verdict."""
    if claim.rule == "arithmetic" and not claim.table:
        holds, computed_here = computed[claim.Index]
        return computed_here, *_NO_INTERVAL, statistics.REPRODUCED if holds else statistics.CONTRADICTED
    if claim.rule == "values":
        return _judge_row(claim, figures)
    column, *_ = claim.column.split(" of ")
    parts = [_values(_row(figures, claim.table, row), column) for row in claim.row.split(" > ")]
    here, low, high, _ = parts[0]
    if len(parts) == 2:  # a row "a > b" stands for the ratio of the two
        here, low, high = here / parts[1][0], *_NO_INTERVAL
    if pd.isna(here):
        return "", *_NO_INTERVAL, _absent(claim, figures)
    if claim.rule == "not testable":
        verdict = statistics.NOT_TESTABLE
    elif claim.rule == "arithmetic":
        verdict = statistics.REPRODUCED if here == printed else statistics.CONTRADICTED
    elif claim.rule == "qualitative":
        same = str(here) == claim.value or here == printed
        verdict = statistics.REPRODUCED if same else statistics.NOT_REPRODUCED
    else:
        verdict = _of_interval(claim.rule, here, low, high, claim.value)
    return here, low, high, verdict


def _judge_row(claim, figures: Path) -> tuple[str, float, float, str]:
    """The same for all class scores of a row of Table I or II: reproduced if each lies in its interval."""
    cells = _table(figures, claim.table, 3)
    cells = cells[cells.index.str.startswith(f"{claim.row} · ") & ~cells.index.str.endswith("accuracy")]
    cells = cells.reindex(columns=["paper", "95 % low", "95 % high"]).dropna()
    if cells.empty:
        return "", *_NO_INTERVAL, _absent(claim, figures)
    inside = statistics.fits(cells.paper, cells["95 % low"], cells["95 % high"])
    verdict = statistics.REPRODUCED if inside.all() else statistics.NOT_REPRODUCED
    return f"{inside.sum()} of {len(inside)} inside", *_NO_INTERVAL, verdict


def _of_interval(rule: str, here: float, low: float, high: float, printed: str, bound: str = "") -> str:
    """The verdict on a difference, on a value with a bound or on a printed value."""
    if math.isnan(low):
        return NOT_YET
    if rule == "difference":
        return statistics.verdict_difference(low, high, _number(printed))
    if rule == "bound":
        return statistics.verdict_bound(here, low, high, float(bound))
    return statistics.verdict_value(float(printed), low, high, len(printed.partition(".")[2]))


def _absent(claim, figures: Path) -> str:
    """Not testable, if there is a reason and the table is there without the row (or there is no table at all)."""
    known = claim.reason and (claim.rule == "not testable" or (figures / f"{claim.table}.csv").exists())
    return statistics.NOT_TESTABLE if known else NOT_YET


def _values(cells: pd.Series, column: str) -> tuple[Any, float, float, float]:
    """A value with its interval and p, NaN where it has none; all NaN where a search is not finished."""
    if pd.isna(cells.get(column)) or not cells.get("finished", True):
        return math.nan, *_NO_INTERVAL, math.nan
    of = next((of for of in ("95 % ", f"{column} ") if f"{of}low" in cells), "")
    return cells[column], *(float(cells.get(name, math.nan)) for name in (f"{of}low", f"{of}high", "p"))


def _row(figures: Path, table: str, row: str) -> pd.Series:
    """A row of a saved table; empty where there is none."""
    cells = _table(figures, table, row.count(" · ") + 1)
    return cells.loc[row] if row in cells.index else pd.Series(dtype=object)


def _table(figures: Path, table: str, levels: int) -> pd.DataFrame:
    """A saved table whose first ``levels`` columns name its rows; no rows where there is none."""
    path = figures / f"{table}.csv"
    if not path.exists():
        return pd.DataFrame(index=pd.Index([], dtype=str))
    cells = pd.read_csv(path)
    names = cells.iloc[:, :levels].astype(str).agg(" · ".join, axis=1)
    cells = cells.iloc[:, levels:].set_axis(names)
    return cells[~cells.index.duplicated()]


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(reported.FOLDER / f"{name}.csv", index_col="id", dtype=str, keep_default_na=False)


def _number(text: str) -> float:
    return float(text) if text and text[-1].isdigit() else math.nan


def _show(number: float | str, claim) -> str:
    """A number with as many digits as the printed one, in percent where that is; differences in percentage points."""
    if isinstance(number, str) or claim.value in ("True", "False"):
        return str(number)
    if claim.rule == "difference":
        return words.number(100 * number, "+.2f") + " points"
    if "%" in claim.printed or (claim.value and claim.printed == f"{100 * float(claim.value):.2f}"):
        return words.number(number, ".2%")
    digits = len(claim.value.partition(".")[2]) if claim.value else 3
    return words.number(number, f",.{digits}f")
