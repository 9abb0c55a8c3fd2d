"""The tiny networks as Keras files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_all_keras(folder: Path, weights: np.ndarray, size: tuple[int, int]) -> None:
    """Write every Keras file that the tests use."""
    import keras

    def coloured(image: Any, name: str = "logits") -> Any:
        start = keras.initializers.Constant(weights)
        layer = keras.layers.Conv2D(3, 1, use_bias=False, kernel_initializer=start, name=name)
        return layer(image)

    def image(*shape: int | None) -> Any:
        return keras.Input(shape, name="image")

    fixed = image(*size, 3)
    logits = coloured(fixed)
    model = keras.Model(fixed, logits)
    model.save(folder / "logits.keras")
    model.save(folder / "logits.h5")
    model.save_weights(folder / "only.weights.h5")
    half = keras.layers.AveragePooling2D(2, name="half")(logits)
    keras.Model(fixed, [logits, half]).save(folder / "two_outputs.keras")
    doubled = keras.layers.Lambda(lambda scores: scores * 2, name="code")(logits)
    for suffix in ("keras", "h5"):
        keras.Model(fixed, doubled).save(folder / f"lambda.{suffix}")
    open_image = image(None, None, 3)
    keras.Model(open_image, coloured(open_image)).save(folder / "open.keras")
    other = keras.Input((*size, 3), name="other")
    both = keras.layers.Add()([fixed, other])
    keras.Model([fixed, other], coloured(both)).save(folder / "two_inputs.keras")
    single = keras.Sequential([fixed, model.get_layer("logits")])
    for suffix in ("keras", "h5"):
        single.save(folder / f"sequential.{suffix}")
    keras.Model(fixed, {"fine": logits, "coarse": half}).save(folder / "keyed.keras")
    inner = keras.Model(fixed, [logits, half], name="net")
    outer = image(*size, 3)
    keras.Model(outer, inner(outer)).save(folder / "nested.keras")
    pooled = keras.layers.GlobalAveragePooling2D()(logits)
    objects = {
        "boxes": keras.layers.Reshape((5, 4))(keras.layers.Dense(20)(pooled)),
        "scores": keras.layers.Dense(5)(pooled),
        "masks": keras.layers.Permute((3, 1, 2))(keras.layers.Conv2D(5, 1)(fixed)),
    }
    keras.Model(fixed, objects).save(folder / "detector.keras")
    flat = keras.layers.Reshape((-1, 3))
    keras.Model(fixed, flat(logits)).save(folder / "flat.keras")
    keras.Model(open_image, flat(coloured(open_image))).save(folder / "open_flat.keras")
    keras.Model(fixed, pooled).save(folder / "pooled.keras")
