"""Single frames of the rendered street, made once and kept in a file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from street_training.material import MaterialError, Pictures
from tempseg.synthetic import street_scene

__all__ = ["rendered_pictures"]

WIDTH, HEIGHT = 640, 360


def rendered_pictures(
    cache: Path, *, seeds: range, frames_per_seed: int = 9, told: bool = True
) -> Pictures:
    """Return frames spread over both shots of the street, read from `cache` where they lie there.

    Parameters
    ----------
    cache : Path
        An .npz file; it is written where it is missing, which takes about a second a frame.
    seeds : range
        One street each: other textures, the same houses and the same traffic.
    frames_per_seed : int
        One is taken at random from each of as many equal parts of the clip.
    told : bool
        Print how far it is.
    """
    wanted = np.array([seeds.start, seeds.stop, seeds.step, frames_per_seed])
    if cache.is_file():
        try:
            with cache.open("rb") as file, np.load(file) as kept:
                if np.array_equal(kept["wanted"], wanted):
                    return Pictures(kept["images"], kept["labels"], tuple(kept["names"].tolist()))
        except (BadZipFile, EOFError, ValueError, KeyError) as error:
            raise MaterialError(f"{cache}: cannot be read ({error}); remove it") from error
    images, labels, names = [], [], []
    for seed in seeds:
        scene = street_scene(seed=seed, width=WIDTH, height=HEIGHT)
        rng = np.random.default_rng([seed, 7])
        starts = np.linspace(0, len(scene), frames_per_seed + 1)
        for start, stop in pairwise(starts):
            index = int(rng.uniform(start, stop))
            frame = scene.render(index)
            images.append(frame.image)
            labels.append(frame.labels)
            names.append(f"street-{seed}-{index:04}")
        if told:
            print(f"rendered seed {seed} ({len(images)} frames)", flush=True)
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_name(cache.name + ".part.npz")
    np.savez(part, images=images, labels=labels, names=names, wanted=wanted)
    part.replace(cache)
    return Pictures(np.array(images), np.array(labels), tuple(names))
