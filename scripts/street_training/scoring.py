"""How well a network names pixels: intersection over union, void left out."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from street_training.material import CLASS_COUNT, VOID, Pictures

__all__ = ["predicted", "scored"]


def predicted(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return class ids at the pictures' own size, which may differ from the network's.

    Parameters
    ----------
    network : keras.Model
    images : ndarray, shape (N, H, W, 3), uint8

    Returns
    -------
    labels : ndarray, shape (N, H, W), uint8
    """
    answer = _answering(network)
    return np.concatenate([answer(images[at : at + 4]).numpy() for at in range(0, len(images), 4)])


def scored(network: keras.Model, pictures: Pictures) -> NDArray[np.float64]:
    """Return the intersection over union of each class, shape (11,); nan where it is nowhere."""
    labels = predicted(network, pictures.images)
    known = pictures.labels != VOID
    pairs = pictures.labels[known].astype(np.int64) * CLASS_COUNT + labels[known]
    confusion = np.bincount(pairs, minlength=CLASS_COUNT**2).reshape(CLASS_COUNT, CLASS_COUNT)
    both = np.diag(confusion).astype(float)
    union = confusion.sum(0) + confusion.sum(1) - both
    return np.where(union > 0, both / np.maximum(union, 1), np.nan)


def _answering(network: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    known = getattr(network, "_answering", None)
    if known is not None:
        return known
    height, width = network.input_shape[1:3]

    @tf.function(reduce_retracing=True)
    def answer(images: tf.Tensor) -> tf.Tensor:
        size = tf.shape(images)[1:3]
        shown = tf.image.resize(tf.cast(images, tf.float32), (height, width))
        scores = network(shown, training=False)
        return tf.cast(tf.argmax(tf.image.resize(scores, size), -1), tf.uint8)

    network._answering = answer
    return answer
