"""Quantise a model: choose frames, convert, check against the original, keep what is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from numpy.typing import NDArray

from tempseg.build import build_segmenter, build_source
from tempseg.config import Config, load_config
from tempseg.errors import ConfigError, ModelError, OutputError
from tempseg.protocols import Segmenter, WorkObserver
from tempseg.quantisation.conversion import Converter
from tempseg.quantisation.files import file_names, staged
from tempseg.quantisation.results import Kind, ModelFigures, Quantisation, Refusal
from tempseg.quantisation.scoring import LEAST_TIMED, Agreement, compared
from tempseg.quantisation.selection import FrameChoice, choose_frames, picked
from tempseg.segmenter_block import segmenter_block
from tempseg.segmenters import KerasSegmenter, SavedModelSegmenter
from tempseg.segmenters.network import available_threads
from tempseg.types import Frame
from tempseg.zoo import resolve_model

__all__ = ["KINDS", "quantize_model"]

KINDS: tuple[Kind, ...] = get_args(Kind)

_Convertible = SavedModelSegmenter | KerasSegmenter
_KERAS = (".keras", ".h5", ".hdf5")


class _Unobserved:
    def begin(self, name: str, frames: int) -> None:
        pass

    def advance(self) -> None:
        pass


def quantize_model(
    config: Config,
    video: str,
    out: Path,
    *,
    kinds: Sequence[Kind] = ("float16", "int8"),
    frames: int = 32,
    held_out: int = 16,
    overwrite: bool = False,
    observer: WorkObserver | None = None,
) -> Quantisation:
    """Write a model as quantised LiteRT files, and say how they compare with it.

    Each file comes with a `NAME.toml` beside it, so that it runs without further keys. Files
    that fail, answer with no numbers or agree with the original by chance only are not kept.

    Parameters
    ----------
    config : Config
        With the model and what it expects.
    video : str
        Whose frames calibrate and compare: whatever a run takes.
    out : Path
        The folder of the files; made where it is not there.
    kinds : sequence of str
        Of `float16`, `int8`, `int8-weights`.
    frames, held_out : int
        How many frames to calibrate on, and how many others to compare on.
    overwrite : bool
        Whether to replace files of the same names.
    observer : WorkObserver, optional

    Raises
    ------
    ConfigError, SourceError, ModelError, OutputError
        When something is wrong with the request, or no file could be made.
    """
    if isinstance(kinds, str):
        raise TypeError(f"kinds is the string {kinds!r}, expected a list such as [{kinds!r}]")
    kinds = tuple(dict.fromkeys(kinds))
    name = _checked(config, kinds, frames=frames, held_out=held_out)
    if not overwrite:
        _check_absent(out, name, kinds)
    # What is wrong with folder, video or model is told before the video is read through.
    with staged(out) as folder:
        with closing(build_source(video, config)) as source:
            original = _convertible(config, name)
            watch = observer or _Unobserved()
            watch.begin(source.info.name, source.info.frame_count or 0)
            choice = choose_frames(
                source, calibrate=frames, hold_out=held_out, advance=watch.advance
            )
        tensors, shown = _read(video, config, choice, original)
        # What the first answer is taken for decides how the new files' answers are read.
        original.segment(shown[0])
        made, problems = _written(original, config, folder, name, kinds, tensors, watch)
        watch.begin("comparing", max(LEAST_TIMED, len(shown)))
        original_ms, found = compared(original, made, shown, advance=watch.advance)
        models = []
        for kind, agreement in found.items():
            if isinstance(agreement, ModelError) or agreement.by_chance:
                told = _problem(agreement).replace(str(folder), str(out))
                problems[kind] = f"{name}: {kind}: {told}; the file is not kept"
                continue
            path = _kept(folder, out, name=name, kind=kind)
            size, same = _size(path), agreement.pixel_agreement
            models.append(ModelFigures(kind, path, size, agreement.ms, same, agreement.miou))
        if not models:
            raise ModelError("; ".join(problems.values()))
    return Quantisation(
        ModelFigures("original", Path(name), _size(Path(resolve_model(name))), original_ms),
        tuple(models),
        tuple(Refusal(kind, problems[kind]) for kind in kinds if kind in problems),
        choice.calibration,
        choice.held_out,
        config.segmenter.threads or available_threads(),
        original.info.assumptions,
    )


def _checked(config: Config, kinds: Sequence[str], *, frames: int, held_out: int) -> str:
    """Return the model's name where the request makes sense."""
    wanted = config.segmenter
    if wanted.model is None:
        raise ConfigError("no model: give a SavedModel folder or a Keras file")
    strange = [kind for kind in kinds if kind not in KINDS]
    if strange or not kinds:
        told = f"no kind {strange[0]!r}" if strange else "no kind was asked for"
        raise ConfigError(f"{told}; accepted: {', '.join(KINDS)}")
    if frames < 1 or held_out < 1:
        raise ConfigError(
            f"frames is {frames} and held-out {held_out}, expected at least 1 of each"
        )
    if wanted.tiles is not None or wanted.flip or wanted.scales != [1.0]:
        raise ConfigError(
            "segmenter.tiles, segmenter.flip and segmenter.scales show a model parts of a frame; "
            "leave them out here and set them for the run"
        )
    name = wanted.model
    path = Path(name)
    if path.exists() and not (path.suffix.lower() in _KERAS or (path / "saved_model.pb").is_file()):
        raise ModelError(_not_convertible(name))
    return name


