"""Everything is in pyproject.toml; this only refuses an installation that would lack the repository."""

import sys

if "bdist_wheel" in sys.argv:
    sys.exit("error: lib reads files of the repository, so install it in place: pip install -e '.[tensorflow]'")

from setuptools import setup

setup()
