"""Prints what ``pyproject.toml`` asks for and this Python lacks; exit status 1 if anything.

Run as a file by ``lib/environment.sh``, before the project is known to be installed: so it uses
nothing but the standard library and, if it is there, packaging.
"""

import os
import sys
import tomllib
from importlib import metadata
from pathlib import Path


def missing() -> list[str]:
    """Requirements of the project, its tests and its backend that are not installed, or in another version."""
    from packaging.requirements import Requirement

    content = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = content["optional-dependencies"]
    wanted = content["dependencies"] + extras["test"] + extras[os.environ.get("KERAS_BACKEND") or "tensorflow"]
    return [line for line in wanted if not _is_installed(Requirement(line))]


def _is_installed(requirement) -> bool:
    # The CPU build of TensorFlow is the same package for this purpose.
    names = [requirement.name] + (["tensorflow-cpu"] if requirement.name == "tensorflow" else [])
    installed = [one.version for name in names for one in metadata.distributions(name=name)]
    return bool(installed) and requirement.specifier.contains(installed[0], prereleases=True)


if __name__ == "__main__":
    try:
        lacking = missing()
    except ImportError:
        lacking = ["packaging"]
    print(" ".join(lacking))
    sys.exit(bool(lacking))
