#!/usr/bin/env bash
# The README's test command: lint, unit tests, canaries, a smoke run of every notebook against the golden ones,
# and a replay of what is published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. lib/environment.sh

"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m pytest tests/unit tests/canaries "$@"
"$PYTHON" -m lib.pipeline.driver smoke
"$PYTHON" -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/golden/sanitize.cfg tests/golden
"$PYTHON" -m pytest tests/replay
