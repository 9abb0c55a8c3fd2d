"""From a model's output tensor to a prediction, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from tempseg.class_sets import ClassSet
from tempseg.errors import ModelError
from tempseg.types import VOID_8, VOID_16, FloatArray, LabelArray, Placement, Prediction

__all__ = ["AnswerDecoder", "OutputKind", "dequantised", "sum_tolerance"]

OutputKind = Literal["auto", "argmax", "logits", "probabilities", "sigmoid"]

# While logits stay within ±40 there is no need to look for each pixel's own maximum: exp and the
# sums stay in range, and no score falls under e^-80, where float32 becomes denormal and slow.
_SAFE_EXPONENT = 40.0
_BLOCK = 4096
_TOLERANCE = 1e-3
_OF_CHANNELS = "return answer.argmax(axis=2), or floats"


@dataclass(frozen=True, slots=True)
class _Reading:
    """How answers are read: as ids, or as values that may still need an activation."""

    kind: Literal["ids", "exclusive", "independent"]
    activated: bool = True
    assumption: str = ""


class AnswerDecoder:
    """Turns one model's answers into predictions.

    What an answer is gets decided once, on the first one, and holds for all others.

    Parameters
    ----------
    model : str
        Named in errors.
    class_set : ClassSet
    output : str
        `argmax`: ids; `logits`: softmax is applied (the logistic function, where there is one
        channel); `probabilities`: as they are; `sigmoid`: a probability a class of its own,
        normalised over the classes; `auto`: by type and values of the first answer.
    threshold : float
        One channel p becomes scores (1 - p', p'), with p' stretched so that `threshold` falls on
        one half.
    step : float
        Of the values, where they were quantised; 0 where they were not.
    """

    def __init__(
        self,
        model: str,
        class_set: ClassSet,
        *,
        output: OutputKind = "auto",
        threshold: float = 0.5,
        step: float = 0.0,
    ) -> None:
        self._model = model
        self._class_count = len(class_set.names)
        self._class_set = class_set
        self._output = output
        self._threshold = threshold
        self._step = step
        self._reading: _Reading | None = None
        self._shape: tuple[int, ...] | None = None
        self._wide = self._class_count > VOID_8

    @property
    def label_bits(self) -> int:
        """8, or 16 where ids can pass 254."""
        return 16 if self._wide else 8

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the first answer was taken for, where config did not say."""
        if self._reading is None or not self._reading.assumption:
            return ()
        return (self._reading.assumption,)

    @property
    def output_kind(self) -> OutputKind:
        """How answers are read, as config would say it; `auto` before the first."""
        reading = self._reading
        if reading is None:
            return self._output
        if reading.kind == "ids":
            return "argmax"
        if reading.activated:
            return "probabilities"
        # One channel has no other classes to share with: its logits are a foreground's.
        many = self._shape is not None and len(self._shape) == 3
        return "sigmoid" if reading.kind == "independent" and many else "logits"

    def decode(self, answer: NDArray[Any], *, placement: Placement, frame_index: int) -> Prediction:
        """Return the prediction that an output tensor holds, sharing no memory with it.

        Parameters
        ----------
        answer : ndarray, shape ([1,] h, w[, C]), any number type
        placement : Placement
            Where the (h, w) grid lies on the frame.
        frame_index : int
            Named in errors.

        Raises
        ------
        ModelError
            When rank, size, ids or values are not what they should be.
        """
        return self.thresholded(
            self.unthresholded(answer, placement=placement, frame_index=frame_index)
        )

    def thresholded(self, prediction: Prediction) -> Prediction:
        """Return what `unthresholded` gave, stretched where it was one channel."""
        scores = prediction.scores
        if self._threshold == 0.5 or scores is None or self._shape is None or len(self._shape) > 2:
            return prediction
        foreground = scores[..., 1]
        below = foreground * np.float32(0.5 / self._threshold)
        above = 1 - (1 - foreground) * np.float32(0.5 / (1 - self._threshold))
        stretched = np.where(foreground < self._threshold, below, above)
        return replace(prediction, scores=_with_background(stretched))

    def unthresholded(
        self, answer: NDArray[Any], *, placement: Placement, frame_index: int
    ) -> Prediction:
        """Return what `decode` does, with one channel's own probabilities."""
        grid = self._grid(answer, frame_index)
        if self._shape is None:
            self._shape = grid.shape
        elif grid.shape != self._shape:
            self._refuse(frame_index, f"an answer of {grid.shape}", f"{self._shape} as before")
        reading = self._reading
        if reading is None:
            reading = self._read(grid, frame_index)
        if reading.kind == "ids":
            prediction = Prediction(placement, labels=self._ids(grid, frame_index))
        else:
            values = np.ascontiguousarray(grid, dtype=np.float32)
            if values.ndim == 2:
                scores = self._one_channel(values, reading, frame_index)
            else:
                scores = self._many_channels(values, reading, frame_index)
            prediction = Prediction(placement, scores=scores)
        # Kept only now: a first answer that was refused decides nothing.
        self._reading = reading
        return prediction

    def _grid(self, answer: NDArray[Any], frame_index: int) -> NDArray[Any]:
        grid = answer
        if grid.ndim in (3, 4) and grid.shape[0] == 1:
            grid = grid[0]
        if grid.ndim == 3 and grid.shape[2] == 1:
            grid = grid[..., 0]
        if grid.ndim not in (2, 3) or grid.size == 0:
            self._refuse(
                frame_index, f"an answer of shape {answer.shape}", "(1, h, w, C) or (1, h, w)"
            )
        return grid

    def _read(self, grid: NDArray[Any], frame_index: int) -> _Reading:
        integer = grid.dtype.kind in "iub"
        if self._output == "argmax" or (integer and self._output == "auto"):
            if grid.ndim != 2:
                self._refuse(
                    frame_index,
                    f"{grid.shape[2]} channels of {grid.dtype}",
                    "one id a pixel",
                    _OF_CHANNELS if integer else "set segmenter.output",
                )
            return _Reading("ids")
        if integer:
            self._refuse(
                frame_index,
                f"integers ({grid.dtype})",
                f"{self._output} in floating point",
                "set segmenter.output = 'argmax'" if grid.ndim == 2 else _OF_CHANNELS,
            )
        one_channel = grid.ndim == 2
        if not one_channel and grid.shape[2] > self._class_count:
            self._refuse(
                frame_index,
                f"{grid.shape[2]} channels",
                f"at most the {self._class_count} classes of {self._class_set.name}",
                "set segmenter.classes",
            )
        reading = self._read_values(grid)
        if one_channel and reading.kind != "ids" and self._class_count < 2:
            self._refuse(
                frame_index,
                "one channel, which tells 2 classes apart",
                f"at most the {self._class_count} classes of {self._class_set.name}",
                "set segmenter.classes, the background first",
            )
        return reading

    def _read_values(self, grid: NDArray[Any]) -> _Reading:
        one_channel = grid.ndim == 2
        if self._output == "logits":
            return _Reading("independent" if one_channel else "exclusive", activated=False)
        if self._output == "probabilities":
            return _Reading("independent" if one_channel else "exclusive")
        low, high = _extent(grid)
        within = low >= -_TOLERANCE and high <= 1 + _TOLERANCE
        if self._output == "sigmoid":
            taken = "probabilities already" if within else "logits, put through a sigmoid"
            return _Reading("independent", within, self._assumed(low, high, taken))
        return self._guess(grid, low=low, high=high, within=within)

    def _guess(self, grid: NDArray[Any], *, low: float, high: float, within: bool) -> _Reading:
        if grid.ndim == 2:
            if high > 1 and low >= 0 and bool((grid == np.rint(grid)).all()):
                return _Reading("ids", assumption=self._assumed(low, high, "ids"))
            taken = "foreground probabilities" if within else "foreground logits"
            return _Reading("independent", within, self._assumed(low, high, taken))
        if not within:
            return _Reading("exclusive", False, self._assumed(low, high, "logits"))
        if np.abs(grid.sum(axis=2) - 1).max() <= sum_tolerance(grid.shape[2], self._step):
            return _Reading("exclusive", True, self._assumed(low, high, "probabilities"))
        taken = "a probability of its own for each class"
        return _Reading("independent", True, self._assumed(low, high, taken))

    def _assumed(self, low: float, high: float, taken: str) -> str:
        return (
            f"output: values from {low:.4g} to {high:.4g} in the first answer taken as {taken}; "
            "set segmenter.output if that is wrong"
        )

    def _ids(self, grid: NDArray[Any], frame_index: int) -> LabelArray:
        if grid.dtype.kind == "b":
            grid = grid.view(np.uint8)
        void = VOID_16 if self._wide else VOID_8
        low, high = grid.min(), grid.max()
        if not (low >= 0 and high < self._class_count):
            stray = ~((grid >= 0) & (grid < self._class_count)) & (grid != void)
            if stray.any():
                self._refuse(
                    frame_index,
                    f"id {grid[stray].flat[0]}",
                    f"0 to {self._class_count - 1} of {self._class_set.name}, or {void} for void",
                    "set segmenter.classes",
                )
        if grid.dtype.kind == "f" and not (grid == np.rint(grid)).all():
            self._refuse(
                frame_index,
                "fractions",
                "ids",
                "set segmenter.output to logits, probabilities or sigmoid",
            )
        if self._wide:
            return grid.astype(np.uint16, order="C")
        return grid.astype(np.uint8, order="C")

    def _one_channel(self, values: FloatArray, reading: _Reading, frame_index: int) -> FloatArray:
        low, high = _extent(values)
        self._check_range(low, high, reading, frame_index)
        foreground = np.clip(values, 0, 1) if reading.activated else _logistic(values)
        return _with_background(foreground)

    def _many_channels(self, values: FloatArray, reading: _Reading, frame_index: int) -> FloatArray:
        if reading.kind == "exclusive" and not reading.activated:
            return self._softmax(values, frame_index)
        low, high = _extent(values)
        self._check_range(low, high, reading, frame_index)
        scores = np.clip(values, 0, 1) if reading.activated else _logistic(values)
        sums = scores @ np.ones((values.shape[2], 1), np.float32)
        if np.abs(sums - 1).max() > _TOLERANCE:
            silent = sums == 0
            if silent.any():
                scores[silent[..., 0]] = 1
                sums[silent] = values.shape[2]
            scores /= sums
        return scores

    def _check_range(self, low: float, high: float, reading: _Reading, frame_index: int) -> None:
        if not (np.isfinite(low) and np.isfinite(high)):
            self._refuse_values(frame_index)
        if reading.activated and not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
            self._refuse(
                frame_index,
                f"values from {low:.4g} to {high:.4g}",
                "probabilities from 0 to 1",
                "set segmenter.output",
            )

    def _softmax(self, logits: FloatArray, frame_index: int) -> FloatArray:
        scores = np.empty_like(logits)
        count = logits.shape[2]
        source, target = logits.reshape(-1, count), scores.reshape(-1, count)
        ones = np.ones((count, 1), np.float32)
        low, high = _extent(logits)
        # Not-a-number fails every comparison, so it takes the careful way and is found there.
        plain = low >= -_SAFE_EXPONENT and high <= _SAFE_EXPONENT
        for start in range(0, len(source), _BLOCK):
            part, out = source[start : start + _BLOCK], target[start : start + _BLOCK]
            if plain:
                cv2.exp(part, out)
            else:
                if not np.isfinite(part).all():
                    self._refuse_values(frame_index)
                np.subtract(part, cv2.reduce(part, 1, cv2.REDUCE_MAX), out=out)
                np.maximum(out, -2 * _SAFE_EXPONENT, out=out)
                cv2.exp(out, out)
            sums = out @ ones
            np.reciprocal(sums, out=sums)
            np.multiply(out, sums, out=out)
        return scores

    def _refuse_values(self, frame_index: int) -> NoReturn:
        self._refuse(
            frame_index,
            "values that are not finite",
            "numbers",
            "check segmenter.mean and segmenter.scale, and the model's export",
        )

    def _refuse(self, frame_index: int, actual: str, expected: str, fix: str = "") -> NoReturn:
        hint = f"; {fix}" if fix else ""
        raise ModelError(
            f"{self._model}: frame {frame_index}: got {actual}, expected {expected}{hint}"
        )


