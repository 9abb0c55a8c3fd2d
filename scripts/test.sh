#!/usr/bin/env bash
# Everything that keeps main green: format, lint, types, layers, tests.
# Makes .venv with what is needed if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

"$BIN/ruff" format --check .
"$BIN/ruff" check .
"$BIN/mypy"
"$BIN/lint-imports"
"$BIN/python" -m pytest "$@"
