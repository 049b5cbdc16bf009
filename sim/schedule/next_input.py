"""The next image's input, loaded piece by piece while this image is computed.

The input lies in the last bank, and in local memory that nothing else has. Once the first layer has read it, rows of the next image may
take its place whenever no EXECUTE or STORE uses that bank, as it has a single port: a piece starts after the last of them that did, and the
next that does starts after the piece. Pieces come behind the weights of the next round, and are as large as what EXECUTE computes meanwhile allows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, set_shape
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import (
    BAND_ROWS,
    BANK,
    GROUPS,
    HOLD,
    INTERVAL,
    KIND,
    LANES,
    OP,
    OUT_BANK,
    PE_Y,
    PIXELS,
    ROW_LEAD,
    SPREAD,
    STORE,
    STREAM_BEATS,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.schedule.listing import (
    FETCHED,
    LAST_BANK_STORE,
    LAST_DURATION,
    PIECE,
    SLACK,
    STORING,
    add,
    begin,
    require,
)
from sim.schedule.transfer_fields import gather_fields, pe_columns
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadStore, Queue
from sim.timing.transfer_unit import stored_turns

__all__ = ["NextInput", "fetch_beside", "fetch_rows", "input_rows", "note_execute", "note_weights"]

LEAST_ROWS = 4
"""Rows of a piece at least, if there are as many."""

PIECE_CYCLES = 24
"""Cycles that a piece is taken to cost beside its rows."""


class NextInput(NamedTuple):
    """First layer of a network, and its input.

    Parameters
    ----------
    layer, plan : int64[n]
        Rows of the layer table and of the layer plan.
    tensor, target : int64[len(TensorColumn)]
        The network's input and the layer's output.
    tensor_plan : int64[len(TensorPlan)]
        Row of the input.
    """

    layer: NDArray[np.int64]
    plan: NDArray[np.int64]
    tensor: NDArray[np.int64]
    target: NDArray[np.int64]
    tensor_plan: NDArray[np.int64]


@in_place
def input_rows(ahead, hw):
    """Rows that the PEs of a column read, each its own and its halo."""
    active = min(
        hw.pes_y, ceil_div(ahead.target[TensorColumn.HEIGHT], ahead.plan[LayerPlan.TILE_Y])
    )
    return active * ahead.plan[LayerPlan.IN_TILE_Y]


@in_place
def fetch_rows(listing, ahead, hw, layer, most):
    """LOAD up to ``most`` further rows for the PEs of a row; descriptors count as those of ``layer``.

    Returns the number of rows, also of those that lie outside of the image and are not loaded.
    """
    numbers, plan = listing.numbers, ahead.plan
    pe_y, first = (
        numbers[FETCHED] // plan[LayerPlan.IN_TILE_Y],
        numbers[FETCHED] % plan[LayerPlan.IN_TILE_Y],
    )
    rows = min(most, plan[LayerPlan.IN_TILE_Y] - first)
    numbers[FETCHED] += rows
    y = pe_y * plan[LayerPlan.TILE_Y] * ahead.layer[LayerColumn.STRIDE_Y]
    y += first - ahead.layer[LayerColumn.PAD_Y]
    n_x, pitch = pe_columns(ahead.layer, plan)
    row = listing.rows[begin(listing, Queue.LOAD, layer)]
    pes = min(hw.pes_x, ceil_div(ahead.target[TensorColumn.WIDTH], plan[LayerPlan.TILE_X]))
    local = plan[LayerPlan.IN_ADDRESS] + first * plan[LayerPlan.IN_ROW]
    some = gather_fields(
        row, ahead.layer, ahead.tensor, ahead.tensor_plan, hw, 0, y, -ahead.layer[LayerColumn.PAD_X],
        rows, n_x, pes, pitch, local, plan[LayerPlan.IN_ROW],
    )  # fmt: skip
    if some:
        row[KIND], row[PE_Y] = LoadKind.TILE, pe_y
        row[BANK] = plan[LayerPlan.IN_BANK]
        require(listing, row, Queue.EXECUTE, numbers[STORING])
        require(listing, row, Queue.STORE, numbers[LAST_BANK_STORE])
        numbers[PIECE] = add(listing)
    return rows


@in_place
def fetch_beside(listing, ahead, hw, layer):
    """LOAD as many rows as fit beside what EXECUTE computes meanwhile."""
    numbers, place = listing.numbers, listing.numbers[FETCHED]
    if numbers[SLACK] <= PIECE_CYCLES:
        return
    # a row of the image takes as long as the bus or the vectors need
    size = hw.bus_bytes * hw.earn
    count = ahead.plan[LayerPlan.IN_ROW] * hw.pes_x
    bytes_of_row = ahead.tensor[TensorColumn.WIDTH] * ahead.tensor[TensorColumn.CHANNELS]
    if ahead.layer[LayerColumn.WINDOW_PIXELS] > 0:
        bytes_of_row = (
            ahead.layer[LayerColumn.IMAGE_WIDTH] * ahead.layer[LayerColumn.IMAGE_CHANNELS]
        )
    cycles = max(count, ceil_div(bytes_of_row * hw.cost, size))
    own = ahead.plan[LayerPlan.IN_TILE_Y]
    rows = min((numbers[SLACK] - PIECE_CYCLES) // cycles, own - place % own)
    if rows < min(LEAST_ROWS, own - place % own):
        return
    fetch_rows(listing, ahead, hw, layer, rows)
    numbers[SLACK] -= rows * cycles + PIECE_CYCLES


@in_place
def note_weights(listing, hw, row):
    """Note that weights come before further pieces, while the last EXECUTE computes."""
    numbers = listing.numbers
    if row[STORE] == LoadStore.READ:
        cycles = stored_turns(row)
    else:
        cycles = ceil_div(row[STREAM_BEATS] * hw.cost, hw.earn)
    numbers[SLACK] = max(0, min(numbers[SLACK], numbers[LAST_DURATION]) - cycles)


@in_place
def _uses(row, bank, lanes):
    """Whether an EXECUTE may read a bank or store to it, as the gateware's ``bank_busy`` has it."""
    op, first = row[OP], row[BANK]
    if row[LANES] > 0 and (row[SPREAD] or row[OUT_BANK] <= bank < row[OUT_BANK] + row[LANES]):
        return True
    if op == ExecuteOp.POOL:
        return True
    groups = row[GROUPS] if op == ExecuteOp.CONV else lanes // row[PIXELS]
    return first + groups > lanes or first <= bank < first + groups


@in_place
def note_execute(listing, ahead, row, hw, layer):
    """Note an EXECUTE; return whether it keeps pieces away.

    It does if it uses the input's bank, or reads the input.
    """
    numbers, bank = listing.numbers, ahead.plan[LayerPlan.IN_BANK]
    if layer == 0 or _uses(row, bank, hw.lanes):
        numbers[SLACK] = numbers[LAST_DURATION] = 0
        return True
    down, across = set_shape(row[OP], row[PIXELS])
    sets = ceil_div(row[WINDOW_ROWS], down) * ceil_div(row[WINDOW_COLUMNS], across)
    duration = sets * row[INTERVAL] + row[HOLD]
    duration += ceil_div(row[WINDOW_ROWS], row[BAND_ROWS]) * row[ROW_LEAD]
    numbers[SLACK] += duration
    numbers[LAST_DURATION] = duration
    return False
