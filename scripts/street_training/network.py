"""The network: few kinds of layers, all of them quick to train on a processor and quick to run.

Ordinary 3 × 3 convolutions do several times as many multiplications a second as depthwise ones, so
there is none of these. A stem goes down to a quarter of the picture's size at once; the body works
at an eighth and a sixteenth, where dilated convolutions and means over parts of the picture look
around; the head comes back to a quarter and gives four answers a place, which make a map of half
the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

__all__ = ["Widths", "folded", "street_network"]


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels at each depth.

    Parameters
    ----------
    half, quarter, eighth, sixteenth : int
        Channels of the features at that share of the picture's size.
    head : int
        Channels in which the depths are put together.
    eighth_blocks : int
        Residual blocks at an eighth.
    dilations : tuple of int
        One residual block at a sixteenth each.
    """

    half: int = 16
    quarter: int = 32
    eighth: int = 64
    sixteenth: int = 128
    head: int = 64
    eighth_blocks: int = 2
    dilations: tuple[int, ...] = (1, 2, 4)


def street_network(
    height: int = 360,
    width: int = 480,
    *,
    classes: int = 11,
    widths: Widths | None = None,
    early_answer: bool = False,
    normalised: bool = True,
    batch: int | None = None,
) -> keras.Model:
    """Return a model from RGB pictures, 0 to 255, to scores before softmax at half their size.

    Parameters
    ----------
    height, width : int
        Of the picture; even.
    classes : int
    widths : Widths, optional
    early_answer : bool
        Give a second answer, at an eighth, taken from the depths; it helps them to learn.
    normalised : bool
        With batch normalisation. Without it convolutions have a bias, which `folded` fills.
    batch : int, optional
        Fixed number of pictures; any by default.
    """
    wide = widths or Widths()
    made = _Parts(normalised)
    picture = keras.Input((height, width, 3), batch_size=batch, name="picture")
    x = layers.Rescaling(1 / 64, offset=-2.0)(picture)
    x = made.conv(x, wide.half, stride=2)
    x = made.conv(x, wide.quarter, stride=2)
    quarter = _sum(x, made.conv(x, wide.quarter, relu=False, silent=True))
    x = made.conv(quarter, wide.eighth, stride=2)
    for _ in range(wide.eighth_blocks):
        x = made.residual(x)
    eighth = x
    x = made.conv(x, wide.sixteenth, stride=2)
    for dilation in wide.dilations:
        x = made.residual(x, dilation)
    x = _resized(made.surroundings(x, wide.head), eighth)
    early = layers.Conv2D(classes, 1, name="early", dtype="float32")(x) if early_answer else None
    x = _sum(x, made.conv(eighth, wide.head, 1, relu=False))
    x = made.conv(x, wide.head)
    x = _resized(made.conv(x, wide.quarter, 1, relu=False), quarter)
    x = _sum(x, made.conv(quarter, wide.quarter, 1, relu=False))
    x = made.conv(x, wide.quarter)
    x = layers.Conv2D(4 * classes, 1, name="classes", dtype="float32")(x)
    scores = DepthToSpace(dtype="float32", name="logits")(x)
    return keras.Model(picture, [scores, early] if early_answer else scores, name="street")


def folded(
    network: keras.Model, *, batch: int | None = 1, widths: Widths | None = None
) -> keras.Model:
    """Return the same function with normalisation folded into weights that float16 can hold.

    Parameters
    ----------
    network : keras.Model
        With normalisation, and one answer.
    batch : int or None
        Fixed number of pictures; none for any.
    widths : Widths, optional
        What the network was made with.
    """
    height, width = network.input_shape[1:3]
    classes = network.output_shape[-1]
    plain = street_network(
        height, width, classes=classes, widths=widths, normalised=False, batch=batch
    )
    for layer in plain.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        kernel, *bias = (
            variable.value.numpy() for variable in network.get_layer(layer.name).weights
        )
        if not bias:
            norm = network.get_layer(_norm_name(layer.name))
            factor, shift = (part.numpy() for part in norm.factor_and_shift())
            kernel, bias = kernel * factor, [shift]
        layer.set_weights([part.astype("float16").astype("float32") for part in (kernel, *bias)])
    return plain


