"""A stream of images: each is computed while the next image's input comes.

A run of the stream finds its input in local memory and loads the next image's into the same place (:mod:`sim.schedule.next_input`).
Another program brings the first image's and does nothing else. Both have the plan of the warm run, but for addresses in local
memory: the input keeps its part for itself.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.arrays.network_input import gathered, input_bank
from sim.arrays.plan_columns import Failure, LayerPlan, TensorPlan
from sim.arrays.tables import TensorColumn, accelerator_row
from sim.mapping.mapper import plan_network
from sim.plan import Mapped, overflow
from sim.schedule.schedule import build_stream
from sim.schedule.transfer_fields import pe_columns, shares_rows
from sim.spec.header import program_bytes

__all__ = ["Stream", "stream_of"]

_LAYER_ADDRESSES = [LayerPlan.IN_ADDRESS, LayerPlan.IN2_ADDRESS, LayerPlan.OUT_ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Programs of a stream of images on an accelerator.

    Parameters
    ----------
    mapped : Mapped
        Plan of a run; its ``rows`` are those of a warm run that finds its input and loads the next image's.
    first : Mapped
        The same plan; its ``rows`` load an input.
    header, first_header : int
        Addresses of their headers, behind those of ``mapped``'s cold and warm runs.
    end : int
        First external byte behind.
    """

    mapped: Mapped
    first: Mapped
    header: int
    first_header: int
    end: int


def stream_of(mapped: Mapped) -> Stream | None:
    """Plan a stream of the images that a mapped network computes one at a time.

    Returns None where there can be none: several images in a program, several inputs, an input that lies in groups of channels or is read
    by more than a first convolution, in several passes or strips, a single bank, or a local memory that has no room
    beside the input.
    """
    layer, plan = mapped.layers[0], mapped.layer_plan[0]
    pixel_bytes = mapped.tensor_plan[0, TensorPlan.PIXEL_BYTES]
    tensors, hw = mapped.tensors, accelerator_row(mapped.config, mapped.images)
    if (
        mapped.images > 1
        or mapped.source.further_inputs
        or not gathered(layer, tensors[0], hw.simd)
        or input_bank(mapped.layers[0], tensors[0, TensorColumn.CHANNELS], hw) == 0
        or plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X] > 1
        or plan[LayerPlan.IN_STRIPS]
        or not shares_rows(layer, pixel_bytes, hw, *pe_columns(layer, plan))
    ):
        return None
    kept = hw.bank_depth - int(plan[LayerPlan.IN_PLANE])
    if kept <= 0:
        return None
    failure, *_, layer_plan, tensor_plan, end = plan_network(
        mapped.layers, tensors, hw._replace(bank_depth=kept), 0
    )
    if failure != Failure.NONE or end != mapped.end or not _alike(mapped, layer_plan, tensor_plan):
        return None
    layer_plan[0, LayerPlan.IN_ADDRESS] = kept
    rows, first_rows = build_stream(mapped.layers, tensors, hw, layer_plan, tensor_plan)
    if overflow(rows) is not None:
        return None
    run = replace(mapped, layer_plan=layer_plan, tensor_plan=tensor_plan, rows=rows)
    lists = 2 if mapped.stored else 1
    header = mapped.end + lists * program_bytes(len(mapped.rows))
    first_header = header + program_bytes(len(rows))
    return Stream(
        mapped=run,
        first=replace(run, rows=first_rows),
        header=header,
        first_header=first_header,
        end=first_header + program_bytes(len(first_rows)),
    )


def _alike(mapped: Mapped, layer_plan: NDArray[np.int64], tensor_plan: NDArray[np.int64]) -> bool:
    """Whether a plan differs from a mapped network's in local addresses only."""
    layers, tensors = layer_plan != mapped.layer_plan, tensor_plan != mapped.tensor_plan
    layers[:, _LAYER_ADDRESSES] = False
    tensors[:, TensorPlan.ADDRESS] = False
    return not (layers.any() or tensors.any())