_UNLIMITED: dict[str, object] = {"segmenter.timeout_s": 0.0}


def _check_absent(out: Path, name: str, kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        for path in file_names(out, name, kind):
            if path.exists():
                raise OutputError(
                    f"{path}: exists already; pass --overwrite or choose another --out"
                )


def _convertible(config: Config, name: str) -> _Convertible:
    # What is inside the model is wanted, and no limit around it.
    segmenter = build_segmenter(load_config(overrides=config.set_keys() | _UNLIMITED))
    if not isinstance(segmenter, SavedModelSegmenter | KerasSegmenter):
        raise ModelError(_not_convertible(name))
    if segmenter.info.remembers:
        raise ModelError(
            f"{name}: takes its own previous mask, which frames that differ cannot give; "
            "run it as it is"
        )
    return segmenter


def _not_convertible(name: str) -> str:
    what = "is a LiteRT file already" if name.lower().endswith(".tflite") else "cannot be quantised"
    return (
        f"{name}: {what}; give the SavedModel folder or the Keras file (.keras, .h5) of the model"
    )


def _read(
    video: str, config: Config, choice: FrameChoice, original: _Convertible
) -> tuple[list[NDArray[Any]], list[Frame]]:
    """Return the calibration frames as the model sees them, and the held-out ones as they are."""
    calibration, shown = set(choice.calibration), set(choice.held_out)
    tensors, frames = [], []
    with closing(build_source(video, config)) as source:
        for frame in picked(source, calibration | shown):
            if frame.index in shown:
                frames.append(frame)
            else:
                tensors.append(original.tensor(frame.image))
    return tensors, frames


def _written(
    original: _Convertible,
    config: Config,
    folder: Path,
    name: str,
    kinds: Sequence[Kind],
    tensors: list[NDArray[Any]],
    watch: WorkObserver,
) -> tuple[dict[Kind, Segmenter], dict[Kind, str]]:
    """Write the files into a folder and open them; return those, and why others are missing."""
    made: dict[Kind, Segmenter] = {}
    problems: dict[Kind, str] = {}
    converter = Converter(original)
    for kind in kinds:
        watch.begin(f"{kind}: writing", len(tensors) if kind == "int8" else 0)
        names = file_names(folder, name, kind)
        try:
            made[kind] = _opened(
                converter.convert(kind, _told(tensors, watch)), names, original, config
            )
        except ModelError as error:
            problems[kind] = str(error)
    return made, problems


def _told(tensors: list[NDArray[Any]], watch: WorkObserver) -> Iterator[NDArray[Any]]:
    for tensor in tensors:
        yield tensor
        watch.advance()


def _opened(
    written: bytes, names: tuple[Path, Path], original: _Convertible, config: Config
) -> Segmenter:
    """Write a model and the file beside it, and return what a run would make of them."""
    file, sidecar = names
    file.write_bytes(written)
    # A path may hold line breaks, and a comment ends with its line.
    title = " ".join(f"{file.name}, made by tempseg quantize of {config.segmenter.model}".split())
    block = segmenter_block(_expected(original, config))
    sidecar.write_text(f"# {title}\n{block}", encoding="utf-8")
    keys = {"segmenter.model": str(file), "segmenter.threads": config.segmenter.threads}
    return build_segmenter(load_config(overrides=keys))


def _expected(original: _Convertible, config: Config) -> dict[str, object]:
    """Return what has to be known of a model to run its quantised files like itself."""
    seen = original.preprocessing
    keys: dict[str, object] = {"colour_order": seen.colour_order, "resize": seen.resize}
    keys |= {"mean": seen.mean} if seen.mean is not None else {}
    keys |= {"scale": seen.scale} if seen.scale is not None else {}
    keys |= {"output": original.output_kind, "threshold": config.segmenter.threshold}
    if config.segmenter.classes != "auto":
        keys["classes"] = config.segmenter.classes
    return keys


def _problem(agreement: Agreement | ModelError) -> str:
    """Return what is wrong with a file that is."""
    if isinstance(agreement, ModelError):
        return str(agreement)
    return (
        f"agrees with the original on {agreement.pixel_agreement:.0%} of the pixels, "
        "which chance would, too"
    )


def _kept(folder: Path, out: Path, *, name: str, kind: Kind) -> Path:
    """Move a model and the file beside it out of the folder; return the model's path."""
    model, sidecar = file_names(out, name, kind)
    # The model comes last: where it is, the file beside it is.
    for final in (sidecar, model):
        (folder / final.name).replace(final)
    return model


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
