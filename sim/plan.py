"""A network mapped onto a configuration: plan and schedule, as typed Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.schedule_columns import FIELD_HIGH, FIELD_LOW
from sim.arrays.tables import COLUMNS, Hw, accelerator_row, layer_table, tensor_table
from sim.mapping.channel_places import with_gaps
from sim.mapping.mapper import plan_network
from sim.mapping.packed_windows import packed_windows, windows_of_rows
from sim.mapping.tile_choice import first_layer_cycles, packs
from sim.schedule.listing import first_overflow
from sim.schedule.schedule import build_schedule, weigh_schedule
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.header import program_bytes
from sim.spec.network import Network

__all__ = [
    "Mapped",
    "Refusal",
    "Tables",
    "by_first_layer",
    "map_network",
    "network_tables",
    "overflow",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Limit that stops a mapping, with both of its numbers.

    Parameters
    ----------
    failure : Failure
        Which limit; not NONE.
    layer : int
        Layer that breaks it.
    needed, available : int
    column : str
        Descriptor field that overflows, or "".
    """

    failure: Failure
    layer: int
    needed: int
    available: int
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A network mapped onto an accelerator; arrays are empty if ``failure`` is not NONE.

    Parameters
    ----------
    failure : Failure
    layer : int
        Layer that failed, or -1.
    needed, available : int
        Both numbers of the broken limit.
    column : str
        Descriptor field that overflows, or "".
    layer_plan : int64[n_layers, len(LayerPlan)]
        Columns :class:`sim.arrays.plan_columns.LayerPlan`.
    tensor_plan : int64[n_tensors, len(TensorPlan)]
        Columns :class:`sim.arrays.plan_columns.TensorPlan`.
    rows : int64[n_descriptors, len(COLUMNS)]
        The schedule, in program order: of a run that finds its weights in the weight store.
    end : int
        First external byte after weights and tensors, where the header of the program lies, or of its
        cold run.
    config : AcceleratorConfig
    source : Network
        The network as it was given.
    images : int
        Images that a program computes.
    network : Network
        The form of ``source`` that was mapped: itself, with rows of windows
        (:mod:`sim.mapping.packed_windows`), or with concatenated channels in whole vectors
        (:mod:`sim.mapping.channel_places`).
    layers, tensors : int64 arrays
        Tables of ``network``.
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
    config: AcceleratorConfig
    source: Network
    images: int
    network: Network
    layers: NDArray[np.int64]
    tensors: NDArray[np.int64]

    @property
    def stored(self) -> bool:
        """Whether any weights stay in the weight store from one run to the next."""
        return bool((self.layer_plan[:, LayerPlan.STORE_ROW] >= 0).any())

    @property
    def cold_rows(self) -> NDArray[np.int64]:
        """The schedule of a run that fills the weight store; ``rows`` where nothing is stored.

        It has the same descriptors, but for the first LOAD of each stored block.
        """
        if not self.stored:
            return self.rows
        hw = accelerator_row(self.config, self.images)
        plans = self.layer_plan, self.tensor_plan
        return build_schedule(self.layers, self.tensors, hw, *plans, cold=True)

    def header(self, *, cold: bool) -> int:
        """Address of the header of the program's cold or warm descriptors."""
        return self.end if cold or not self.stored else self.end + program_bytes(len(self.rows))

    @property
    def refusal(self) -> Refusal | None:
        """Limit that stops the mapping; None if it is mapped."""
        if self.failure is Failure.NONE:
            return None
        return Refusal(self.failure, self.layer, self.needed, self.available, self.column)


Tables = tuple[Network, NDArray[np.int64], NDArray[np.int64]]
"""A form of a network with its layer table and tensor table (:mod:`sim.arrays.tables`)."""

_packed: WeakKeyDictionary[Network, Network | None] = WeakKeyDictionary()
_widened: WeakKeyDictionary[Network, dict[tuple[int, int], Network]] = WeakKeyDictionary()
_tables: WeakKeyDictionary[Network, tuple[NDArray[np.int64], NDArray[np.int64]]] = (
    WeakKeyDictionary()
)


