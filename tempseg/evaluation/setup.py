"""From what the user named to what is compared: opened, matched and checked."""

from __future__ import annotations

import glob
import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tempseg.errors import ConfigError, SourceError
from tempseg.evaluation.alignment import Alignment, align, source_numbers
from tempseg.evaluation.classes import Classes, IdReader, agree_on_classes
from tempseg.evaluation.inputs import LabelSequence, open_labels
from tempseg.evaluation.mapping import load_mapping
from tempseg.evaluation.plan import Plan, compat_named
from tempseg.protocols import FrameSource
from tempseg.video import image_files, open_source

__all__ = ["Compared", "Named", "Request", "Track", "set_up"]

Named = str | Path


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; see `evaluate`."""

    prediction: Named
    truth: Named | None = None
    video: Named | None = None
    reference: Named | None = None
    classes: int | str | Sequence[str] | None = None
    void: int | None = None
    mapping: Named | None = None
    truth_mapping: Named | None = None
    every: int | None = None
    offset: int = 0
    objects: bool = False
    things: str | Sequence[str | int] | None = None
    cuts: Named | None = None
    warp_video: Named | None = None
    compat: str | None = None
    max_frames: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A label sequence, laid beside the frames.

    Parameters
    ----------
    sequence : LabelSequence
    reader : IdReader
        Turns its ids into classes.
    alignment : Alignment
        Which of its maps belong to which frames.
    """

    sequence: LabelSequence
    reader: IdReader
    alignment: Alignment


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Everything that is compared.

    Parameters
    ----------
    frames : int
        Frames that are scored.
    prediction : Track
    truth, reference : Track or None
    plan : Plan
    void : int
        The id in files that stands for none.
    video, warp_video : FrameSource or None
        Open; whoever plays them closes them.
    cuts : frozenset of int
        Frames that are known to begin a new shot.
    true_cuts : tuple of int or None
        The cuts that the user says there are.
    no_video : str
        Why there is no video to judge motion by; empty where there is.
    """

    frames: int
    prediction: Track
    truth: Track | None
    reference: Track | None
    plan: Plan
    void: int
    video: FrameSource | None
    warp_video: FrameSource | None
    cuts: frozenset[int]
    true_cuts: tuple[int, ...] | None
    no_video: str

    @property
    def keyframes(self) -> frozenset[int] | None:
        """The run's keyframes; none where the prediction is no run."""
        run = self.prediction.sequence.run
        return None if run is None else frozenset(run.keyframes)


