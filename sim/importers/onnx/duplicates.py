"""Nodes that compute the same of the same: exporters write a Q/DQ pair for each consumer."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from sim.importers.onnx.model import OnnxModel, OnnxNode

__all__ = ["without_duplicates"]

_COMPARED_BYTES = 1 << 12
"""Most bytes of a constant that is compared by its content: scales, zero points and bounds."""


def without_duplicates(model: OnnxModel) -> OnnxModel:
    """The model with each of several equal nodes computed once, and its readers turned to that.

    Nodes are equal if operator, attributes and inputs are; small constants are compared by content.
    Nodes whose output is the model's stay.
    """
    first_constants: dict[Hashable, str] = {}
    same: dict[str, str] = {}
    for name, data in model.constants.items():
        if data.nbytes <= _COMPARED_BYTES and data.dtype.kind in "biuf":
            same[name] = first_constants.setdefault(_content(data), name)
    ends = {end.name for end in model.outputs}
    first_nodes: dict[Hashable, OnnxNode] = {}
    nodes = []
    for node in model.nodes:
        turned = replace(node, inputs=tuple(same.get(name, name) for name in node.inputs))
        first = first_nodes.setdefault(_key(turned), turned)
        if first is turned or ends.intersection(node.outputs):
            nodes.append(turned)
        else:
            same.update(zip(node.outputs, first.outputs, strict=True))
    return replace(model, nodes=tuple(nodes))


def _key(node: OnnxNode) -> Hashable:
    attributes = sorted(node.attributes.items())
    # A node with an attribute that is not understood is equal to none: it will be refused.
    unknown = any(value is None for _, value in attributes)
    return (
        node.operator,
        node.domain,
        node.inputs,
        tuple(bool(name) for name in node.outputs),
        tuple((name, _value(value)) for name, value in attributes),
        node.index if unknown else -1,
    )


def _value(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return _content(value)
    return tuple(value) if isinstance(value, list) else value


def _content(data: np.ndarray[Any, Any]) -> Hashable:
    return (str(data.dtype), data.shape, data.tobytes())
