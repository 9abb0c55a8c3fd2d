"""Thumbnails of moments."""

from __future__ import annotations

import base64
import io
from collections import Counter

import av
import numpy as np
import pytest
from PIL import Image

from tempseg.report.pictures import LabelChange, picture_moments
from tempseg.report.records import read_run
from tempseg.video import read_label_video
from tests.report.conftest import BLINK, CLASSES


def _pixels(uri):
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_pictures_show_the_frames_before_and_at(finished):
    run = read_run(finished)
    with av.open(str(run.overlay)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for moment in picture_moments(run, [30, 3]):
        for uri, place in ((moment.before, moment.place - 1), (moment.at, moment.place)):
            errors = [np.abs(_pixels(uri) - picture).mean() for picture in shown]
            assert int(np.argmin(errors)) == place


def test_changed_pixels_stand_out_and_no_others(finished):
    run = read_run(finished)
    maps = [labels for _, labels in read_label_video(str(run.masks))]
    (moment,) = picture_moments(run, [BLINK])
    picture = _pixels(moment.changed)
    marked = (picture[..., 0] - picture[..., 1]) > 120
    changed = maps[BLINK] != maps[BLINK - 1]
    assert changed.any()
    assert np.mean(marked == changed) > 0.97


def test_changes_name_the_classes_and_their_share(finished):
    run = read_run(finished)
    maps = [labels for _, labels in read_label_video(str(run.masks))]
    (moment,) = picture_moments(run, [20])
    pairs = Counter(zip(maps[19].ravel().tolist(), maps[20].ravel().tolist(), strict=True))
    expected = [
        LabelChange(CLASSES[before], CLASSES[after], pytest.approx(count / maps[20].size))
        for (before, after), count in pairs.most_common()
        if before != after
    ]
    assert expected
    assert list(moment.changes) == expected[:3]


def test_pictures_without_an_overlay_are_the_palettes_colours(copied):
    (copied / "overlay.mp4").unlink()
    run = read_run(copied)
    (moment,) = picture_moments(run, [20])
    np.testing.assert_allclose(_pixels(moment.at)[85, 80], run.classes.colours[2], atol=12)