def set_up(request: Request) -> Compared:
    """Open, match and check all that the request names.

    Raises
    ------
    SourceError
        When something cannot be read, or does not belong together.
    ConfigError
        When an option, or a file it names, is wrong.
    """
    prediction = open_labels(request.prediction)
    truth = None if request.truth is None else open_labels(request.truth)
    reference = None if request.reference is None else open_labels(request.reference)
    for other in (truth, reference):
        if other is not None:
            _check_size(prediction, other)
    mapping = None if request.mapping is None else load_mapping(request.mapping)
    truth_mapping = None if request.truth_mapping is None else load_mapping(request.truth_mapping)
    classes = agree_on_classes(
        prediction,
        truth,
        reference,
        asked=request.classes,
        mapping=mapping,
        truth_mapping=truth_mapping,
    )
    if request.objects and classes.count < 2:
        raise ConfigError("--objects: needs ids above 0, but there is one class; say --classes")
    frames = _frame_count(prediction, request.max_frames)
    names = _frame_names(prediction, request.video)

    def before(sequence: LabelSequence) -> int:
        return _frames_before(sequence, request.video if sequence is prediction else None)

    def track(sequence: LabelSequence, *, is_truth: bool) -> Track:
        every = request.every if is_truth or len(sequence) != len(prediction) else None
        offset = request.offset if is_truth or len(sequence) != len(prediction) else 0
        matched = align(
            prediction, sequence, names=names, every=every, offset=offset, before=before
        )
        chosen, option = (truth_mapping, "--map-truth") if is_truth else (mapping, "--map")
        reader = IdReader(sequence, classes, void=request.void, mapping=chosen, option=option)
        return Track(sequence, reader, _cut_off(matched, frames, sequence))

    true_cuts = None
    if request.cuts is not None:
        true_cuts = _places_of(_read_cuts(Path(request.cuts)), prediction, before)
    own = Alignment(tuple(range(frames)), tuple(range(frames)), "order")
    own_reader = IdReader(prediction, classes, void=request.void, mapping=mapping)
    truth_track = None if truth is None else track(truth, is_truth=True)
    reference_track = None if reference is None else track(reference, is_truth=False)
    with ExitStack() as opened:
        video, no_video = _open_video(prediction, request.video)
        if video is not None:
            opened.callback(video.close)
            _check_picture(video, prediction)
        warp_video = None
        if request.warp_video is not None:
            if video is None:
                raise ConfigError("--warp-error needs --video: its flow judges")
            warp_video = open_source(str(request.warp_video))
            opened.callback(warp_video.close)
            _check_picture(warp_video, prediction)
        compared = Compared(
            frames=frames,
            prediction=Track(prediction, own_reader, own),
            truth=truth_track,
            reference=reference_track,
            plan=Plan(
                classes,
                compat=compat_named(request.compat, classes),
                truth=truth is not None,
                motion=video is not None,
                objects=request.objects,
                things=_things(request.things, classes),
            ),
            void=classes.void if request.void is None else request.void,
            video=video,
            warp_video=warp_video,
            cuts=_cuts(prediction, truth_track, true_cuts),
            true_cuts=true_cuts,
            no_video=no_video,
        )
        opened.pop_all()
    return compared


def _check_size(prediction: LabelSequence, other: LabelSequence) -> None:
    if other.size != prediction.size:
        (height, width), (own_height, own_width) = other.size, prediction.size
        raise SourceError(
            f"{other.name}: its label maps are {width}×{height}, those of {prediction.name} "
            f"{own_width}×{own_height}; bring them to one size"
        )


def _check_picture(video: FrameSource, prediction: LabelSequence) -> None:
    height, width = prediction.size
    if (video.info.width, video.info.height) != (width, height):
        raise SourceError(
            f"{video.info.name}: is {video.info.width}×{video.info.height}, the label maps of "
            f"{prediction.name} are {width}×{height}; give the video that they belong to"
        )


def _frame_count(prediction: LabelSequence, most: int | None) -> int:
    if most is not None and most < 1:
        raise ConfigError(f"--max-frames {most}: expected at least 1")
    return len(prediction) if most is None else min(most, len(prediction))


def _cut_off(matched: Alignment, frames: int, sequence: LabelSequence) -> Alignment:
    """Return the part of an alignment that lies in the frames that are scored."""
    kept = sum(frame < frames for frame in matched.frames)
    if kept == 0:
        raise SourceError(
            f"{sequence.name}: none of its label maps belongs to the first {frames} frames; "
            "raise --max-frames"
        )
    return Alignment(matched.frames[:kept], matched.places[:kept], matched.rule)


def _frame_names(prediction: LabelSequence, video: Named | None) -> tuple[str, ...] | None:
    """Return the file names of the frames, where the video is images."""
    run = prediction.run
    source = video if video is not None or run is None else run.source
    if source is None or not _is_there(source) or Path(source).is_file():
        return None
    images = image_files(str(source))
    if run is not None and run.start_s is not None:
        images = images[_open_part(prediction, str(source)).count_before() :]
    numbers = range(len(prediction)) if run is None else run.numbers
    return tuple(Path(images[n]).stem for n in numbers) if numbers[-1] < len(images) else None


def _frames_before(sequence: LabelSequence, video: Named | None) -> int:
    """Return how many frames of its source lie before a run's part."""
    run = sequence.run
    if run is None or run.start_s is None:
        return 0
    source = run.source if video is None else str(video)
    if not _is_there(source):
        raise SourceError(
            f"{sequence.name}: begins at {run.start_s:g} s of {source}, which is not there to "
            "count the frames before; say --every N and --offset N"
        )
    part = _open_part(sequence, source)
    try:
        return part.count_before()
    finally:
        part.close()


