import numpy as np
import pandas as pd
import pytest

from lib.core import words


def test_a_span_names_its_ends_and_leaves_out_what_is_missing():
    assert words.span(pd.Series({"a": 0.7, "b": np.nan, "c": 0.25})) == "0.250 (c) to 0.700 (a)"
    assert words.span(pd.Series({"a": 0.7}), ".1%") == "70.0 % (a)"
    assert words.span(pd.Series(dtype=float)) == words.NO_RESULT


def test_a_list_keeps_the_order_and_joins_levels():
    values = pd.Series({("test", "benign"): 3, ("test", "normal"): 1})
    assert words.listed(values, "d") == "test · benign 3, test · normal 1"
    assert words.listed(pd.Series([None], dtype=float)) == words.NO_RESULT


def test_an_interval_is_read_from_its_columns():
    row = pd.Series({"95 % low": -0.0312, "95 % high": 0.0704, "accuracy low": 0.5, "accuracy high": 0.6})
    assert words.interval(row, "+.3f") == "95 % interval −0.031 to +0.070"
    assert words.interval(row, of="accuracy ") == "95 % interval 0.500 to 0.600"


@pytest.mark.parametrize(
    ("name", "plain"),
    [("learning_rate", "learning rate"), ("f1 normal", "F1 normal"), ("M_0", "M_0"), ("01_counts", "01_counts")],
)
def test_names_are_spelt_as_the_report_spells_them(name, plain):
    assert words.spelt(name) == plain
