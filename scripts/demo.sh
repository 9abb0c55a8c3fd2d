#!/usr/bin/env bash
# Runs the embedded model on the embedded clip, with few keyframes and on every frame, and scores
# both against the exact truth. Makes .venv with what is needed if it is not there. Results:
# out/demo, or the folder given; what else is given goes to `tempseg demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

out=out/demo
if [[ $# -gt 0 && $1 != -* ]]; then
    out=$1
    shift
fi
exec "$BIN/tempseg" demo --out "$out" --overwrite "$@"