@keras.saving.register_keras_serializable("tempseg-street")
class Norm(layers.Layer):
    """Batch normalisation by TensorFlow's fused operation, which also takes bfloat16.

    Keras goes by way of float32, which costs more time here than a convolution.

    Parameters
    ----------
    momentum : float
        Share of the running mean and variance that a step keeps.
    silent : bool
        Begin with a scale of zero, so that a residual block begins as the identity.
    """

    def __init__(self, *, momentum: float = 0.98, silent: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.momentum = momentum
        self.silent = silent
        self.epsilon = 1e-3

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the scale, the shift, and the running mean and variance."""

        def made(name: str, start: str, *, trainable: bool = True) -> keras.Variable:
            return self.add_weight(
                name=name, shape=(shape[-1],), initializer=start, trainable=trainable,
                dtype="float32", autocast=False,
            )  # fmt: skip

        self.gamma = made("gamma", "zeros" if self.silent else "ones")
        self.beta = made("beta", "zeros")
        self.mean = made("mean", "zeros", trainable=False)
        self.variance = made("variance", "ones", trainable=False)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return normalised features."""
        if training:
            y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=self.gamma.value, offset=self.beta.value, mean=[], variance=[],
                epsilon=self.epsilon, is_training=True,
            )  # fmt: skip
            for running, found in ((self.mean, mean), (self.variance, variance)):
                running.assign(running * self.momentum + found * (1 - self.momentum))
            return y
        factor, shift = self.factor_and_shift()
        return x * tf.cast(factor, x.dtype) + tf.cast(shift, x.dtype)

    def factor_and_shift(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what features are multiplied with and what is added, by the running values."""
        factor = self.gamma * tf.math.rsqrt(self.variance + self.epsilon)
        return factor, self.beta - self.mean * factor

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "momentum": self.momentum, "silent": self.silent}


@keras.saving.register_keras_serializable("tempseg-street")
class DepthToSpace(layers.Layer):
    """Four answers a place to one answer at each of two by two places."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return features at twice the size."""
        return tf.nn.depth_to_space(x, 2)


@keras.saving.register_keras_serializable("tempseg-street")
class Dilated(layers.Conv2D):
    """A dilated convolution as one operation; Keras makes three of it, which LiteRT keeps."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the features convolved with the kernel."""
        return tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=self.dilation_rate)


class _Parts:
    """What the network is put together from; convolutions are numbered as they are made."""

    def __init__(self, normalised: bool) -> None:
        self._normalised = normalised
        self._made = 0

    def conv(
        self,
        x: keras.KerasTensor,
        channels: int,
        size: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
        silent: bool = False,
    ) -> keras.KerasTensor:
        self._made += 1
        name = f"conv_{self._made:02}"
        # Without oneDNN, TensorFlow knows no gradient of a dilated convolution as one operation.
        kind = layers.Conv2D if dilation == 1 or self._normalised else Dilated
        x = kind(
            channels, size, strides=stride, dilation_rate=dilation, padding="same",
            use_bias=not self._normalised, kernel_initializer="he_normal", name=name,
        )(x)  # fmt: skip
        if self._normalised:
            x = Norm(silent=silent, name=_norm_name(name))(x)
        return layers.ReLU()(x) if relu else x

    def residual(self, x: keras.KerasTensor, dilation: int = 1) -> keras.KerasTensor:
        channels = x.shape[-1]
        y = self.conv(x, channels)
        return _sum(x, self.conv(y, channels, dilation=dilation, relu=False, silent=True))

    def surroundings(self, x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
        """Add to each place what its part of the picture, and the whole picture, are on average."""
        height, width = x.shape[1:3]
        sums = [self.conv(x, channels, 1, relu=False)]
        for rows, columns in ((1, 1), (3, 5)):
            size = (-(-height // rows), -(-width // columns))
            part = layers.AveragePooling2D(size, strides=size, padding="same")(x)
            sums.append(_resized(self.conv(part, channels, 1, relu=False), x))
        return _sum(*sums)


def _norm_name(convolution: str) -> str:
    return f"{convolution}_norm"


def _sum(*parts: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.Add()(list(parts)))


def _resized(x: keras.KerasTensor, like: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Resizing(*like.shape[1:3], interpolation="bilinear")(x)
