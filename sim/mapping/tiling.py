"""Layers that run tile by tile through local memory: what a tile takes, and which tile is best."""

from sim.arrays.geometry import ceil_div, groups_of, pixel_bytes
from sim.arrays.kernel import in_place
from sim.arrays.network_input import input_columns, input_cycles
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bank_room import BEYOND, LEAST, MOST, fits, note_depths
from sim.mapping.execution import NO_HALO, choose_pixels, layer_work, read_channels, weight_blocks
from sim.mapping.known import OF_TILING, write_shapes, write_work
from sim.mapping.memo import KEY, keep, look_up
from sim.spec.descriptor import ExecuteOp

__all__ = ["choose_tiling", "extent", "lay_out"]

PASS_CYCLES = 60
"""Cycles that a pass is taken to cost beside its bytes and windows when tilings are weighed."""

TILE_CYCLES = 8
"""Cycles that every PE's tile in a pass is taken to cost."""

ROW_CYCLES = 1
"""Cycles that every row of a tile transfer is taken to cost; predictions use none of these."""


@in_place
def extent(layer, tile_y, tile_x, simd):
    """Rows and columns of vectors that one PE's output tile reads, padding included."""
    if layer[LayerColumn.OP] == ExecuteOp.ADD:
        return tile_y, tile_x
    rows = (tile_y - 1) * layer[LayerColumn.STRIDE_Y] + layer[LayerColumn.KERNEL_Y]
    columns = (tile_x - 1) * layer[LayerColumn.STRIDE_X] + layer[LayerColumn.KERNEL_X]
    return rows, input_columns(layer, columns, simd)


@in_place
def _input_tile(layer, source, tile_y, tile_x, hw):
    if layer[LayerColumn.OP] == ExecuteOp.POOL:
        return ceil_div(source[TensorColumn.HEIGHT], hw.pes_y), ceil_div(
            source[TensorColumn.WIDTH], hw.pes_x
        )
    return extent(layer, tile_y, tile_x, hw.simd)


@in_place
def _need(layer, source, target, tile_y, tile_x, whole, hw):
    """Vectors per bank of a tile's operands and outputs.

    With ``whole`` all output groups are there at once, else those of one vector per bank, and
    (but for CONV) their inputs.
    """
    op, lanes, simd = layer[LayerColumn.OP], hw.lanes, hw.simd
    rows, columns = _input_tile(layer, source, tile_y, tile_x, hw)
    operands = 2 if op == ExecuteOp.ADD else 1
    planes = ceil_div(groups_of(source[TensorColumn.CHANNELS], simd), lanes)
    outputs = ceil_div(groups_of(target[TensorColumn.CHANNELS], simd), lanes)
    if not whole:
        outputs = 1
        if op != ExecuteOp.CONV:
            planes = 1
    return operands * planes * rows * columns + outputs * tile_y * tile_x


