"""The record of a run: what was run, with what, and what it took."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from tempseg.class_sets import ClassSet
from tempseg.errors import OutputError, SourceError
from tempseg.types import SegmenterInfo, VideoInfo

__all__ = ["Totals", "amend_record", "read_class_set", "write_record"]

LIBRARIES = ("tempseg", "numpy", "numba", "opencv-contrib-python", "av", "ai-edge-litert")


@dataclass(frozen=True, slots=True)
class Totals:
    """A run in figures; `totals` of `run.json`.

    Parameters
    ----------
    frames, keyframes : int
    keyframe_share : float
        Keyframes of all frames, in [0, 1].
    reasons : mapping of reason to number of keyframes
    damaged : int
        Corrupt packets and frames: skipped, or as the decoder concealed them.
    duration_s : float
        From the first frame's time to the last's.
    wall_s : float
        From the first frame asked for to the last file completed.
    frames_per_s : float
    segmenter_s : float
        Spent in the segmenter.
    stage_s : mapping of stage to seconds
        Stages run side by side, so these can add up to more than `wall_s`.
    peak_memory_mb : float
        Of the whole process, model included.
    wait_s : mapping of stage to seconds
        How long what takes a stage's results has waited for them: what is waited for most holds
        the others up.
    """

    frames: int
    keyframes: int
    keyframe_share: float
    reasons: Mapping[str, int]
    damaged: int
    duration_s: float
    wall_s: float
    frames_per_s: float
    segmenter_s: float
    stage_s: Mapping[str, float]
    peak_memory_mb: float
    wait_s: Mapping[str, float] = field(default_factory=dict)


def write_record(
    path: Path,
    totals: Totals,
    *,
    video: VideoInfo,
    segmenter: SegmenterInfo,
    config: Mapping[str, object],
    command: Sequence[str],
) -> None:
    """Write `run.json`.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    classes = segmenter.class_set
    record = {
        "versions": {
            "python": platform.python_version(),
            "platform": f"{sys.platform}-{platform.machine()}",
            **{name: version(name) for name in LIBRARIES},
        },
        "command": list(command),
        "source": {
            "name": video.name,
            "width": video.width,
            "height": video.height,
            "time_base": str(video.time_base),
            "frame_rate": str(video.frame_rate),
            "start_s": video.start_s,
            "end_s": video.end_s,
        },
        "model": {
            "name": segmenter.name,
            "runtime": segmenter.runtime,
            "sha256": segmenter.sha256,
            "assumptions": list(segmenter.assumptions),
        },
        "classes": {
            "set": classes.name,
            "names": list(classes.names),
            "palette": [list(colour) for colour in classes.colours],
            "background": sorted(classes.background),
            "void": (1 << segmenter.label_bits) - 1,
        },
        "config": config,
        "totals": asdict(totals),
    }
    try:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def amend_record(path: Path, **parts: object) -> None:
    """Add parts to a finished run's `run.json`, or replace them; it is whole at any moment.

    Raises
    ------
    OutputError
        When the file cannot be read or written.
    """
    unfinished = path.with_name(path.name + ".partial")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(record | parts, indent=2, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise OutputError(f"{path}: cannot be added to ({error})") from error


def read_class_set(folder: Path) -> ClassSet:
    """Return the classes that a finished run's record holds.

    Raises
    ------
    SourceError
        When the folder holds no finished run.
    """
    path = folder / "run.json"
    try:
        classes = json.loads(path.read_text(encoding="utf-8"))["classes"]
        return ClassSet(
            str(classes["set"]),
            tuple(str(name) for name in classes["names"]),
            tuple((int(r), int(g), int(b)) for r, g, b in classes["palette"]),
            frozenset(int(label) for label in classes["background"]),
        )
    except OSError as error:
        raise SourceError(
            f"{folder}: holds no finished run (no readable run.json); give the folder that "
            "`tempseg run --out` made"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: is no record of a run ({error})") from error
