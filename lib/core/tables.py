"""The look of all tables: titles, row groups, spanners and the right number of decimals, through Great Tables."""

import re
from itertools import groupby
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from great_tables import GT, loc, style
from pandas.api.types import is_integer_dtype

from lib.core import words

_LONG = 30  # letters: a column with such a text is made wide
_RATE = "learning_rate"
_COUNTS = {"done", "epochs", "images", "models", "n", "planned", "rounds", "seed", "seeds", "trainings"}
_NUMBER = r"–|[−+<]? ?\d[\d.,e%×-]*( .{1,16})?"  # or an interval, or a number with its spread


def draw(table: pd.DataFrame, name: str, caption: str, precision: int = 3, rows: int | None = None) -> str:
    """The first ``rows`` of ``table`` as HTML that never outgrows the page and is legible without its styles.

    Index levels become row groups and row names, columns ``X low`` and ``X high`` one interval, and columns that
    share their first word stand under it.  What follows the first ``·`` of the caption is the subtitle.
    """
    title, _, subtitle = caption.partition(" · ")
    if table.empty:
        return f"<p><b>{title}</b>: {words.NO_RESULT}.</p>"
    shown = _with_intervals(table.head(rows).apply(_texts, precision=precision))
    left = [column for column in shown if not shown[column].str.fullmatch(_NUMBER).all()]
    wide: list[Any] = [loc.body([column for column in shown if shown[column].str.len().max() > _LONG])]
    columns, stub, group = list(shown), None, None
    if table.index.nlevels > 1 or table.index.name or not is_integer_dtype(table.index):
        levels = shown.index.to_frame().astype(str)
        stub, shown["row name"] = "row name", levels.pop(levels.columns[-1]).map(words.spelt)
        wide += [loc.stub()] if shown[stub].str.len().max() > _LONG else []
        if len(levels.columns):
            group, shown["row group"] = "row group", levels.agg(" · ".join, axis=1)
    drawn = (
        GT(shown, stub, group, id=f"table-{name}")
        .tab_header(title, subtitle or None)
        .tab_stubhead(str(table.index.names[-1] or ""))
        .cols_align("right")
        .cols_align("left", [*left, *([stub] if stub else [])])
        .tab_style(style.css("min-width: 14em; white-space: normal"), wide)
        .tab_options(heading_align="left", table_font_size="90%", data_row_padding="3px", row_group_padding="3px")
        .tab_options(row_group_font_weight="bold")
        # On a telephone a table scrolls in its own box instead of being squeezed to the width of a word.
        .opt_css(f"@media (max-width: 600px) {{ #table-{name} .gt_row {{ white-space: nowrap; }} }}")
    )
    if len(shown) < len(table):
        drawn = drawn.tab_source_note(f"The first {len(shown)} of {len(table)} rows; {name}.csv holds all.")
    return _with_spanners(drawn, columns).as_raw_html()


def _texts(column: pd.Series, precision: int) -> pd.Series:
    """The values of a column as text: counts whole, small p values as bounds, learning rates as powers of ten."""
    numbers = pd.to_numeric(column, errors="coerce").dropna()
    places = min(precision, 1) if "HD95" in str(column.name).split(" ") else precision  # it is in pixels
    is_count = (numbers % 1 == 0).all() and (column.name in _COUNTS or numbers.abs().max() > 1)

    def text(label, value) -> str:
        if pd.isna(value):
            return "–"
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if not isinstance(value, Real):
            return str(value).replace("± ", "±\xa0")  # a line may end before it, not after
        if _RATE in (label, column.name):
            return f"{value:.0e}".replace("e-0", "e-")
        if _RATE in column.index:  # a table of settings
            return f"{value:g}"
        if str(column.name).split(" ")[0] == "p":
            return words.p(float(value)).removeprefix("p ").removeprefix("= ")
        return words.number(float(value), f",.{0 if is_count or abs(float(value)) >= 1000 else places}f")

    return pd.Series([text(*one) for one in column.items()], column.index)


def _with_intervals(shown: pd.DataFrame) -> pd.DataFrame:
    """Join the columns of lower and upper ends; a missing interval stays missing."""
    shown = shown.rename(columns=str)
    for of in [column.removesuffix("high") for column in shown if re.fullmatch("(.* )?high", column)]:
        if f"{of}low" in shown:
            shown[f"{of}low"] = (shown[f"{of}low"] + " to " + shown.pop(f"{of}high")).replace("– to –", "–")
            value = of.removesuffix("95 % ") or ("here " if "here" in shown else "")
            shown = shown.rename(columns={f"{of}low": f"{value}95 % interval"})
    return shown


def _with_spanners(drawn: GT, columns: list[str]) -> GT:
    # Over a column stands the one whose name its own begins with, such as "macro F1" over "macro F1 95 % interval", or
    # else its first word.
    heads = {one for one in columns if any(other.startswith(f"{one} ") for other in columns)}

    def head(column: str) -> str:
        known = [one for one in heads if f"{column} ".startswith(f"{one} ")]
        return max(known, key=len, default=column.split(" ")[0])

    labels = {one: one for one in columns}
    for word, group in groupby(columns, key=head):
        if len(together := list(group)) > 1:
            drawn = drawn.tab_spanner(_head(word), together)
            own = "here" if f"{word} printed" in together else "value"
            labels |= {column: column.removeprefix(word).strip() or own for column in together}
    return drawn.cols_label({column: _head(label) for column, label in labels.items()})


def _head(label: str) -> str:
    return words.spelt(label.replace("printed", "paper"))
