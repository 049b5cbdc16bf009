"""Occupancy of the memories on chip, layer by layer, as the mapper lays a network out."""

from dataclasses import dataclass
from typing import Any

from sim.arrays.geometry import ceil_div, groups_of
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.schedule_columns import LAYER, QUEUE, WEIGHT_ROWS
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.plan import Mapped
from sim.spec.descriptor import Queue

__all__ = ["LayerOccupancy", "Region", "occupancy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Vectors of every bank that something takes while a layer runs, for one image.

    Parameters
    ----------
    role : str
        "input", what the layer reads; "output", what it makes; "kept", what a later layer reads.
    address, vectors : int
        Of a bank.
    """

    role: str
    address: int
    vectors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOccupancy:
    """Occupancy of the memories on chip while a layer runs.

    Parameters
    ----------
    images : int
        Images that share each PE's local memory, each with an equal part.
    regions : tuple of Region
        Of local memory, for one image.
    bank_vectors_bytes : int
        Bytes of a vector in all banks of a PE.
    register_bytes : int
        Most bytes of weights in a half of a lane's register file.
    store_bytes : int
        Bytes of the layer's weights in the weight store.
    """

    images: int
    regions: tuple[Region, ...]
    bank_vectors_bytes: int
    register_bytes: int
    store_bytes: int

    def local_bytes(self, role: str) -> int:
        """Return the bytes of a PE's local memory that regions of a role take, of all images."""
        vectors = sum(region.vectors for region in self.regions if region.role == role)
        return vectors * self.bank_vectors_bytes * self.images

    def to_json(self) -> dict[str, Any]:
        """Return the bytes as a JSON object."""
        return {
            "local_input_bytes": self.local_bytes("input"),
            "local_output_bytes": self.local_bytes("output"),
            "local_kept_bytes": self.local_bytes("kept"),
            "register_bytes": self.register_bytes,
            "store_bytes": self.store_bytes,
        }


def occupancy(mapped: Mapped) -> tuple[LayerOccupancy, ...]:
    """Return the occupancy of the memories on chip for every layer of a mapped network."""
    config = mapped.config
    rows = mapped.rows
    loads = rows[rows[:, QUEUE] == Queue.LOAD]
    answer = []
    for i, plan in enumerate(mapped.layer_plan):
        own = loads[loads[:, LAYER] == i]
        stored = plan[LayerPlan.STORED_ROWS] if plan[LayerPlan.STORE_ROW] >= 0 else 0
        answer.append(
            LayerOccupancy(
                images=int(plan[LayerPlan.IMAGES]),
                regions=_regions(mapped, i),
                bank_vectors_bytes=config.compute_lanes * config.vector_bytes,
                register_bytes=int(own[:, WEIGHT_ROWS].max(initial=0)) * config.row_bytes,
                store_bytes=int(stored) * config.row_bytes,
            )
        )
    return tuple(answer)


def _regions(mapped: Mapped, i: int) -> tuple[Region, ...]:
    layer, plan = mapped.layers[i], mapped.layer_plan[i]
    tensors, tensor_plan = mapped.tensors, mapped.tensor_plan
    lanes, simd = mapped.config.compute_lanes, mapped.config.simd_units

    def planes(tensor: int) -> int:
        return int(ceil_div(groups_of(tensors[tensor, TensorColumn.CHANNELS], simd), lanes))

    if _tile_by_tile(mapped, i):
        tile = int(plan[LayerPlan.OUT_ADDRESS])
        whole = plan[LayerPlan.CHUNK] == plan[LayerPlan.ROUNDS]
        made = (planes(i + 1) if whole else 1) * int(plan[LayerPlan.OUT_PLANE])
        return (
            Region(role="input", address=0, vectors=tile),
            Region(role="output", address=tile, vectors=made),
        )
    inputs = {int(layer[LayerColumn.INPUT]), int(layer[LayerColumn.INPUT2])}
    regions = []
    for t in range(1, i + 2):
        row = tensor_plan[t]
        until = max(int(row[TensorPlan.RESIDENT_UNTIL]), i if t == i + 1 else -1)
        if until < i:
            continue
        before = row[TensorPlan.HALO_TOP] * row[TensorPlan.ROW] + row[TensorPlan.HALO_LEFT]
        role = "output" if t == i + 1 else "input" if t in inputs else "kept"
        regions.append(
            Region(
                role=role,
                address=int(row[TensorPlan.ADDRESS] - before),
                vectors=planes(t) * int(row[TensorPlan.PLANE]),
            )
        )
    operands = (
        (LayerPlan.LOADED, LayerPlan.IN_ADDRESS, LayerPlan.IN_PLANE, LayerColumn.INPUT),
        (LayerPlan.LOADED2, LayerPlan.IN2_ADDRESS, LayerPlan.IN2_PLANE, LayerColumn.INPUT2),
    )
    for loaded, address, plane, tensor in operands:
        if plan[loaded]:
            regions.append(
                Region(
                    role="input",
                    address=int(plan[address]),
                    vectors=planes(int(layer[tensor])) * int(plan[plane]),
                )
            )
    return tuple(regions)


def _tile_by_tile(mapped: Mapped, i: int) -> bool:
    """Whether a layer runs through a local memory that holds nothing else."""
    return int(mapped.tensor_plan[i + 1, TensorPlan.PLANE]) == 0
