"""Agreement of a run's label maps with exact ones: what the demo prints at its end."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tempseg.label_images import list_images, read_label_image
from tempseg.video import read_label_video


def main() -> None:
    """Print mIoU and pixel accuracy by where the labels came from."""
    run, truth = Path(sys.argv[1]), list_images(sys.argv[2])
    with (run / "frames.csv").open() as table:
        origins = [row["origin"] for row in csv.DictReader(table)]
    matrices = {origin: np.zeros((256, 256), np.int64) for origin in ("all", *sorted(set(origins)))}
    labels = read_label_video(str(run / "masks.mkv"))
    for origin, path, (_, found) in zip(origins, truth, labels, strict=True):
        expected = read_label_image(path)
        counts = np.bincount(
            expected.ravel().astype(np.int64) * 256 + found.ravel(), minlength=65536
        )
        for key in ("all", origin):
            matrices[key] += counts.reshape(256, 256)
    table = Table(title="Against the exact labels")
    for heading in ("frames", "number", "mIoU", "pixel accuracy"):
        table.add_column(heading, justify="left" if heading == "frames" else "right")
    for origin, matrix in matrices.items():
        known = matrix[:255]
        hits = np.diag(known[:, :255])
        union = known.sum(axis=1) + known[:, :255].sum(axis=0) - hits
        number = len(origins) if origin == "all" else origins.count(origin)
        miou = (hits[union > 0] / union[union > 0]).mean()
        table.add_row(origin, str(number), f"{miou:.3f}", f"{hits.sum() / known.sum():.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
