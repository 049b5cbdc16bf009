"""The schedule: every descriptor of a mapped network, in program order, with its tokens.

The compiler encodes these rows, the cycle model walks them; there is no other list.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, set_shape
from sim.arrays.kernel import in_place, kernel
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import (
    BAND_ROWS,
    COLS,
    GROUPS,
    HOLD,
    INTERVAL,
    KIND,
    LAYER,
    OP,
    PIXELS,
    QUEUE,
    ROW_LEAD,
    ROWS,
    STORE,
    STREAM_BEATS,
    VECTOR_BEATS,
    WAIT_DRAIN,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
)
from sim.arrays.tables import Hw
from sim.mapping.descriptor_counts import most_descriptors, most_in_a_round, most_templates
from sim.schedule.listing import ALL_ROWS, COUNT, FETCHED, FITS, TO_FETCH, empty_listing
from sim.schedule.next_input import NextInput, fetch_rows, input_rows
from sim.schedule.order import list_turn
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.cycles import clock_at_doorbell, totals
from sim.timing.transfer_unit import stored_turns

__all__ = ["build_schedule", "build_stream", "time_schedule", "weigh_schedule"]

Array = NDArray[np.int64]

DRAIN_CYCLES = 40
"""Cycles that waiting for the drain is taken to cost when schedules are compared."""

TRANSFER_BYTES = 512
"""Bytes that a tile transfer is taken to cost beside its own when schedules are compared."""

_UNTIMED = np.zeros(len(Constant) + len(MemoryColumn), np.int64)


def build_schedule(
    layers: Array, tensors: Array, hw: Hw, lp: Array, tp: Array, *, cold: bool = False
) -> Array:
    """All descriptors of a planned network.

    Parameters
    ----------
    layers, tensors, hw
        Of :mod:`sim.arrays.tables`.
    lp, tp : plans of :func:`sim.mapping.mapper.plan_network`
    cold : bool
        Whether the run fills the weight store, or finds in it what a run before has left.

    Returns
    -------
    rows : int64[n_descriptors, len(COLUMNS)]
        In program order; fields that a queue does not have are 0.
    """
    rows: Array = _schedule(layers, tensors, hw, lp, tp, _UNTIMED, False, cold, False)[0]
    return rows


def build_stream(
    layers: Array, tensors: Array, hw: Hw, lp: Array, tp: Array
) -> tuple[Array, Array]:
    """Descriptors of a run in a stream of images, and of the run before the first of them.

    Parameters
    ----------
    layers, tensors, hw, lp, tp
        As of :func:`build_schedule`; one image, whose input is in local memory that nothing else has.

    Returns
    -------
    rows : int64[n_descriptors, len(COLUMNS)]
        Of a warm run that finds its input on chip, and loads the next image's.
    first : int64[m_descriptors, len(COLUMNS)]
        Of a run that loads an input and nothing else.
    """
    rows: Array = _schedule(layers, tensors, hw, lp, tp, _UNTIMED, False, False, True)[0]
    first: Array = _first_input(layers, tensors, hw, lp, tp)
    return rows, first


@kernel
def _first_input(layers, tensors, hw, lp, tp):
    """Rows of the LOADs of an input."""
    ahead = NextInput(layers[0], lp[0], tensors[0], tensors[1], tp[0])
    listing = empty_listing(hw.pes_y + 1, 1, 0, True)
    _fetch_rest(listing, ahead, hw, input_rows(ahead, hw), 0)
    return listing.rows[: listing.numbers[COUNT]]


@in_place
def _fetch_rest(listing, ahead, hw, rows, layer):
    """LOAD all of ``rows`` that are not loaded."""
    while listing.numbers[FETCHED] < rows:
        fetch_rows(listing, ahead, hw, layer, rows)


def time_schedule(
    layers: Array,
    tensors: Array,
    hw: Hw,
    lp: Array,
    tp: Array,
    constants: Array,
    *,
    cold: bool = False,
) -> tuple[bool, int, int, int, int, int, int]:
    """Walk over a planned network's schedule without keeping it.

    Parameters
    ----------
    layers, tensors, hw, lp, tp, cold
        As of :func:`build_schedule`.
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.

    Returns
    -------
    fits : bool
        Whether every value is in the range of its field, as :func:`sim.schedule.listing.first_overflow` asks.
    cycles, execute_busy, read_bytes, write_bytes, store_bytes : int
        As of :func:`sim.timing.cycles.totals`.
    descriptors : int
        How many there are, the same in a cold and in a warm run.
    """
    figures: tuple[bool, int, int, int, int, int, int] = _schedule(
        layers, tensors, hw, lp, tp, constants, True, cold, False
    )[1:]
    return figures


@kernel
def _schedule(layers, tensors, hw, lp, tp, constants, timed, cold, streams):
    """Rows of all descriptors, or of none if ``timed``; then what :func:`time_schedule` returns.

    With ``streams`` the next image's input comes meanwhile, which is not timed here.
    """
    pes, images = hw.pes_y * hw.pes_x, hw.images
    most = most_descriptors(lp, tp, pes, images)
    kept = most_in_a_round(lp, tp, pes, images) if timed else most
    ahead = NextInput(layers[0], lp[0], tensors[0], tensors[1], tp[0])
    fetched = input_rows(ahead, hw) if streams else 0
    # one row more: a transfer without pixels is begun and dropped
    filled = 0 if cold else ALL_ROWS
    listing = empty_listing(kept + fetched + 1, most_templates(lp), filled, not timed)
    listing.numbers[TO_FETCH] = fetched
    clock = clock_at_doorbell(hw, constants, most if timed else 0)
    cut = 0
    while cut < layers.shape[0] and lp[cut, LayerPlan.IMAGES] < images:
        cut += 1
    # image after image through the layers before the cut, then all together through the others
    for place in range(cut * images + layers.shape[0] - cut):
        i, low = place - cut * (images - 1), 0
        if place < cut * images:
            i, low = place % cut, place // cut
        list_turn(i, low, layers, tensors, hw, lp, tp, listing, timed, constants, clock)
    _fetch_rest(listing, ahead, hw, fetched, layers.shape[0] - 1)
    cycles, busy, read, written, stored = totals(hw, constants, clock)
    rows = listing.rows[: 0 if timed else listing.numbers[COUNT]]
    count = listing.numbers[COUNT]
    return rows, listing.numbers[FITS] == 1, cycles, busy, read, written, stored, count


@kernel
def weigh_schedule(rows, count, hw):
    """Cycles that a schedule is taken to need, when schedules of a network are compared.

    In each of the ``count`` layers weights come while EXECUTE works, and tiles while it does not.
    Predictions do not use it.
    """
    computed = np.zeros(count, np.int64)
    weights = np.zeros(count, np.int64)
    stored = np.zeros(count, np.int64)
    moved = 0
    for row in rows:
        i = row[LAYER]
        if row[QUEUE] == Queue.EXECUTE:
            down, across = set_shape(row[OP], row[PIXELS])
            sets = ceil_div(row[WINDOW_ROWS], down) * ceil_div(row[WINDOW_COLUMNS], across)
            bands = ceil_div(row[WINDOW_ROWS], row[BAND_ROWS])
            computed[i] += sets * row[INTERVAL] + bands * row[ROW_LEAD] + row[HOLD]
            computed[i] += DRAIN_CYCLES * row[WAIT_DRAIN]
        elif row[QUEUE] == Queue.LOAD and row[KIND] == LoadKind.WEIGHTS:
            if row[STORE] == LoadStore.READ:
                stored[i] += stored_turns(row)
            else:
                weights[i] += row[STREAM_BEATS] * hw.bus_bytes
        else:
            vectors = row[GROUPS] * row[ROWS] * row[COLS]
            moved += vectors * row[VECTOR_BEATS] * hw.bus_bytes + TRANSFER_BYTES
    per_cycle = hw.bus_bytes * hw.earn
    total = moved * hw.cost // per_cycle
    for i in range(count):
        total += max(computed[i], stored[i] + weights[i] * hw.cost // per_cycle)
    return total
