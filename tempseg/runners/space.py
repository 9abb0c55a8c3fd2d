"""The disk that a run takes."""

from __future__ import annotations

import shutil
from pathlib import Path

from tempseg.config import OutputConfig
from tempseg.errors import OutputError
from tempseg.types import VideoInfo

__all__ = ["check_space", "shortage_bytes", "told_bytes"]

# Bytes a pixel, by bits: 1.5 to 4 kB a 1280×720 map of large models, and 13 kB of a small one whose
# borders are ragged; three times that in 16 bits.
_MASKS = {8: 1500 / 921_600, 16: 4500 / 921_600}
# Bytes a pixel at CRF 20: 0.020 for a motorway, 0.078 for a fixed camera with its noise. Six steps
# of CRF halve it.
_OVERLAY = 0.02
_OVERLAY_CRF = 20
# Chunks and what they are joined into lie side by side until the run is finished.
_COPIES = 2
# Left over for records, tables and others.
_SPARE = 16 << 20


def check_space(
    folder: Path, video: VideoInfo, output: OutputConfig, *, label_bits: int, left: float = 1.0
) -> None:
    """Refuse a run that the disk will not hold, as far as can be told before.

    The estimate is low, so that no run is refused that would have fitted.

    Parameters
    ----------
    folder : Path
    video : VideoInfo
    output : OutputConfig
    label_bits : int
    left : float
        Share of the run that is still to be done.

    Raises
    ------
    OutputError
        Naming how much is missing.
    """
    if video.frame_count is None:
        return
    pixels = video.width * video.height * video.frame_count
    each = _MASKS[label_bits] * pixels
    if output.overlay:
        each += _OVERLAY * pixels * 2.0 ** ((_OVERLAY_CRF - output.crf) / 6)
    # What is done has its copy still to come.
    needed = int(each * (left + 1 if left < 1 else _COPIES)) + _SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder}: the run takes about {told_bytes(needed)}, and {told_bytes(free)} are free; "
            f"make room for about {told_bytes(needed - free)}, choose another --out or pass "
            "--no-overlay"
        )


def shortage_bytes(folder: Path, *, chunks_bytes: int, done: float) -> int:
    """Return about how much is missing, by what the finished share of a run has taken."""
    share = max(done, 0.01)
    needed = chunks_bytes / share * _COPIES
    joined = chunks_bytes
    free = shutil.disk_usage(folder).free
    return max(_SPARE, int(needed - chunks_bytes - joined - free))


def told_bytes(count: int) -> str:
    """Return a number of bytes as people say it.

    Examples
    --------
    >>> told_bytes(3_200_000_000)
    '3.2 GB'
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB"
