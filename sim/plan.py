"""A network mapped onto a configuration: plan and schedule, as typed Python."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure
from sim.arrays.schedule_columns import FIELD_HIGH, FIELD_LOW
from sim.arrays.tables import COLUMNS, Hw, accelerator_row, layer_table, tensor_table
from sim.mapping.mapper import plan_network
from sim.mapping.tile_choice import first_layer_cycles
from sim.mapping.unfold import unfolded
from sim.schedule.listing import first_overflow
from sim.schedule.schedule import build_schedule, weigh_schedule
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

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
    layer_plan : int64[n_layers, 34]
        Columns :class:`sim.arrays.plan_columns.LayerPlan`.
    tensor_plan : int64[n_layers + 1, 13]
        Columns :class:`sim.arrays.plan_columns.TensorPlan`.
    rows : int64[n_descriptors, len(COLUMNS)]
        The schedule, in program order.
    end : int
        First external byte after weights and tensors, where the program's header lies.
    images : int
        Images that a program computes.
    network : Network
        What was mapped: the network, or its unfolded form (:mod:`sim.mapping.unfold`).
    layers, tensors : int64 arrays
        Its tables.
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
    images: int
    network: Network
    layers: NDArray[np.int64]
    tensors: NDArray[np.int64]


Tables = tuple[Network, NDArray[np.int64], NDArray[np.int64]]
_unfolded: WeakKeyDictionary[Network, Network | None] = WeakKeyDictionary()
_tables: WeakKeyDictionary[Network, tuple[NDArray[np.int64], NDArray[np.int64]]] = (
    WeakKeyDictionary()
)


def network_tables(network: Network) -> tuple[Tables, ...]:
    """(network, layer table, tensor table), first as it is, then unfolded if that is possible.

    Kept while the network lives.
    """
    if network not in _unfolded:
        _unfolded[network] = unfolded(network)
    found = []
    for form in (network, _unfolded[network]):
        if form is None:
            continue
        if form not in _tables:
            _tables[form] = (layer_table(form), tensor_table(form))
        found.append((form, *_tables[form]))
    return tuple(found)


def map_network(config: AcceleratorConfig, network: Network, images: int = 1) -> Mapped:
    """Map a network onto a configuration that the generator can build, ``images`` per program.

    The first layer is unfolded where loading and computing it then takes less time, or where only
    the unfolded network can be mapped; not where only the network as it is can be.
    """
    hw = accelerator_row(config, images)
    plain, *others = network_tables(network)
    forms = sorted([plain, *others], key=lambda form: first_layer_cycles(form[1], form[2], hw))
    for form in forms:
        found = _map(form, hw)
        if found.failure == Failure.NONE:
            return found
    return _map(plain, hw)


def _map(form: Tables, hw: Hw) -> Mapped:
    """Map one form of a network; with several images, cut where that is weighed least.

    Cut behind the last layer, a program is one after another for each image: whatever can be mapped
    for one image can be for more.
    """
    _, layers, _ = form
    if hw.images == 1:
        return _cut(form, hw, 0)
    best, least = None, 0
    for cut in range(len(layers), -1, -1):
        found = _cut(form, hw, cut)
        if found.failure != Failure.NONE:
            best = best or found
            continue
        cost = weigh_schedule(found.rows, len(layers), hw)
        if best is None or best.failure != Failure.NONE or cost < least:
            best, least = found, cost
    assert best is not None
    return best


def _cut(form: Tables, hw: Hw, cut: int) -> Mapped:
    chosen, layers, tensors = form
    failure, layer, needed, available, layer_plan, tensor_plan, end = plan_network(
        layers, tensors, hw, cut
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
        images=hw.images,
        network=chosen,
        layers=layers,
        tensors=tensors,
    )
