#!/usr/bin/env bash
# Everything that keeps main green: format, lint, types, layers, tests.
# Makes .venv with what is needed if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

"$BIN/ruff" format --check .
"$BIN/ruff" check .
"$BIN/mypy"
"$BIN/mypy" --config-file scripts/mypy.ini scripts
"$BIN/lint-imports"
# The kernels as plain Python too: what the compiler makes of them must not matter. Beside it they
# are compiled once, so that the two processes below do not both do so.
NUMBA_DISABLE_JIT=1 "$BIN/python" -m pytest --quiet -p no:cacheprovider tests/kernels &
plain=$!
trap 'kill "$plain" 2>/dev/null || true' EXIT
"$BIN/python" -m pytest --quiet -p no:cacheprovider tests/kernels
wait "$plain"
trap - EXIT
# Two at a time, each file as a whole: many tests wait for one thread of their own. A process that
# dies or a test that hangs ends it all at once, and by name.
"$BIN/python" -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0 "$@"
