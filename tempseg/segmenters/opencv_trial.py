"""A first run of a model by OpenCV dnn, in a process of its own.

Some files that OpenCV's importers cannot take end the process that reads them (a DeepLab of
TensorFlow Lite does, in OpenCV 5.0), and that must not be the user's. Run as a script, this file
reads a model and infers once; it imports nothing of the package, to start fast.
"""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np

__all__ = ["main", "read_net"]


def read_net(model: str, text_graph: str) -> Any:
    """Return a model as an OpenCV network; `text_graph` belongs to a `.pb`, and is empty else.

    Raises
    ------
    cv2.error
        When OpenCV cannot read it.
    """
    suffix = model.lower().rpartition(".")[2]
    if suffix == "onnx":
        return cv2.dnn.readNetFromONNX(model)
    if suffix == "tflite":
        return cv2.dnn.readNetFromTFLite(model)
    return cv2.dnn.readNetFromTensorflow(model, text_graph)


def main(model: str, text_graph: str, dtype: str, shape: str) -> int:
    """Return 0 when a model was read and answered, 1 when OpenCV refused it."""
    try:
        net = read_net(model, text_graph)
        net.setInput(np.zeros([int(side) for side in shape.split(",")], dtype))
        net.forward(net.getUnconnectedOutLayersNames())
    except cv2.error as error:
        # The last line on stdout is what the parent tells; OpenCV's own log goes to stderr.
        print(" ".join(str(error.err or error).split()))  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
