#!/usr/bin/env bash
# The README's test command: lint, spelling and types, unit tests, a replay of what is published, canaries, and a smoke
# run of every notebook, which nbval compares with the golden ones; then a smoke run that is killed twenty times.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. lib/environment.sh

"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m codespell_lib
"$PYTHON" -m mypy
"$PYTHON" -m pytest -n 2 --dist loadfile --replay tests/unit tests/canaries "$@"
"$PYTHON" -m lib.pipeline.driver smoke
"$PYTHON" -m pytest -n 2 --dist loadfile --nbval --nbval-current-env --nbval-sanitize-with tests/golden/sanitize.cfg tests/golden
"$PYTHON" -m tests.kill_runs --kills 20
