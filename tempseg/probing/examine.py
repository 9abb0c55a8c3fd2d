"""The examination: what a model declares, how it behaves, how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tempseg.build import segmenter_options
from tempseg.config import load_config, sidecar_path
from tempseg.errors import ConfigError, ModelError
from tempseg.probing.answering import probe_answering
from tempseg.probing.answers import (
    answer_facts,
    class_guess,
    class_value,
    labels_inside,
    output_guess,
)
from tempseg.probing.behaviour import Watcher, ranked
from tempseg.probing.candidates import Candidate, candidates_for, habit_of
from tempseg.probing.interface import chosen_output, chosen_size, rows
from tempseg.probing.pictures import Pictures, pictures_of, rendered_pictures
from tempseg.probing.preprocessing import preprocessing_guesses
from tempseg.probing.results import Guess, Probe, View
from tempseg.probing.timing import thread_counts, time_apart
from tempseg.segmenter_block import segmenter_block
from tempseg.segmenters import (
    Interface,
    NetworkSegmenter,
    SegmenterOptions,
    model_interface,
    open_segmenter,
)
from tempseg.segmenters.answers import AnswerDecoder
from tempseg.segmenters.detectors import refuse_detector
from tempseg.segmenters.network import available_threads, hashed
from tempseg.segmenters.options import choose_classes
from tempseg.zoo import ZooEntry, entry_for, entry_of_bytes, resolve_model

__all__ = ["probe"]

_PREPROCESSING = ("mean", "scale", "colour_order")
_ORDER = (
    "input_size",
    "colour_order",
    "mean",
    "scale",
    "resize",
    "output",
    "output_name",
    "signature",
    "threshold",
    "classes",
    "runtime",
)


def probe(
    model: str | Path,
    *,
    image: str | Path | None = None,
    settings: Mapping[str, object] | Sequence[str] = (),
    threads: Sequence[int] | None = None,
    known: bool = True,
    say: Callable[[str], None] | None = None,
) -> Probe:
    """Find out what a model expects, and how long it takes.

    Parameters
    ----------
    model : str or Path
        Whatever `run` takes. What stands in a file beside it is not looked at.
    image : str or Path, optional
        A picture of what the model was made for, or a video or folder of which up to three frames
        are taken. Without one the model is watched on rendered streets, from which less can be
        concluded.
    settings : mapping, or sequence of 'KEY=VALUE'
        Keys such as `segmenter.output` that are known; they are not guessed.
    threads : sequence of int, optional
        Numbers of threads to time; by default 1, 2, 4, … up to the CPUs. With none at all the
        model is first run in this process, which it may end.
    known : bool
        Whether a file that the table of well-known models holds is taken for what the table says.
    say : callable, optional
        Is told what is being done.

    Raises
    ------
    ConfigError
        When a setting is wrong.
    SourceError
        When `image` cannot be read.
    ModelError
        When the model cannot be loaded, is no segmenter of pictures, or fails.
    """
    name = str(model)
    tell = say or (lambda _: None)
    config = load_config(overrides=settings)
    given = {
        key.removeprefix("segmenter."): value
        for key, value in config.set_keys().items()
        if key.startswith("segmenter.")
    }
    if "model" in given:
        raise ConfigError("config: segmenter.model: the model to probe is named otherwise")
    entry = entry_for(name)
    path = resolve_model(name)
    source = "--set"
    if entry is not None:
        source = f"the table of models, as {entry.name}"
    elif known and "runtime" not in given:
        entry = _entry_of_file(path)
        if entry is not None:
            source = f"byte for byte {entry.name} of the table of models"
    if entry is not None:
        # What the table leaves out is at its default.
        given = {"colour_order": SegmenterOptions().colour_order, **entry.segmenter, **given}
        keys = {f"segmenter.{key}": value for key, value in given.items()}
        config = load_config(overrides=keys)
    options = replace(
        segmenter_options(config.segmenter),
        tiles=None,
        flip=False,
        scales=(1.0,),
        timeout_s=None,
    )
    tell("reading the model")
    try:
        interface = model_interface(path, options)
        if interface is None:
            return probe_answering(name, path, options, given=given, image=image, tell=tell)
        pictures = rendered_pictures() if image is None else pictures_of(image)
        return _Examination(
            name,
            path,
            options,
            interface=interface,
            given=given,
            source=source,
            pictures=pictures,
            tell=tell,
        ).probe(threads)
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror}") from error


def _entry_of_file(path: str) -> ZooEntry | None:
    try:
        file = Path(path)
        return entry_of_bytes(hashed(file, [file])) if file.is_file() else None
    except (OSError, ValueError):
        # What opens it says what is wrong with it.
        return None


class _Examination:
    """Of one network."""

    def __init__(
        self,
        name: str,
        path: str,
        options: SegmenterOptions,
        *,
        interface: Interface,
        given: Mapping[str, object],
        source: str,
        pictures: Pictures,
        tell: Callable[[str], None],
    ) -> None:
        self._name = name
        self._path = path
        self._given = given
        self._source = source
        self._pictures = pictures
        self._tell = tell
        self._guesses: list[Guess] = []
        self._remarks: dict[str, str] = {}
        self._interface = interface
        refuse_detector(name, interface.outputs, options.output_name)
        self._options, guess = chosen_output(interface, options)
        self._note(guess, "output_name")
        frame = pictures.images[0].shape
        self._options, guess = chosen_size(
            path, interface, self._options, frame_size=(frame[0], frame[1])
        )
        self._note(guess, "input_size")

    def probe(self, threads: Sequence[int] | None) -> Probe:
        """Return everything."""
        counts = thread_counts(available_threads()) if threads is None else tuple(threads)
        self._tell("timing its first frames")
        # First, and apart: a model that ends its process ends no other.
        timings = list(time_apart(self._path, self._options, threads=counts[:1]))
        segmenter = self._opened()
        candidates = self._candidates(segmenter)
        self._tell("reading its answers")
        facts = answer_facts(
            segmenter, candidates, options=self._options, image=self._pictures.images[0]
        )
        kind, guess = output_guess(facts)
        if "output" in self._given:
            guess = Guess("output", str(self._given["output"]), "given", (self._source,))
        else:
            self._options = replace(self._options, output=kind)
        self._note(guess, "output")
        inside = labels_inside(self._path)
        channels = segmenter.output.channels
        ids = self._options.output == "argmax"
        if self._options.classes == "auto" and inside and channels in (None, len(inside)):
            self._options = replace(self._options, classes=inside)
        choice = choose_classes(self._options, path=self._path, channels=channels)
        if "classes" in self._given:
            told = f"{choice.class_set.name}, {len(choice.class_set.names)} classes"
            guess = Guess("classes", told, "given", (self._source,))
        else:
            guess = class_guess(choice, facts, ids=ids, inside=inside)
        self._note(guess, "classes")
        decoder = AnswerDecoder(
            self._name,
            choice.class_set,
            output=self._options.output,
            threshold=self._options.threshold,
            step=segmenter.output.step,
        )
        watcher = Watcher(
            segmenter,
            decoder,
            options=self._options,
            class_count=max(len(choice.class_set.names), 2),
        )
        watched = []
        for place, candidate in enumerate(candidates):
            self._tell(f"watching it under {candidate.words} ({place + 1} of {len(candidates)})")
            watched.append(watcher.watch(candidate, self._pictures.images))
        habit = habit_of(self._path)
        scores = ranked(watched, habit=None if habit is None else habit[1])
        best = scores[0].candidate
        decided = preprocessing_guesses(
            scores,
            port=segmenter.port,
            given={key: self._given[key] for key in _PREPROCESSING if key in self._given},
            source=self._source,
            pictures=self._pictures,
            habit=habit,
        )
        for guess, key in decided:
            self._note(guess, key)
        self._options = best.applied(self._options)
        picture = self._pictures.images[0]
        views = tuple(
            View(score.candidate, picture, watcher.labels(score.candidate, picture))
            for score in scores
            if not score.problem
        )
        for more in counts[1:]:
            self._tell(f"timing with {more} threads")
            timings += time_apart(self._path, self._options, threads=(more,))
        keys = self._block_keys(class_value(choice.class_set))
        inputs, outputs = rows(self._interface, self._options)
        return Probe(
            self._name,
            segmenter.info.runtime,
            inputs,
            outputs,
            tuple(self._guesses),
            scores if len(candidates) > 1 else (),
            tuple(timings),
            choice.class_set,
            keys,
            segmenter_block(keys, self._remarks),
            sidecar_path(self._name),
            self._pictures.words,
            views,
        )

    def _opened(self) -> NetworkSegmenter:
        segmenter = open_segmenter(self._path, self._options)
        assert isinstance(segmenter, NetworkSegmenter)
        return segmenter

    def _candidates(self, segmenter: NetworkSegmenter) -> tuple[Candidate, ...]:
        options = self._options
        port = segmenter.port
        found = candidates_for(port.dtype, port.quantisation)
        if "mean" in self._given or "scale" in self._given:
            found = tuple(
                Candidate("as given", order, options.mean, options.scale)
                for order in ("rgb", "bgr")
            )
        if "colour_order" in self._given:
            found = tuple(one for one in found if one.colour_order == options.colour_order)
        return found

    def _note(self, guess: Guess | None, key: str) -> None:
        if guess is None:
            return
        self._guesses.append(guess)
        if guess.confidence == "undecided":
            runner_up = f"; else {guess.runner_up}" if guess.runner_up else ""
            self._remarks[key] = f"undecided{runner_up}"

    def _keys(self) -> dict[str, object]:
        """Return the keys that are known so far."""
        keys = dict(self._given)
        if self._options.output_name is not None:
            keys["output_name"] = self._options.output_name
        if self._options.input_size is not None:
            keys["input_size"] = list(self._options.input_size)
        return keys

    def _block_keys(self, classes: str | list[str] | None) -> dict[str, object]:
        options = self._options
        keys = self._keys()
        keys["output"] = options.output
        keys["colour_order"] = options.colour_order
        for key, value in (("mean", options.mean), ("scale", options.scale)):
            if value is not None:
                keys[key] = list(value) if isinstance(value, tuple) else float(value)
        if classes is not None:
            keys["classes"] = classes
        return {
            key: keys[key] for key in (*_ORDER, *sorted(keys.keys() - set(_ORDER))) if key in keys
        }
