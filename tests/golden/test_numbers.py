"""The numbers of the smoke run: nbval sees the shape of an output, this its values."""

import json
from pathlib import Path

import pytest

from lib.core import paths
from lib.pipeline import publication

# One thread or two, and another processor, change the last bits, which a few epochs on phantoms carry into the second
# decimal; of classes of few images one answer is more than that.  Counts and printed values are met exactly.
RELATIVE, ABSOLUTE = 0.1, 0.05
GOLDEN = sorted(Path(__file__).parent.glob("*.json"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_tables_have_the_numbers_of_the_golden_run(file):
    figures = paths.artifacts("smoke") / "figures" / file.stem
    if not figures.exists():
        pytest.skip("./run_all.sh smoke has made no tables")
    found, golden = publication.column_means(figures), json.loads(file.read_text())
    assert found.keys() == golden.keys()
    wrong = {name: (golden[name], means) for name, means in found.items() if not _near(means, golden[name])}
    assert not wrong


def _near(found: dict[str, float], golden: dict[str, float]) -> bool:
    return found == {name: pytest.approx(value, rel=RELATIVE, abs=ABSOLUTE) for name, value in golden.items()}
