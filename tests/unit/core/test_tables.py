"""What a reader sees of a table: its text without the styles, as GitHub shows it."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from lib.core import tables


def _rows(*arguments, **options):
    """The cells of a drawn table, row by row."""
    page = re.sub(r"<style.*?</style>", "", tables.draw(*arguments, **options), flags=re.DOTALL)
    rows = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]
    return [[html.unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("column", "values", "shown"),
    [
        ("images", [79.0, 1234.0, np.nan], ["79", "1,234", "–"]),
        ("seeds", [1.0, 0.0, np.nan], ["1", "0", "–"]),
        ("accuracy", [0.8734, 1.0, np.nan], ["0.873", "1.000", "–"]),
        ("difference", [-0.05, 0.0, 0.25], ["−0.050", "0.000", "0.250"]),
        ("p", [0.0004, 0.04, 1.0], ["< 0.001", "0.040", "1.000"]),
        ("HD95 median", [17.132, 4.0, None], ["17.1", "4.0", "–"]),
        ("p Holm", [0.0004, 0.04, 1.0], ["< 0.001", "0.040", "1.000"]),
        ("learning_rate", [1e-4, 0.001, 0.01], ["1e-4", "1e-3", "1e-2"]),
        ("parameters", pd.array([543738, 7, None], dtype="Int64"), ["543,738", "7", "–"]),
        ("found", [True, False, None], ["yes", "no", "–"]),
        ("text", ["a < b", "c_d", None], ["a < b", "c_d", "–"]),
    ],
)
def test_values_have_the_decimals_of_their_kind(column, values, shown):
    rows = _rows(pd.DataFrame({column: values}), "00_t", "Title")
    assert [row[-1] for row in rows[-3:]] == shown
    assert all(len(row) == 1 for row in rows), "an index of integers is not shown"


def test_settings_are_shown_as_they_are_typed():
    settings = pd.DataFrame({"paper": [0.001, 0.05, 3.0]}, index=["learning_rate", "dropout", "layers"])
    assert _rows(settings, "00_t", "Title")[-3:] == [["learning rate", "1e-3"], ["dropout", "0.05"], ["layers", "3"]]


def test_titles_levels_intervals_and_spanners():
    index = pd.MultiIndex.from_product([["image", "mask"], ["VGG16", "all"]], names=["inputs", "backbone"])
    table = pd.DataFrame({"paper": 0.9, "here": 0.8, "95 % low": 0.7, "95 % high": 0.85}, index=index)
    table = table.assign(**{"recall normal": 0.5, "recall benign": 0.6})
    assert _rows(table, "00_t", "Scores · 79 images · one head") == [
        ["Scores"],
        ["79 images · one head"],
        ["backbone", "paper", "here", "recall"],
        ["value", "95 % interval", "normal", "benign"],
        ["image"],
        ["VGG16", "0.900", "0.800", "0.700 to 0.850", "0.500", "0.600"],
        ["all", "0.900", "0.800", "0.700 to 0.850", "0.500", "0.600"],
        ["mask"],
        ["VGG16", "0.900", "0.800", "0.700 to 0.850", "0.500", "0.600"],
        ["all", "0.900", "0.800", "0.700 to 0.850", "0.500", "0.600"],
    ]


def test_a_column_stands_over_those_whose_names_begin_with_its_own():
    names = ["accuracy", "accuracy low", "accuracy high", "balanced accuracy", "balanced accuracy low"]
    table = pd.DataFrame(0.5, ["one"], [*names, "balanced accuracy high"])
    assert _rows(table, "00_t", "Scores")[1:3] == [
        ["", "accuracy", "balanced accuracy"],
        ["value", "95 % interval", "value", "95 % interval"],
    ]


def test_printed_values_stand_beside_ours():
    table = pd.DataFrame({"loss printed": [0.1], "loss": [0.2], "loss low": [np.nan], "loss high": [np.nan]}, ["M"])
    assert _rows(table, "00_t", "Title")[-2:] == [["paper", "here", "95 % interval"], ["M", "0.100", "0.200", "–"]]


def test_a_long_table_is_cut_and_says_so_and_an_empty_one_says_that():
    long = pd.DataFrame({"x": range(9)})
    assert _rows(long, "00_t", "Title", rows=2)[-1] == ["The first 2 of 9 rows; 00_t.csv holds all."]
    assert tables.draw(pd.DataFrame(), "00_t", "Title · data") == "<p><b>Title</b>: no result yet.</p>"
