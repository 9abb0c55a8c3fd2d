#!/usr/bin/env bash
# Renders a street scene with exact truth, segments it with few keyframes, shows what came out.
# Makes .venv with what is needed if it is not there. Results: out/demo, or the folder given.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

out=${1:-out/demo}
rm -rf "$out/scene"
mkdir -p "$out"

echo "Rendering a street scene into $out/scene (half a minute)"
"$BIN/tempseg" synth "$out/scene"

echo "Segmenting it: the exact labels stand in for the model, asked on keyframes only"
"$BIN/tempseg" run "$out/scene/video.mp4" --model "masks:$out/scene/labels" \
    --out "$out/run" --overwrite --set segmenter.classes=camvid

echo "Scoring it against the exact labels"
"$BIN/tempseg" eval "$out/run" --truth "$out/scene/labels"
echo "Open $out/run/report.html, or watch $out/run/overlay.mp4"