@in_place
def lay_out(layer, source, target, hw, plan, tile_y, tile_x, pixels, whole):
    """Fill the plan of a layer that runs tile by tile through an empty local memory.

    Parameters
    ----------
    layer : int64[len(LayerColumn)], source, target : int64[len(TensorColumn)], hw : Hw
        Rows of the tables of :mod:`sim.arrays.tables`.
    plan : int64[len(LayerPlan)]
        Changed.
    tile_y, tile_x : int
        Output rows and columns per PE.
    pixels : int
        Pixels computed at once.
    whole : bool
        All output groups of a tile are in local memory at once.
    """
    op, lanes, simd = layer[LayerColumn.OP], hw.lanes, hw.simd
    rows, columns = _input_tile(layer, source, tile_y, tile_x, hw)
    area = rows * columns
    operands = 2 if op == ExecuteOp.ADD else 1
    planes = ceil_div(groups_of(source[TensorColumn.CHANNELS], simd), lanes)
    if not whole and op != ExecuteOp.CONV:
        planes = 1
    plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X] = tile_y, tile_x
    plan[LayerPlan.PASSES_Y] = ceil_div(target[TensorColumn.HEIGHT], tile_y * hw.pes_y)
    plan[LayerPlan.PASSES_X] = ceil_div(target[TensorColumn.WIDTH], tile_x * hw.pes_x)
    plan[LayerPlan.PIXELS] = pixels
    plan[LayerPlan.SPREAD] = plan[LayerPlan.SOURCES] = plan[LayerPlan.IN_STRIPS] = 0
    plan[LayerPlan.IN_BANK] = plan[LayerPlan.OUT_BANK] = 0
    plan[LayerPlan.ROUNDS] = ceil_div(
        groups_of(target[TensorColumn.CHANNELS], simd), lanes // pixels
    )
    plan[LayerPlan.CHUNK] = plan[LayerPlan.ROUNDS] if whole else pixels
    plan[LayerPlan.LOADED] = 1
    plan[LayerPlan.LOADED2] = operands - 1
    plan[LayerPlan.IN_ADDRESS], plan[LayerPlan.IN2_ADDRESS] = 0, planes * area
    plan[LayerPlan.IN_ROW] = plan[LayerPlan.IN2_ROW] = columns
    plan[LayerPlan.IN_PLANE] = plan[LayerPlan.IN2_PLANE] = area
    plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X] = rows, columns
    plan[LayerPlan.OUT_ADDRESS] = operands * planes * area
    plan[LayerPlan.OUT_ROW] = tile_x
    plan[LayerPlan.OUT_PLANE] = tile_y * tile_x
    plan[LayerPlan.HALO_TOP] = plan[LayerPlan.HALO_BOTTOM] = 0
    plan[LayerPlan.HALO_LEFT] = plan[LayerPlan.HALO_RIGHT] = 0


@in_place
def _bus_cycles(size, hw):
    return size * hw.cost // (hw.bus_bytes * hw.earn)


@in_place
def _weigh(work, layer, source, target, tile_y, tile_x, whole, hw):
    """(cycles, pixels) of all passes with that tile, as tilings are weighed."""
    simd, bus = hw.simd, hw.bus_bytes
    rows, columns = _input_tile(layer, source, tile_y, tile_x, hw)
    images, groups = hw.images, groups_of(target[TensorColumn.CHANNELS], simd)
    pixels, cycles, transfer = choose_pixels(
        work,
        layer,
        tile_y,
        tile_x,
        rows,
        columns,
        NO_HALO,
        0,
        hw,
    )
    pes_y, pes_x = hw.pes_y, hw.pes_x
    passes_y, passes_x = (
        ceil_div(target[TensorColumn.HEIGHT], tile_y * pes_y),
        ceil_div(target[TensorColumn.WIDTH], tile_x * pes_x),
    )
    operands = 2 if layer[LayerColumn.OP] == ExecuteOp.ADD else 1
    # of all images
    in_groups = groups_of(source[TensorColumn.CHANNELS], simd) * operands * images
    out_groups = groups * images
    read_rows, read_columns = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
    if layer[LayerColumn.OP] < ExecuteOp.ADD:
        # what neighbouring tiles share is read twice, what strides leave out between them not at all
        shared_y = rows - tile_y * layer[LayerColumn.STRIDE_Y]
        shared_x = 0
        if layer[LayerColumn.WINDOW_PIXELS] == 0:
            shared_x = columns - tile_x * layer[LayerColumn.STRIDE_X]
        read_rows = max(
            rows, read_rows + (ceil_div(target[TensorColumn.HEIGHT], tile_y) - 1) * shared_y
        )
        if layer[LayerColumn.WINDOW_PIXELS] == 0:
            read_columns = max(
                columns,
                read_columns + (ceil_div(target[TensorColumn.WIDTH], tile_x) - 1) * shared_x,
            )
    if layer[LayerColumn.INPUT] == 0:
        loads = operands * images * read_rows * input_cycles(layer, source, read_columns, hw)
        loads //= source[TensorColumn.HEIGHT]
    else:
        loads = _bus_cycles(
            read_rows
            * read_columns
            * in_groups
            * pixel_bytes(source[TensorColumn.CHANNELS], simd, bus),
            hw,
        )
    stores = _bus_cycles(
        target[TensorColumn.HEIGHT]
        * target[TensorColumn.WIDTH]
        * out_groups
        * pixel_bytes(target[TensorColumn.CHANNELS], simd, bus),
        hw,
    )
    passes = passes_y * passes_x
    blocks = weight_blocks(work, layer, pixels, 0, hw)
    if blocks > 2:
        transfer *= passes
    own = passes * cycles
    if not whole:
        # stores of one chunk run while weights for the next one come
        own += stores
        stores = passes * PASS_CYCLES * ceil_div(groups, hw.lanes)
    total = loads + max(own, transfer) + min(own, transfer) // (blocks * passes) + stores
    total += passes * (PASS_CYCLES + TILE_CYCLES * images * pes_y * pes_x)
    total += ROW_CYCLES * (read_rows * in_groups + target[TensorColumn.HEIGHT] * out_groups)
    return total, pixels


