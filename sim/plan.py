"""A network mapped onto a configuration: plan and schedule, as typed Python."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sim.mapper import Failure, plan_network
from sim.schedule import FIELD_HIGH, FIELD_LOW, build_schedule, first_overflow
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.tables import COLUMNS, accelerator_row, layer_table, tensor_table

__all__ = ["Mapped", "map_network", "network_tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The mapper's answer; arrays are empty if ``failure`` is not NONE.

    Parameters
    ----------
    failure : Failure
    layer : int
        Layer that failed, or -1.
    needed, available : int
        Both numbers of the broken limit.
    column : str
        Descriptor field that overflows, or "".
    layer_plan : int64[n_layers, 27]
        Columns :class:`sim.mapper.LayerPlan`.
    tensor_plan : int64[n_layers + 1, 12]
        Columns :class:`sim.mapper.TensorPlan`.
    rows : int64[n_descriptors, len(COLUMNS)]
        The schedule, in program order.
    end : int
        First external byte after weights and tensors.
    """

    failure: Failure
    layer: int
    needed: int
    available: int
    column: str
    layer_plan: NDArray[np.int64]
    tensor_plan: NDArray[np.int64]
    rows: NDArray[np.int64]
    end: int


_tables: WeakKeyDictionary[Network, tuple[NDArray[np.int64], NDArray[np.int64]]] = (
    WeakKeyDictionary()
)


def network_tables(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(layer table, tensor table) of a network, kept while the network lives."""
    found = _tables.get(network)
    if found is None:
        found = _tables[network] = (layer_table(network), tensor_table(network))
    return found


def map_network(config: AcceleratorConfig, network: Network) -> Mapped:
    """Map a network onto a configuration that the generator can build."""
    layers, tensors = network_tables(network)
    hw = accelerator_row(config)
    failure, layer, needed, available, layer_plan, tensor_plan, end = plan_network(
        layers, tensors, hw
    )
    rows = np.zeros((0, len(COLUMNS)), np.int64)
    column = ""
    if failure == Failure.NONE:
        rows = build_schedule(layers, tensors, hw, layer_plan, tensor_plan)
        row, at = first_overflow(rows, FIELD_LOW, FIELD_HIGH)
        if row >= 0:
            failure, column = Failure.FIELD, list(COLUMNS)[at]
            layer, needed = rows[row, COLUMNS["layer"]], rows[row, at]
            available = FIELD_HIGH[at]
    return Mapped(
        failure=Failure(failure),
        layer=int(layer),
        needed=int(needed),
        available=int(available),
        column=column,
        layer_plan=layer_plan,
        tensor_plan=tensor_plan,
        rows=rows,
        end=int(end),
    )
