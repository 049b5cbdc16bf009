"""Nodes that read constants alone: shape arithmetic and clipped weights, computed while importing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from sim.importers.onnx.lowering import OnnxLowering
from sim.importers.onnx.model import OnnxModel, OnnxNode
from sim.importers.onnx.values import Constant

__all__ = ["ARITHMETIC", "folded"]

ARITHMETIC = frozenset(
    ["Add", "Cast", "Concat", "Div", "Gather", "Max", "Min", "Mod", "Mul", "Neg", "ReduceProd",
     "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze"]
)  # fmt: skip
"""Operators on a few integers, as in computed shapes."""

_REARRANGING = frozenset(
    ["Cast", "Clip", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"]
)
"""Operators whose result is no larger than their first input: weights may have any size."""

_MOST_INTEGERS = 256


def folded(lowering: OnnxLowering, node: OnnxNode) -> Constant | None:
    """Result of a node on constants by the format's reference implementation.

    None where the node reads anything else, is none of those here, or is too large for them.
    """
    values = [lowering.values.get(name) for name in node.inputs if name]
    data = []
    for value in values:
        if not isinstance(value, Constant) or value.scales is not None:
            return None
        data.append(value.data)
    small = sum(item.size for item in data) <= _MOST_INTEGERS
    if node.domain or not data or not (
        node.operator in _REARRANGING or (node.operator in ARITHMETIC and small)
    ):  # fmt: skip
        return None
    return Constant(data=_computed(lowering.model, node, data))


def _computed(model: OnnxModel, node: OnnxNode, data: list[NDArray[Any]]) -> NDArray[Any]:
    from onnx.reference import ReferenceEvaluator  # takes a second, and few models need it

    names = [name for name in dict.fromkeys(node.inputs) if name]
    given: dict[str, Any] = dict(zip([name for name in node.inputs if name], data, strict=True))
    attributes = {name: value for name, value in node.attributes.items() if value is not None}
    try:
        made = helper.make_node(node.operator, list(node.inputs), [node.outputs[0]], **attributes)
        ends = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(given[name].dtype), given[name].shape
            )
            for name in names
        ]
        result = helper.make_value_info(node.outputs[0], helper.make_tensor_type_proto(0, None))
        graph = helper.make_graph([made], "folded", ends, [result])
        opset = helper.make_opsetid("", model.opset)
        evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[opset]))
        with np.errstate(all="ignore"):
            results: Any = evaluator.run(None, given)
        output = np.asarray(results[0])
    except Exception as error:  # whatever numpy raises on shapes that do not fit
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        node.refuse(f"constants cannot be computed: {reason}")
    if output.dtype.kind not in "biuf":
        node.refuse(f"result must be numbers, not {output.dtype}")
    return output