@in_place
def choose_tiling(layer, source, target, hw, plan, memo, depths):
    """Choose a layer's tile and fill its plan; returns the vectors per bank that lack, or 0.

    ``memo`` is of :mod:`sim.mapping.memo`, ``depths`` of :mod:`sim.mapping.bank_room`.
    """
    channels = read_channels(layer, source, hw)
    work = layer_work(layer, channels, target[TensorColumn.CHANNELS], hw)
    length = write_shapes(memo, write_work(memo, OF_TILING, work, layer, hw), source, target)
    place = KEY + length
    memo[place], memo[place + 1], memo[place + 2] = hw.bank_depth, hw.bus_bytes, hw.earn
    memo[place + 3], memo[place + 4] = hw.cost, 1 if layer[LayerColumn.INPUT] == 0 else 0
    length += 5
    result = look_up(memo, length)
    if result == 0:
        result = keep(memo, length, 7)
        same = memo[result + 5 : result + 7]
        same[LEAST], same[BEYOND] = 0, MOST
        short, tile_y, tile_x, pixels, whole = _best_tiling(work, layer, source, target, hw, same)
        memo[result], memo[result + 1], memo[result + 2] = short, tile_y, tile_x
        memo[result + 3], memo[result + 4] = pixels, 1 if whole else 0
    note_depths(memo[result + 5], memo[result + 6], depths)
    if memo[result] == 0:
        lay_out(
            layer, source, target, hw, plan,
            memo[result + 1], memo[result + 2], memo[result + 3], memo[result + 4] == 1,
        )  # fmt: skip
    return memo[result]


@in_place
def _best_tiling(work, layer, source, target, hw, depths):
    """(vectors per bank that lack, or 0; rows, columns, pixels of a tile; whether it holds all outputs).

    Weighs, for every number of passes along one axis, the fewest along the other that fit.
    """
    depth = hw.bank_depth
    most_y, most_x = (
        ceil_div(target[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(target[TensorColumn.WIDTH], hw.pes_x),
    )
    best, best_y, best_x, best_pixels, best_whole = -1, 0, 0, 1, True
    for whole in (True, False):
        tile_x, last_y = 1, most_y + 1
        for passes_y in range(1, most_y + 1):
            tile_y = ceil_div(most_y, passes_y)
            if tile_y == last_y:
                continue
            last_y = tile_y
            need = _need(layer, source, target, tile_y, tile_x, whole, hw)
            if not fits(need, depth, depths):
                continue
            while tile_x < most_x and fits(
                _need(layer, source, target, tile_y, tile_x + 1, whole, hw), depth, depths
            ):
                tile_x += 1
            even = ceil_div(most_x, ceil_div(most_x, tile_x))
            cycles, pixels = _weigh(work, layer, source, target, tile_y, even, whole, hw)
            if best < 0 or cycles < best:
                best, best_y, best_x = cycles, tile_y, even
                best_pixels, best_whole = pixels, whole
            if tile_x == most_x and layer[LayerColumn.KERNEL_Y] >= layer[LayerColumn.STRIDE_Y]:
                break
    if best < 0:
        return _need(layer, source, target, 1, 1, False, hw) - depth, 0, 0, 0, False
    return 0, best_y, best_x, best_pixels, best_whole
