"""Findings in words, their numbers taken from tables."""

import re
from collections.abc import Hashable

import pandas as pd

NO_RESULT = "no result yet"
# Words of the names of rows and columns as the report spells them.
_SPELLING = {"f1": "F1", "dice": "Dice", "iou": "IoU", "sd": "SD"}
_SPELLING |= {"n_layers": "layers", "keep": "kept epoch", "batch_norm": "batch normalisation"}
_SPELLING |= {"decoder_dropout": "dropout in the decoder", "multiply_adds": "multiply-adds"}


def number(value: float, form: str = ".3f") -> str:
    """A number with a true minus sign, none before a zero, and a space before the percent sign, as tables show it."""
    text = f"{value:{form}}"
    return (text if set(text) & set("123456789") else text.lstrip("-")).replace("-", "−").replace("%", " %")


def interval(row: pd.Series, form: str = ".3f", of: str = "95 % ") -> str:
    """The interval in a row of a table: ``95 % interval 0.512 to 0.684``, from the columns ``<of>low`` and ``high``."""
    return f"95 % interval {number(row[f'{of}low'], form)} to {number(row[f'{of}high'], form)}"


def p(value: float) -> str:
    """``p = 0.023`` or ``p < 0.001``, as tables show it."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def span(values: pd.Series, form: str = ".3f") -> str:
    """The least and the greatest value with their names: ``0.684 (VGG16) to 0.721 (Xception)``."""
    known = values.dropna().sort_values(kind="stable")
    ends = [f"{number(known.iloc[place], form)} ({label(known.index[place])})" for place in (0, -1) if len(known)]
    return " to ".join(dict.fromkeys(ends)) or NO_RESULT


def listed(values: pd.Series, form: str = ".3f") -> str:
    """All values with their names, in their order: ``VGG16 0.684, Xception 0.721``."""
    return ", ".join(f"{label(name)} {number(value, form)}" for name, value in values.dropna().items()) or NO_RESULT


def label(name: Hashable) -> str:
    """The name of a row, its levels joined."""
    return " · ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip()


def spelt(name: str) -> str:
    """The name of a row or column as the report spells it."""
    return re.sub(r"\b[a-z]\w+", lambda word: _SPELLING.get(word[0], word[0].replace("_", " ")), name)
