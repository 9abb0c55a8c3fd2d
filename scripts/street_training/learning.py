"""One step of learning, and the running mean of the weights that is kept."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from street_training.material import CLASS_COUNT, VOID
from street_training.network import Widths, street_network

__all__ = ["Learner", "LearningSettings", "class_weights"]


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """What a step does.

    Parameters
    ----------
    weight_decay : float
        Of AdamW, times the rate.
    overlap : float
        Weight of the loss of overlap, one less the mean Dice coefficient of the classes.
    early : float
        Weight of the second answer's cross entropy.
    averaging : float
        Share of the running mean of the weights that a step keeps, once there were many.
    mixed : bool
        Multiply in bfloat16.
    """

    weight_decay: float = 0.03
    overlap: float = 0.5
    early: float = 0.3
    averaging: float = 0.998
    mixed: bool = True


def class_weights(shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return weights that favour rare classes, with a mean of one over the pixels, shape (11,).

    ENet's 1 / ln(c + share) (Paszke et al. 2016, section 5.2), with c = 1.1 for its 1.02: five
    times between road and bicyclist, not fifteen.
    """
    weights = 1 / np.log(1.1 + shares)
    return (weights / max(1e-9, float((weights * shares).sum()))).astype(np.float32)


class Learner:
    """The network that learns, its optimizer, and the network of averaged weights.

    Parameters
    ----------
    shares : ndarray, shape (11,)
        Of the classes among the pixels to learn from.
    settings : LearningSettings
    height, width : int
    widths : Widths, optional
    seed : int
    """

    def __init__(
        self,
        shares: NDArray[np.float64],
        settings: LearningSettings,
        *,
        height: int = 360,
        width: int = 480,
        widths: Widths | None = None,
        seed: int = 0,
    ) -> None:
        keras.utils.set_random_seed(seed)
        self.averaged = street_network(height, width, widths=widths)
        keras.mixed_precision.set_global_policy("mixed_bfloat16" if settings.mixed else "float32")
        try:
            self.network = street_network(height, width, widths=widths, early_answer=True)
        finally:
            keras.mixed_precision.set_global_policy("float32")
        self.optimizer = keras.optimizers.AdamW(
            1e-3, weight_decay=settings.weight_decay, beta_2=0.99, clipnorm=5.0
        )
        self.optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self.optimizer.build(self.network.trainable_variables)
        self._settings = settings
        self._weights = tf.constant(class_weights(shares))
        learnt = {variable.path: variable for variable in self.network.variables}
        self._pairs = [(mean, learnt[mean.path]) for mean in self.averaged.variables]
        for mean, variable in self._pairs:
            mean.assign(variable)
        self._step = tf.function(self._learn)

    def step(
        self, images: NDArray[np.uint8], labels: NDArray[np.uint8], *, rate: float, number: int
    ) -> float:
        """Learn from a batch and return the loss."""
        self.optimizer.learning_rate.assign(rate)
        # The mean begins short, or it would remember the random start for a thousand steps.
        keep = min(self._settings.averaging, (1 + number) / (10 + number))
        return float(self._step(tf.constant(images), tf.constant(labels), tf.constant(keep)))

    def variables(self) -> list[keras.Variable]:
        """Return all that a checkpoint must hold, always in the same order."""
        return [*self.network.variables, *self.averaged.variables, *self.optimizer.variables]

    def _learn(self, images: tf.Tensor, labels: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            scores, early = self.network(tf.cast(images, tf.float32), training=True)
            loss = self._loss(scores, early, tf.cast(labels, tf.int32))
        gradients = tape.gradient(loss, self.network.trainable_variables)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        for mean, variable in self._pairs:
            mean.assign(mean * keep + tf.cast(variable, mean.dtype) * (1 - keep))
        return loss

    def _loss(self, scores: tf.Tensor, early: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        loss = self._entropy(scores, labels)
        # An eighth of the picture is a quarter of its halved labels.
        loss += self._settings.early * self._entropy(early, labels[:, 2::4, 2::4])
        known = labels != VOID
        truth = tf.one_hot(tf.where(known, labels, CLASS_COUNT), CLASS_COUNT)
        guess = tf.nn.softmax(scores) * tf.cast(known, tf.float32)[..., None]
        shared = tf.reduce_sum(guess * truth, (0, 1, 2))
        there = tf.reduce_sum(truth, (0, 1, 2))
        overlap = (2 * shared + 1) / (tf.reduce_sum(guess, (0, 1, 2)) + there + 1)
        present = tf.cast(there > 0, tf.float32)
        missed = tf.reduce_sum((1 - overlap) * present) / tf.maximum(1.0, tf.reduce_sum(present))
        return loss + self._settings.overlap * missed

    def _entropy(self, scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        known = labels != VOID
        safe = tf.where(known, labels, 0)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(safe, scores)
        weights = tf.gather(self._weights, safe) * tf.cast(known, tf.float32)
        return tf.reduce_sum(entropy * weights) / tf.maximum(1.0, tf.reduce_sum(weights))
