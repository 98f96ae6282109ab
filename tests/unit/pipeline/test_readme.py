import re

from lib.core import config, paths
from lib.pipeline import driver, evidence

README = (paths.ROOT / "README.md").read_text()


def test_readme_lists_the_notebooks_that_there_are():
    there = sorted(path.stem for path in (paths.ROOT / "notebooks").glob("[0-9]*.py"))
    assert re.findall(r"^\| `(\d\d_\w+)` \|", README, re.MULTILINE) == there


def test_readme_names_commands_and_options_that_there_are():
    commands = re.findall(r"^\./run_all\.sh(?: (\w+))?", README, re.MULTILINE)
    assert {name or "smoke" for name in commands} <= {*config.names(), "evidence"}
    known = re.findall(r"--[a-z]+", driver._parser().format_help() + evidence._parser().format_help())
    named = re.findall(r"(?:run_all|`)[^`\n]*?(--[a-z]+)", README)
    assert len(named) >= 5
    assert [option for option in named if option not in (*known, "--sync")] == []
