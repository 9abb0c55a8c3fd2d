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
# The kernels once as plain Python too: what the compiler makes of them must not matter.
NUMBA_DISABLE_JIT=1 "$BIN/python" -m pytest --quiet tests/kernels
# Two at a time, each file as a whole: many tests wait for one thread of their own. A process that
# dies or a test that hangs ends it all at once, and by name.
"$BIN/python" -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0 "$@"
