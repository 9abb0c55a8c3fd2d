"""Batches by their number, made ahead by one thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread

import cv2
import numpy as np
from numpy.typing import NDArray

from street_training.augment import Augmentation, augmented
from street_training.material import Pictures

__all__ = ["Batch", "Mixture", "working_ahead"]

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# From the picture pressed to 4 : 3 as the model sees a wide film, to its own shape.
_WIDE = (-0.08, 0.30)


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Filmed and rendered pictures, changed and put together; batch n is always the same.

    Parameters
    ----------
    filmed : Pictures
    rendered : Pictures or None
    size : int
        Pictures a batch.
    rendered_share : float
        Of a batch, on average.
    seed : int
    height, width : int
        Of a batch's pictures.
    """

    filmed: Pictures
    rendered: Pictures | None
    size: int
    rendered_share: float
    seed: int
    height: int = 360
    width: int = 480
    _orders: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def steps_per_epoch(self) -> int:
        """Batches until each filmed picture was seen once, about."""
        share = self.rendered_share if self.rendered is not None else 0.0
        return max(1, round(len(self.filmed) / (self.size * (1 - share))))

    def batch(self, step: int) -> Batch:
        """Return images (N, H, W, 3) and labels (N, H/2, W/2), both uint8."""
        rng = np.random.default_rng([self.seed, 1, step])
        images, labels = [], []
        for place in range(self.size):
            wide = self.rendered is not None and rng.random() < self.rendered_share
            if wide and self.rendered is not None:
                source, index = self.rendered, int(rng.integers(len(self.rendered)))
            else:
                source, index = self.filmed, self._in_turn(step * self.size + place)
            how = Augmentation(self.height, self.width)
            if wide:
                how = Augmentation(self.height, self.width, aspect=_WIDE)
            image, truth = augmented(source.images[index], source.labels[index], how, rng)
            images.append(image)
            labels.append(truth)
        return np.stack(images), np.stack(labels)

    def _in_turn(self, count: int) -> int:
        """Return the filmed picture for the count-th place: each round in another order."""
        turn, place = divmod(count, len(self.filmed))
        if turn not in self._orders:
            self._orders.clear()
            order = np.random.default_rng([self.seed, 2, turn]).permutation(len(self.filmed))
            self._orders[turn] = order
        return int(self._orders[turn][place])


def working_ahead(mixture: Mixture, first: int, *, ahead: int = 6) -> Generator[Batch, None, None]:
    """Yield the batches from number `first` on, without end; close the iterator to stop."""
    made: Queue[Batch | BaseException] = Queue(ahead)
    stop = Event()

    def offer(what: Batch | BaseException) -> None:
        while not stop.is_set():
            try:
                made.put(what, timeout=0.1)
                return
            except Full:
                continue

    def work() -> None:
        step = first
        try:
            while not stop.is_set():
                offer(mixture.batch(step))
                step += 1
        except Exception as error:  # noqa: BLE001 - raised again where batches are taken
            offer(error)

    cv2.setNumThreads(1)
    thread = Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            try:
                taken = made.get(timeout=60)
            except Empty:
                raise TimeoutError("no batch was made for a minute") from None
            if isinstance(taken, BaseException):
                raise taken
            yield taken
    finally:
        stop.set()
        thread.join()
