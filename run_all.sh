#!/usr/bin/env bash
# Runs every notebook headless, in order, resumably: ./run_all.sh [smoke|lite|full] [--help]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. lib/environment.sh
exec "$PYTHON" -m lib.pipeline.driver "$@"
