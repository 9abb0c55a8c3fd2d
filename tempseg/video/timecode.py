"""Points in time as users write them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from tempseg.errors import SourceError
from tempseg.types import ROUNDED_S

__all__ = ["first_tick", "parse_time"]

_SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")
_CLOCK_FRAMES = re.compile(r"(\d+):(\d{1,2}):(\d{1,2}):(\d+)")
_LONGEST_TEXT = 40
_LATEST_S = 100_000_000
"""Three years; FFmpeg's clocks hold no more than 64 bits."""
_ACCEPTED = "seconds (12.5), MM:SS, HH:MM:SS(.fff) or HH:MM:SS:FF"


def parse_time(value: str | float, *, frame_rate: Fraction, name: str = "time") -> Fraction:
    """Return a point in time in seconds, exactly as it is written.

    Parameters
    ----------
    value : str or float
        Seconds (`12.5`), `MM:SS`, `HH:MM:SS(.fff)`, or `HH:MM:SS:FF` with a frame number.
    frame_rate : Fraction
        Frames a second, for the form with a frame number.
    name : str
        What the value is, for the message.

    Raises
    ------
    SourceError
        When the value is in no accepted form, negative, or beyond any video.

    Examples
    --------
    >>> parse_time("01:02.5", frame_rate=Fraction(25))
    Fraction(125, 2)
    >>> parse_time("00:00:01:05", frame_rate=Fraction(25))
    Fraction(6, 5)
    """
    shown = str(value)
    if len(shown) > _LONGEST_TEXT or not shown.isascii():
        raise _wrong(name, f"{shown[:_LONGEST_TEXT]}…" if len(shown) > _LONGEST_TEXT else shown)
    seconds = _seconds(value, frame_rate=frame_rate, name=name)
    if seconds > _LATEST_S:
        raise SourceError(f"{name} is {value!r}; give a time within the video")
    return seconds


def first_tick(time_s: Fraction, time_base: Fraction) -> int:
    """Return the first tick at or after a time, or the one whose time, as written, it is.

    Examples
    --------
    >>> first_tick(Fraction("0.033367"), Fraction(1001, 30000))
    1
    """
    return math.ceil((time_s - ROUNDED_S) / time_base)


def _wrong(name: str, value: str | float) -> SourceError:
    return SourceError(f"{name} is {value!r}; give {_ACCEPTED}, not negative")


def _seconds(value: str | float, *, frame_rate: Fraction, name: str) -> Fraction:
    wrong = _wrong(name, value)
    if not isinstance(value, str):
        if not math.isfinite(value) or value < 0:
            raise wrong
        # By way of the text: 0.1 is meant as one tenth, not as the nearest binary number.
        return Fraction(str(value))
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return Fraction(text)
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), Fraction(clock[3])
        if seconds >= 60 or (clock[1] is not None and minutes >= 60):
            raise wrong
        return hours * 3600 + minutes * 60 + seconds
    if clock := _CLOCK_FRAMES.fullmatch(text):
        hours, minutes, whole, frame = (int(part) for part in clock.groups())
        if minutes >= 60 or whole >= 60:
            raise wrong
        if frame >= frame_rate:
            raise SourceError(
                f"{name} is {value!r}; at {float(frame_rate):g} frames a second "
                f"the frame number must be below {math.ceil(frame_rate)}"
            )
        return hours * 3600 + minutes * 60 + whole + frame / frame_rate
    raise wrong
