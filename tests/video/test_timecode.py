from __future__ import annotations

from fractions import Fraction

import pytest

from tempseg.errors import SourceError
from tempseg.video.timecode import parse_time


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3, Fraction(3)),
        (0.1, Fraction(1, 10)),
        ("12.5", Fraction(25, 2)),
        ("1:05", Fraction(65)),
        ("90:00", Fraction(5400)),
        ("01:00:01.250", Fraction(14405, 4)),
        ("00:00:02:12", Fraction(2) + Fraction(12, 25)),
    ],
)
def test_accepted_forms_are_read_exactly(value, seconds):
    assert parse_time(value, frame_rate=Fraction(25)) == seconds


@pytest.mark.parametrize(
    "value", ["", "abc", "-1", -1, float("nan"), float("inf"), "1:60", "1:60:00", "1:2:3:4:5"]
)
def test_other_forms_name_the_accepted_ones(value):
    with pytest.raises(SourceError, match="HH:MM:SS"):
        parse_time(value, frame_rate=Fraction(25))


def test_frame_number_must_be_below_the_rate():
    with pytest.raises(SourceError, match="below 25"):
        parse_time("00:00:00:25", frame_rate=Fraction(25))


@pytest.mark.parametrize(
    "value",
    ["1e308", "9" * 30, "9" * 5000, 1e308, 10**400, "9999999999:00:00", "٣", "1" * 41],
    ids=lambda value: str(value)[:12] if not isinstance(value, int) else "large int",
)
def test_times_beyond_any_video_are_refused(value):
    with pytest.raises(SourceError, match="start is"):
        parse_time(value, frame_rate=Fraction(25), name="start")
