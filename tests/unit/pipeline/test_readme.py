"""The README: its commands exist, and its findings are the published ones.

``python tests/unit/pipeline/test_readme.py`` writes the findings anew, after results were published.
"""

import re

import pandas as pd

from lib import predict
from lib.core import config, paths
from lib.pipeline import driver, evidence, publication

FILE = paths.ROOT / "README.md"
README = FILE.read_text(encoding="utf-8")
FINDINGS = re.compile(r"(?<=test_readme.py -->\n).*?(?=<!-- end)", re.DOTALL)


def _published(notebook, name):
    return pd.read_csv(publication.FIGURES / notebook / f"{name}.csv", index_col=0)


def findings():
    """Three findings in a sentence or two, from published tables."""
    first = _published("09_results", "09_endpoints").loc["P1"]
    claim = _published("09_results", "09_paper_a")["printed"].iloc[0]
    leak = _published("07_leakage", "07_leak").iloc[0]
    counts = _published("06_nas", "06_parameter_counts")["verdict"].value_counts()
    verdicts = _published("09_results", "09_verdicts")["both"]
    return (
        f"1. **Does the predicted mask help?** It changes the accuracy by {100 * first.here:+.1f} percentage points "
        f"(95 % interval {100 * first['95 % low']:+.1f} to {100 * first['95 % high']:+.1f}); the paper prints "
        f"{100 * claim:+.1f}. Verdict: {first.verdict}.\n"
        f"2. **Is the printed accuracy that of new patients?** With the paper's split rule {leak.share:.1%} of the "
        f"test images (95 % range {leak['from']:.1%} to {leak['to']:.1%}) have a related image in training; with "
        f"grouped folds none has.\n"
        f"3. **Do printed numbers agree with each other?** Of paper B's parameter counts {counts['match']} are met to "
        f"the digit, {counts['explained']} by another reading of the paper and {counts['open']} by none; in all "
        f"{verdicts['contradicted by arithmetic']} claims are contradicted by arithmetic.\n"
    )


def test_readme_tells_the_published_findings():
    assert FINDINGS.search(README)[0] == findings(), "python tests/unit/pipeline/test_readme.py writes them anew"


def test_readme_lists_the_notebooks_that_there_are():
    there = sorted(path.stem for path in (paths.ROOT / "notebooks").glob("[0-9]*.py"))
    assert re.findall(r"^\| `(\d\d_\w+)` \|", README, re.MULTILINE) == there


def test_readme_names_commands_and_options_that_there_are():
    commands = re.findall(r"^\./run_all\.sh(?: (\w+))?", README, re.MULTILINE)
    assert {name or "smoke" for name in commands} <= {*config.names(), "evidence"}
    helps = [module._parser().format_help() for module in (driver, evidence, predict)]
    known = re.findall(r"--[a-z]+", " ".join(helps))
    named = re.findall(r"(?:run_all|`)[^`\n]*?(--[a-z]+)", re.sub(r"pip install[^`]*", "", README))
    assert len(named) >= 5
    assert [option for option in named if option not in known] == []


if __name__ == "__main__":
    FILE.write_text(FINDINGS.sub(lambda _: findings(), README), encoding="utf-8")
