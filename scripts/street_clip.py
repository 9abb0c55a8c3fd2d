"""Makes the embedded clip, assets/street.*: what `tempseg synth` renders, its labels as a video.

The same program gives the same bytes: scripts/street_clip.py [FOLDER], here assets/.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from tempseg.api import synthesise
from tempseg.label_images import read_label_image
from tempseg.video import LabelEncoder

ASSETS = Path(__file__).resolve().parents[1] / "assets"
RATE = Fraction(25)
MOST_BYTES = 4_000_000


def main() -> None:
    """Render the street and put it beside its truth."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS
    with tempfile.TemporaryDirectory() as place:
        scene = Path(place) / "street"
        count = synthesise(scene)
        images = sorted((scene / "labels").iterdir())
        height, width = read_label_image(images[0]).shape
        encoder = LabelEncoder(
            str(target / "street-labels.mkv"),
            width=width,
            height=height,
            time_base=1 / RATE,
            frame_rate=RATE,
        )
        for pts, image in enumerate(images):
            encoder.write(read_label_image(image), pts)
        encoder.close()
        shutil.copyfile(scene / "video.mp4", target / "street.mp4")
        shutil.copyfile(scene / "scene.json", target / "street.json")
    sizes = {path.name: path.stat().st_size for path in sorted(target.glob("street*"))}
    print(count, "frames:", ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items()))
    if sizes["street.mp4"] > MOST_BYTES:
        raise SystemExit(f"street.mp4 is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
