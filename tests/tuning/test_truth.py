"""Every true label map meets its own frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

import tempseg
from tempseg import load_config
from tempseg.cli.app import app
from tempseg.errors import SourceError
from tempseg.label_images import write_label_image
from tempseg.tuning import TruthRequest, studies_of
from tempseg.tuning.scoring import score

from ..video.clips import HEIGHT, WIDTH, write_clip

FRAMES, SLOW, FIRST = 100, 30, 50
EVERY = {"keyframe.policy": "every"}


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """A clip that is slow at first, and labels of all of its frames and of those from 5 s on."""
    folder = tmp_path_factory.mktemp("truth")
    times = [100 * n if n < SLOW else 100 * SLOW + 100 * (n - SLOW) // 4 for n in range(FRAMES)]
    times = [t if n < FIRST else t + 5000 - times[FIRST] for n, t in enumerate(times)]
    write_clip(folder / "clip.mp4", times, time_base=Fraction(1, 1000))
    for name, first in (("labels", 0), ("part", FIRST)):
        (folder / name).mkdir()
        for index in range(first, FRAMES):
            # No two within a dozen frames are alike.
            labels = np.full((HEIGHT, WIDTH), index % 11, np.uint8)
            labels[:8] = index // 11
            write_label_image(folder / name / f"{index - first:03d}.png", labels)
    return folder


def config_of(folder, **keys):
    model = {"segmenter.model": f"masks:{folder / 'labels'}", "segmenter.classes": "camvid"}
    quiet = {"output.overlay": False, "output.report": False}
    return load_config(overrides=model | quiet | EVERY | keys)


def miou(folder, truth, cache, *, sample=0, **keys):
    """Return how the labels agree with a truth that is the same labels, and for how many frames."""
    config = config_of(folder, **keys)
    request = TruthRequest(truth)
    (study,) = studies_of(
        [str(folder / "clip.mp4")], config, cache=cache, sample=sample, truths=[request]
    )
    return score([study], config)[0].miou, len(study.truth.maps), len(study)


def test_truth_of_a_part_of_uneven_rate_is_matched_on_a_sample_too(uneven, tmp_path):
    video = tempseg.video.open_source(str(uneven / "clip.mp4"), start=5.0).info
    assert abs(video.frame_count - (FRAMES - FIRST)) > 5, "the estimate would do"
    part = {"source.start": 5.0}
    agreement, known, frames = miou(uneven, uneven / "part", tmp_path, sample=10, **part)
    assert agreement == 1.0
    assert known == frames < FRAMES - FIRST


@pytest.mark.parametrize("sample", [0, 5])
@pytest.mark.parametrize(
    ("part", "known"),
    [((0, 100), 25), ((5.0, 100), 25), ((5.125, 5.375), 10)],
    ids=["all", "same start", "within"],
)
def test_a_run_of_another_part_is_matched_by_time(uneven, tmp_path, part, known, sample):
    ends = dict(zip(("source.start", "source.end"), part, strict=True))
    tempseg.run(uneven / "clip.mp4", tmp_path / "run", config=config_of(uneven, **ends))
    wanted = {"source.start": 5.0, "source.end": 5.625}
    agreement, count, frames = miou(
        uneven, tmp_path / "run", tmp_path / "cache", sample=sample, **wanted
    )
    assert agreement == 1.0
    assert count == known if not sample else 0 < count <= min(known, frames)


def test_a_run_that_shares_no_frame_is_no_truth(uneven, tmp_path):
    early = config_of(uneven, **{"source.end": 1.0})
    tempseg.run(uneven / "clip.mp4", tmp_path / "run", config=early)
    with pytest.raises(SourceError, match="none of its label maps belongs"):
        miou(uneven, tmp_path / "run", tmp_path / "cache", **{"source.start": 5.0})


def test_the_command_tells_how_many_frames_have_a_truth(uneven, tmp_path):
    for place, file in enumerate(sorted((uneven / "labels").iterdir())):
        if place % 4 == 0:
            (tmp_path / "some").mkdir(exist_ok=True)
            (tmp_path / "some" / file.name).write_bytes(file.read_bytes())
    arguments = [uneven / "clip.mp4", "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    arguments += ["--model", f"masks:{uneven / 'labels'}", "--set", "segmenter.classes=camvid"]
    arguments += ["--end", 1.6, "--truth", tmp_path / "some", "--target", "share=100%"]
    arguments += ["--set", "keyframe.policy=every"]
    result = CliRunner().invoke(app, ["tune", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert "there is one for 4 of these frames" in result.output
