"""The tiny networks as ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Side = int | str


def write_onnx(
    path: Path,
    weights: np.ndarray,
    *,
    size: tuple[Side, Side],
    last: bool = False,
    tail: Sequence[str] = (),
    half: bool = False,
    channels: int = 3,
    more: bool = False,
    batch: Side = 1,
) -> None:
    """Write a 1x1 convolution.

    `weights` is (in, out); `last` for channels last; `tail` names what follows: `Sigmoid`,
    `ArgMax`; `half` for half precision; `more` for a second output; `batch` may be a
    name where the number of images is open.
    """
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    kernel = np.ascontiguousarray(weights.T[..., None, None]).astype("f2" if half else "f4")

    def image(name: str, count: int) -> onnx.ValueInfoProto:
        shape = (batch, *size, count) if last else (batch, count, *size)
        return helper.make_tensor_value_info(name, kind, shape)

    nodes = []
    given = "image"
    if last:
        nodes.append(helper.make_node("Transpose", [given], ["first"], perm=(0, 3, 1, 2)))
        given = "first"
    nodes.append(helper.make_node("Conv", [given, "kernel"], ["scores"]))
    given = "scores"
    for operation in tail:
        attributes = {"axis": 1, "keepdims": 0} if operation == "ArgMax" else {}
        nodes.append(helper.make_node(operation, [given], [operation], **attributes))
        given = operation
    if "ArgMax" in tail:
        output = helper.make_tensor_value_info("ids", TensorProto.INT64, (1, *size))
        nodes.append(helper.make_node("Identity", [given], ["ids"]))
    else:
        output = image("logits", weights.shape[1])
        if last:
            nodes.append(helper.make_node("Transpose", [given], ["logits"], perm=(0, 2, 3, 1)))
        else:
            nodes.append(helper.make_node("Identity", [given], ["logits"]))
    outputs = [output]
    if more:
        outputs.append(helper.make_tensor_value_info("scores", kind, (1, weights.shape[1], *size)))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [image("image", channels)],
        outputs,
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_detector(path: Path, size: tuple[int, int]) -> None:
    """Write what finds the same five objects in every picture, with masks on the picture's grid."""
    shapes = {
        "detection_boxes": (1, 5, 4),
        "detection_scores": (1, 5),
        "detection_masks": (1, 5, *size),
        "num_detections": (1,),
    }
    found = [numpy_helper.from_array(np.ones(sides, "f4"), f"{n}_") for n, sides in shapes.items()]
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}_"], [name]) for name in shapes],
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, *size))],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, sides) for n, sides in shapes.items()],
        found,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_all_onnx(folder: Path, weights: np.ndarray, size: tuple[int, int]) -> None:
    """Write every ONNX file that the tests use."""
    write_onnx(folder / "first.onnx", weights, size=size)
    write_onnx(folder / "last.onnx", weights, size=size, last=True)
    write_onnx(folder / "ids.onnx", weights, size=size, tail=["ArgMax"])
    write_onnx(folder / "person.onnx", weights[:, :1], size=size, tail=["Sigmoid"])
    write_onnx(folder / "half.onnx", weights, size=size, half=True)
    write_onnx(folder / "open.onnx", weights, size=("height", "width"))
    write_onnx(folder / "two_outputs.onnx", weights, size=size, more=True)
    write_detector(folder / "detector.onnx", size)
    write_onnx(folder / "gray.onnx", weights[:1], size=size, channels=1)
    write_onnx(folder / "many.onnx", weights, size=size, batch="images")
    write_onnx(folder / "nan.onnx", weights * np.nan, size=size)