def network_tables(network: Network, simd: int = 1, lanes: int = 1) -> tuple[Tables, ...]:
    """Give (network, layer table, tensor table): as it is first, then with rows of windows if possible.

    Kept while the network lives. Where tensors are concatenated, and only there, they depend on the
    channels of a vector and the lanes of a PE.

    Raises
    ------
    ValueError
        If concatenated tensors have too many values in whole vectors.
    """
    whole = network
    if network.concatenations:
        widths = _widened.setdefault(network, {})
        if (simd, lanes) not in widths:
            widths[simd, lanes] = with_gaps(network, simd, lanes)
        whole = widths[simd, lanes]
    if whole not in _packed:
        _packed[whole] = packed_windows(whole)
    forms = []
    for form in (whole, _packed[whole]):
        if form is None:
            continue
        if form not in _tables:
            _tables[form] = (layer_table(form), tensor_table(form, simd))
            if form is not whole:
                windows_of_rows(whole, _tables[form][0])
        forms.append((form, *_tables[form]))
    return tuple(forms)


def map_network(config: AcceleratorConfig, network: Network, images: int = 1) -> Mapped:
    """Map a network onto a configuration that the generator can build, ``images`` per program.

    The first layer reads rows of windows where loading and computing it then takes less time, or where
    only that can be mapped; not where only the network as it is can be.
    """
    hw = accelerator_row(config, images)
    forms = network_tables(network, hw.simd, hw.lanes)
    plain = forms[0]
    refused = None
    for form in by_first_layer(forms, hw):
        answer = _map(config, network, form, hw)
        if answer.failure == Failure.NONE:
            return answer
        if form is plain:
            refused = answer
    assert refused is not None
    return refused


def by_first_layer(forms: Sequence[Tables], hw: Hw) -> Sequence[Tables]:
    """Forms of a network in the order in which they are tried: the faster first layer first.

    Rows of windows are no form for an accelerator whose vectors or register files do not hold them.
    """
    if len(forms) == 1:
        return forms
    if not packs(forms[1][1], forms[1][2], hw):
        return forms[:1]
    return sorted(forms, key=lambda form: first_layer_cycles(form[1], form[2], hw))


def overflow(rows: NDArray[np.int64]) -> Refusal | None:
    """Limit of the first descriptor field of a schedule that is out of range; None if none is."""
    row, at = first_overflow(rows, FIELD_LOW, FIELD_HIGH)
    if row < 0:
        return None
    layer, needed = int(rows[row, COLUMNS["layer"]]), int(rows[row, at])
    return Refusal(Failure.FIELD, layer, needed, int(FIELD_HIGH[at]), list(COLUMNS)[at])


def _map(config: AcceleratorConfig, source: Network, form: Tables, hw: Hw) -> Mapped:
    """Map one form of a network; with several images, cut where that is weighed least.

    Cut behind the last layer, a program is one after another for each image: whatever can be mapped
    for one image can be for more.
    """
    _, layers, _ = form
    if hw.images == 1:
        return _cut(config, source, form, hw, 0)
    best, least = None, 0
    for cut in range(len(layers), -1, -1):
        candidate = _cut(config, source, form, hw, cut)
        if candidate.failure != Failure.NONE:
            best = best or candidate
            continue
        cost = weigh_schedule(candidate.rows, len(layers), hw)
        if best is None or best.failure != Failure.NONE or cost < least:
            best, least = candidate, cost
    assert best is not None
    return best


def _cut(config: AcceleratorConfig, source: Network, form: Tables, hw: Hw, cut: int) -> Mapped:
    chosen, layers, tensors = form
    failure, layer, needed, available, layer_plan, tensor_plan, end = plan_network(
        layers, tensors, hw, cut
    )
    rows = np.zeros((0, len(COLUMNS)), np.int64)
    column = ""
    if failure == Failure.NONE:
        rows = build_schedule(layers, tensors, hw, layer_plan, tensor_plan)
        broken = overflow(rows)
        if broken is not None:
            failure, column = broken.failure, broken.column
            layer, needed, available = broken.layer, broken.needed, broken.available
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
        config=config,
        source=source,
        images=hw.images,
        network=chosen,
        layers=layers,
        tensors=tensors,
    )
