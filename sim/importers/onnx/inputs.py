"""Inputs of an ONNX model at which the accelerator begins, behind what the host does with them."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sim.importers.host import TO_INT8, Reshape, Transpose
from sim.importers.joints import Joints
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import HostInput, Quantized, Shape, node_places

__all__ = ["MadeInput", "materialized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeInput:
    """An input that a layer has read: as the first reader has it, with the host's last steps, and the network's tensor."""

    read: HostInput
    prepared: HostInput
    tensor: Quantized


class _Lowering(Protocol):
    """Parts of a lowering that an input needs."""

    inputs: dict[int, MadeInput]
    joints: Joints


def materialized(lowering: _Lowering, node: OnnxNode, value: HostInput) -> Quantized:
    """Let the accelerator begin at a tensor that the host prepares."""
    if value.quantization is None:
        rule = "must come from QuantizeLinear: all of the model must be quantized"
        node.refuse(f"input of shape {value.shape} {rule}")
    made = lowering.inputs.get(value.place)
    if made is None:
        made = lowering.inputs[value.place] = _made(lowering, node, value)
    if made.read.steps != value.steps or made.read.quantization != value.quantization:
        node.refuse("all layers must read the model's input in one form")
    return replace(made.tensor, real=value.real)


def _made(lowering: _Lowering, node: OnnxNode, value: HostInput) -> MadeInput:
    shape: Shape = value.shape
    steps = [*value.steps, *([TO_INT8] if value.held == "uint8" else [])]
    if len(shape) == 4:
        memory = (shape[2], shape[3], shape[1])
        places = node_places(node, *memory)
        steps.append(Transpose(axes=(1, 2, 0)))
    elif len(shape) == 3:
        memory = (1, shape[2], shape[1])
        places = node_places(node, *memory).reshape(shape[1:])
        steps += [Transpose(axes=(1, 0)), Reshape(shape=memory)]
    elif len(shape) == 2:
        memory = (1, 1, shape[1])
        places = np.arange(shape[1], dtype=np.int32)
        steps.append(Reshape(shape=memory))
    else:
        node.refuse(f"input must have shape (1, C, H, W), (1, C, L) or (1, N), not {shape}")
    assert value.quantization is not None, "it was asked for"
    try:
        name = f"input_{value.place}" if value.place else "input"
        spec = value.quantization.tensor(name, memory)
    except ValueError as error:
        node.refuse(str(error))
    lowering.joints.note_input(spec)
    tensor = Quantized(
        spec=spec,
        shape=shape,
        places=places,
        quantization=value.quantization,
        real=False,
    )
    return MadeInput(read=value, prepared=replace(value, steps=tuple(steps)), tensor=tensor)
