"""One pass over label maps: all figures of a prediction, and what stands beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack

from tempseg.errors import ConfigError
from tempseg.evaluation.panel import Panel
from tempseg.evaluation.playback import STAGES, play
from tempseg.evaluation.results import Evaluation
from tempseg.evaluation.setup import Named, Request, set_up
from tempseg.evaluation.stage_seconds import StageSeconds
from tempseg.metrics.judge import Judge
from tempseg.protocols import WorkObserver

__all__ = ["compare", "evaluate"]

JUDGES = 2
"""Judges that take pairs by turns: one alone waits for the slower direction of each pair."""


def evaluate(
    prediction: Named,
    *,
    truth: Named | None = None,
    video: Named | None = None,
    reference: Named | None = None,
    classes: int | str | Sequence[str] | None = None,
    void: int | None = None,
    mapping: Named | None = None,
    truth_mapping: Named | None = None,
    every: int | None = None,
    offset: int = 0,
    objects: bool = False,
    things: str | Sequence[str | int] | None = None,
    cuts: Named | None = None,
    warp_video: Named | None = None,
    compat: str | None = None,
    max_frames: int | None = None,
    observer: WorkObserver | None = None,
) -> Evaluation:
    """Return a label sequence in figures, beside the per-frame segmenter and the copied keyframe.

    Label maps are a run's folder, a `masks.mkv`, a folder of label images, or a folder that holds
    `labels` (and `ids`).

    Parameters
    ----------
    prediction : str or Path
        Label maps.
    truth : str or Path, optional
        Label maps of some frames or all. As many as there are frames go by order, others by
        `every`, else by equal file names or frame numbers. Numbers count from the source's first
        frame, also where a run is of a part of it; two runs of different parts go by time.
    video : str or Path, optional
        What the labels belong to, for what needs motion; by default a run's own source, where it
        still is.
    reference : str or Path, optional
        Label maps of the segmenter run on every frame; matched as the truth is.
    classes : int, str or sequence of str, optional
        How many classes, a well-known set's name, or their names; by default a run tells.
    void : int, optional
        The id in files that stands for none: 255 by default, 65535 with more classes. The highest
        of the files' bits always does, unless a mapping names it.
    mapping, truth_mapping : str or Path, optional
        Files that say which id of prediction and reference, or of the truth, is which class; see
        `load_mapping`.
    every, offset : int, optional
        Truth `i` belongs to frame `offset + i * every`.
    objects : bool
        Whether ids above 0 are objects, with a region and a contour of their own.
    things : str or sequence, optional
        The classes whose ids tell one from another, by name or id.
    cuts : str or Path, optional
        A file of the frames that truly begin a shot.
    warp_video : str or Path, optional
        An overlay or matte whose warping error is measured, by the flow of `video`.
    compat : {'semseg', 'vspw', 'etc', 'davis', 'coco'}, optional
        Count as published scripts do, where a metric knows that way.
    max_frames : int, optional
        Score the first so many frames only.
    observer : WorkObserver, optional
        Follows the progress.

    Raises
    ------
    SourceError
        When something cannot be read, or does not belong together.
    ConfigError
        When an option, or a file it names, is wrong.
    """
    request = Request(
        prediction=prediction,
        truth=truth,
        video=video,
        reference=reference,
        classes=classes,
        void=void,
        mapping=mapping,
        truth_mapping=truth_mapping,
        every=every,
        offset=offset,
        objects=objects,
        things=things,
        cuts=cuts,
        warp_video=warp_video,
        compat=compat,
        max_frames=max_frames,
    )
    return _evaluate(request, observer)


def compare(
    predictions: Sequence[Named],
    *,
    truth: Named | None = None,
    video: Named | None = None,
    reference: Named | None = None,
    classes: int | str | Sequence[str] | None = None,
    void: int | None = None,
    mapping: Named | None = None,
    truth_mapping: Named | None = None,
    every: int | None = None,
    offset: int = 0,
    objects: bool = False,
    things: str | Sequence[str | int] | None = None,
    cuts: Named | None = None,
    compat: str | None = None,
    max_frames: int | None = None,
    observer: WorkObserver | None = None,
) -> tuple[Evaluation, ...]:
    """Return several label sequences in figures, each evaluated alike.

    Parameters
    ----------
    predictions : sequence of str or Path
        Label maps, at least one.
    truth, video, reference, classes, void, mapping, truth_mapping
        As in `evaluate`, the same for all.
    every, offset, objects, things, cuts, compat, max_frames, observer
        As in `evaluate`.

    Raises
    ------
    SourceError, ConfigError
        As `evaluate` does; also where there are no predictions.
    """
    if isinstance(predictions, str | os.PathLike):
        raise TypeError(f"predictions is a {type(predictions).__name__}, expected a list of paths")
    if not predictions:
        raise ConfigError("compare: needs label maps; give runs or folders of label images")
    return tuple(
        evaluate(
            prediction,
            truth=truth,
            video=video,
            reference=reference,
            classes=classes,
            void=void,
            mapping=mapping,
            truth_mapping=truth_mapping,
            every=every,
            offset=offset,
            objects=objects,
            things=things,
            cuts=cuts,
            compat=compat,
            max_frames=max_frames,
            observer=observer,
        )
        for prediction in predictions
    )


def _evaluate(request: Request, observer: WorkObserver | None) -> Evaluation:
    compared = set_up(request)
    seconds = StageSeconds(STAGES)
    with ExitStack() as stack:
        for source in (compared.video, compared.warp_video):
            if source is not None:
                stack.callback(source.close)
        count = 0 if compared.video is None else JUDGES
        judges = [stack.enter_context(Judge()) for _ in range(count)]
        panel = Panel(compared)
        if observer is not None:
            observer.begin(compared.prediction.sequence.name, compared.frames)
        start = time.perf_counter()
        with play(compared, judges, seconds) as moments:
            for moment in moments:
                with seconds.measure("scores"):
                    panel.take(moment)
                if observer is not None:
                    observer.advance()
        return panel.evaluation(
            flow=judges[0].describe() if judges else None,
            stage_s=dict(seconds.totals),
            wall_s=time.perf_counter() - start,
        )