def _is_there(source: Named) -> bool:
    try:
        return Path(source).exists() or bool(glob.glob(str(source)))
    except (OSError, ValueError):
        # No path can have such a name.
        return False


def _open_part(prediction: LabelSequence, source: str) -> FrameSource:
    """Open a video, and of it the part that a run's label maps belong to."""
    run = prediction.run
    if run is None:
        return open_source(source)
    return open_source(source, start=run.start_s, end=run.end_s, frame_rate=run.frame_rate)


def _open_video(prediction: LabelSequence, video: Named | None) -> tuple[FrameSource | None, str]:
    """Return what the flow is judged on, or why there is nothing."""
    if video is not None:
        return _open_part(prediction, str(video)), ""
    if prediction.run is None:
        return None, "needs --video"
    source = prediction.run.source
    if not _is_there(source):
        return None, f"needs --video: the run's source {source} is not there"
    return _open_part(prediction, source), ""


def _cuts(
    prediction: LabelSequence, truth: Track | None, true_cuts: tuple[int, ...] | None
) -> frozenset[int]:
    known = set(prediction.cuts) | set(true_cuts or ())
    if truth is not None and truth.alignment.rule == "order":
        known |= truth.sequence.cuts
    return frozenset(known)


def _places_of(
    cuts: Sequence[int],
    prediction: LabelSequence,
    before: Callable[[LabelSequence], int],
) -> tuple[int, ...]:
    """Return where frames of the source that begin a shot lie among a run's label maps.

    Whatever comes first begins a shot, but is no cut. A frame that could not be read cuts at the
    next.
    """
    try:
        numbers = None if prediction.run is None else source_numbers(prediction, before)
    except SourceError as error:
        raise ConfigError(
            f"--cuts: counts frames of the source, of which {prediction.name} is a part, and the "
            "source is not there to count those before; give it with --video"
        ) from error
    if numbers is None:
        return tuple(cut for cut in cuts if cut > 0)
    places = {bisect_left(numbers, cut) for cut in cuts if cut > numbers[0]}
    return tuple(sorted(place for place in places if place < len(numbers)))


def _read_cuts(path: Path) -> tuple[int, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: no readable file of cuts ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: holds no cuts, as it is no text ({error})") from error
    try:
        found = json.loads(text) if path.suffix == ".json" else text.split()
        cuts = found["cuts"] if isinstance(found, dict) else found
        if isinstance(cuts, str) or any(isinstance(cut, bool) for cut in cuts):
            raise ValueError(f"{cuts!r} is no list of frame numbers")
        numbers = sorted({int(cut) for cut in cuts})
        if any(isinstance(cut, float) and not cut.is_integer() for cut in cuts):
            raise ValueError(f"{cuts!r} are no whole numbers")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{path}: holds no cuts; give frame numbers that begin a shot, a line each, or JSON"
        ) from error
    if numbers and numbers[0] < 0:
        raise ConfigError(f"{path}: holds cut {numbers[0]}, expected frame numbers from 0 on")
    return tuple(numbers)


def _things(asked: str | Sequence[str | int] | None, classes: Classes) -> frozenset[int]:
    if asked is None:
        return frozenset()
    names = classes.class_set.names
    found = set()
    for entry in asked.split(",") if isinstance(asked, str) else asked:
        name = str(entry).strip()
        if name in names:
            found.add(names.index(name))
        elif name.isdecimal() and int(name) < classes.count:
            found.add(int(name))
        else:
            told = f"there are {', '.join(names)}"
            if classes.class_set.name == "generic":
                told = (
                    f"classes have no names here; give ids up to {classes.count - 1}, or --classes"
                )
            raise ConfigError(f"--things {name}: no such class; {told}")
    return frozenset(found)