def sum_tolerance(channels: int, step: float = 0.0) -> float:
    """Return how far from one the sum of probabilities may be.

    Parameters
    ----------
    channels : int
    step : float
        Of quantised values, each of which is off by half of it at most; 0 for floats.
    """
    return _TOLERANCE + channels * step / 2


def dequantised(answer: NDArray[Any], step: float, zero: int) -> FloatArray:
    """Return the real values of a quantised tensor: (answer - zero) * step."""
    real = answer.astype(np.float32)
    np.subtract(real, np.float32(zero), out=real)
    np.multiply(real, np.float32(step), out=real)
    return real


def _with_background(foreground: FloatArray) -> FloatArray:
    """Return the scores (h, w, 2) of what is not the foreground, and of what is."""
    scores = np.empty((*foreground.shape, 2), np.float32)
    scores[..., 1] = foreground
    np.subtract(1, foreground, out=scores[..., 0])
    return scores


def _logistic(logits: FloatArray) -> FloatArray:
    values = np.clip(logits, -_SAFE_EXPONENT, _SAFE_EXPONENT)
    np.negative(values, out=values)
    # Two axes: OpenCV takes a third for channels and allows few of them.
    flat = values.reshape(-1, values.shape[-1])
    cv2.exp(flat, flat)
    np.add(values, 1, out=values)
    np.reciprocal(values, out=values)
    return values


def _extent(values: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest value; both not-a-number where any value is."""
    return float(values.min()), float(values.max())
