"""The schedule: every descriptor of a mapped network, in program order, with its tokens.

The compiler encodes these rows, the cycle model walks them; there is no other list. Where only totals are
asked for, :mod:`sim.schedule.timed` finds them without rows.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, set_shape
from sim.arrays.kernel import in_place, kernel
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
from sim.mapping.descriptor_counts import most_descriptors, most_templates
from sim.schedule.listing import ALL_ROWS, COUNT, FETCHED, TO_FETCH, empty_listing
from sim.schedule.next_input import NextInput, fetch_rows, input_rows
from sim.schedule.order import first_together, layer_of_turn, list_turn
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.timing.transfers import stored_turns

__all__ = ["build_schedule", "build_stream", "weigh_schedule"]

Array = NDArray[np.int64]

DRAIN_CYCLES = 40
"""Cycles that waiting for the drain is taken to cost when schedules are compared."""

TRANSFER_BYTES = 512
"""Bytes that a tile transfer is taken to cost beside its own when schedules are compared."""


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
    rows: Array = _schedule(layers, tensors, hw, lp, tp, cold, False)
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
    rows: Array = _schedule(layers, tensors, hw, lp, tp, False, True)
    first: Array = _first_input(layers, tensors, hw, lp, tp)
    return rows, first


@kernel
def _first_input(layers, tensors, hw, lp, tp):
    """Rows of the LOADs of an input."""
    ahead = NextInput(layers[0], lp[0], tensors[0], tensors[1], tp[0])
    listing = empty_listing(hw.pes_y + 1, 1, 0)
    _fetch_rest(listing, ahead, hw, input_rows(ahead, hw), 0)
    return listing.rows[: listing.numbers[COUNT]]


@in_place
def _fetch_rest(listing, ahead, hw, rows, layer):
    """LOAD all of ``rows`` that are not loaded."""
    while listing.numbers[FETCHED] < rows:
        fetch_rows(listing, ahead, hw, layer, rows)


@kernel
def _schedule(layers, tensors, hw, lp, tp, cold, streams):
    """Rows of all descriptors; with ``streams`` the next image's input comes meanwhile."""
    ahead = NextInput(layers[0], lp[0], tensors[0], tensors[1], tp[0])
    fetched = input_rows(ahead, hw) if streams else 0
    most = most_descriptors(lp, tp, hw.pes_y * hw.pes_x, hw.images)
    # one row more: a transfer without pixels is begun and dropped
    listing = empty_listing(most + fetched + 1, most_templates(lp), 0 if cold else ALL_ROWS)
    listing.numbers[TO_FETCH] = fetched
    cut = first_together(lp, hw.images)
    for place in range(cut * (hw.images - 1) + layers.shape[0]):
        i, low = layer_of_turn(place, cut, hw.images)
        list_turn(i, low, layers, tensors, hw, lp, tp, listing)
    _fetch_rest(listing, ahead, hw, fetched, layers.shape[0] - 1)
    return listing.rows[: listing.numbers[COUNT]]


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
