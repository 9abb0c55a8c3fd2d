"""When the model runs on every frame because that is cheaper than carrying its answer."""

from __future__ import annotations

import logging

import pytest

from tempseg.config import load_config
from tempseg.planning import guard, guarded
from tempseg.planning.rehearsal import Rehearsal


@pytest.fixture
def asked(street, monkeypatch):
    """Tell what a guard makes of a stretch that took so long, and which stretches it asked for."""

    def asked(*, segmenter_s, carrying_s, frames=46, keyframes=10, warm_s=None, compile_s=0.0):
        stretches = []

        def rehearse(source, segmenter, config, stretch, *, part_s):
            source.close()
            stretches.append((stretch, part_s))
            cold = warm_s is not None and len(stretches) == 1
            model_s = warm_s if cold else segmenter_s
            here_s = compile_s if len(stretches) == 2 else 0.0
            took_s = (9.0 + here_s, model_s, carrying_s + here_s)
            return Rehearsal(frames, keyframes, *took_s, 1, 1, 1.0, here_s)

        monkeypatch.setattr(guard, "rehearse", rehearse)
        config = load_config(
            overrides={
                "segmenter.model": f"masks:{street / 'labels'}",
                "segmenter.classes": "camvid",
                "keyframe.policy": "interval",
                "keyframe.interval": 7,
            }
        )
        return config, guarded(str(street / "video.mp4"), config), stretches

    return asked


def test_a_call_that_is_cheaper_than_carrying_a_frame_puts_the_model_on_every_frame(asked):
    # 95 ms a call, and 100 ms for each of the 36 frames between.
    given, found, _ = asked(segmenter_s=0.95, carrying_s=3.6)
    assert found.set_keys() == given.set_keys() | {"keyframe.policy": "every"}


@pytest.mark.parametrize("segmenter_s", [1.0, 1.05])
def test_a_call_that_takes_as_long_as_carrying_or_longer_changes_nothing(asked, segmenter_s):
    given, found, _ = asked(segmenter_s=segmenter_s, carrying_s=3.6)
    assert found is given


@pytest.mark.parametrize("keyframes", [0, 46])
def test_a_stretch_with_nothing_to_compare_changes_nothing(asked, keyframes):
    given, found, _ = asked(segmenter_s=0.0, carrying_s=3.6, keyframes=keyframes)
    assert found is given


def test_the_time_of_the_second_stretch_counts_and_not_that_of_the_first(asked):
    given, found, stretches = asked(segmenter_s=1.5, carrying_s=3.6, warm_s=0.1)
    assert found is given
    assert [len(stretch) for stretch, _ in stretches] == [24, 96]
    assert {part for _, part in stretches} == {(0.0, 96 / 25)}


def test_what_was_compiled_in_the_second_stretch_counts_for_nothing(asked):
    given, found, _ = asked(segmenter_s=1.5, carrying_s=3.6, compile_s=20.0)
    assert found is given


def test_what_the_clock_decided_is_told_with_both_times(asked, caplog):
    with caplog.at_level(logging.WARNING, "tempseg"):
        asked(segmenter_s=0.5, carrying_s=3.6)
    (record,) = caplog.records
    assert "a call takes 50.0 ms, carrying 100.0 ms a frame" in record.getMessage()
    assert "keyframe.guard" in record.getMessage()
