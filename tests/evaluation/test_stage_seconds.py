"""What the stages of an evaluation take."""

from __future__ import annotations

from tempseg.evaluation.stage_seconds import StageSeconds


def test_drawing_is_timed_by_stage():
    seconds = StageSeconds(("one", "two"))
    assert list(seconds.timed("one", iter("ab"))) == ["a", "b"]
    assert seconds.totals["one"] > 0
    assert seconds.totals["two"] == 0
