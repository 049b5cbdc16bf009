"""The fields of LOAD and STORE descriptors: a layer's weights, and tiles of its tensors."""

from sim.arrays.geometry import ceil_div, groups_of
from sim.arrays.kernel import in_place
from sim.arrays.network_input import row_bytes, windows_per_vector
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.schedule_columns import (
    ADDRESS,
    COLS,
    COLUMN_LANES,
    GATHER,
    GROUP_STRIDE,
    GROUPS,
    IMAGE,
    KIND,
    LANE_MASK,
    LANES,
    LEAD,
    LENGTH,
    LOCAL_ADDRESS,
    LOCAL_MASK,
    LOCAL_PLANE,
    LOCAL_ROW,
    PAD_VALUE,
    PARAMETER_ROWS,
    PE_STEP,
    PE_VECTORS,
    PE_X,
    ROW_BYTES,
    ROW_STRIDE,
    ROWS,
    STEP,
    STORE,
    STORE_ROW,
    STREAM_BEATS,
    TABLE,
    TAIL_BEATS,
    TAIL_ROWS,
    VECTOR_BEATS,
    WEIGHT_ROWS,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import (
    layer_blocks,
    stream_beats,
    table_row_beats,
    tail_beats,
    tail_channels,
    tail_rows,
)
from sim.mapping.execution import read_channels
from sim.mapping.splits import split_bounds
from sim.spec.accelerator import DOT_WIDTH, TABLE_ROWS
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadStore, LoadTable
from sim.spec.network import FACTOR_BYTES

__all__ = [
    "factors_fields",
    "gather_fields",
    "mosaic_fields",
    "pe_columns",
    "shares_rows",
    "split_rows",
    "table_fields",
    "tile_fields",
    "weights_fields",
]


@in_place
def split_rows(layer, plan, channels, index):
    """(weight rows of the splits before ``index``, its own weight rows)."""
    if plan[LayerPlan.SPLITS] == 1:
        return 0, plan[LayerPlan.WEIGHT_ROWS]
    kernel_x, quads = layer[LayerColumn.KERNEL_X], ceil_div(channels, DOT_WIDTH)
    y0, y1, x0, x1, first, end = split_bounds(
        layer[LayerColumn.KERNEL_Y],
        kernel_x,
        quads,
        plan[LayerPlan.SPLIT_TAP_ROWS],
        plan[LayerPlan.SPLIT_TAP_COLUMNS],
        plan[LayerPlan.SPLIT_STEPS],
        index,
    )
    # taps above, taps to the left, steps before
    before = (y0 * kernel_x + (y1 - y0) * x0) * quads + (y1 - y0) * (x1 - x0) * first
    return before, (y1 - y0) * (x1 - x0) * (end - first)


@in_place
def weights_fields(row, layer, plan, source, target, hw, per_round, r, k):
    """Fill a weights LOAD of split ``k`` of round ``r``.

    Parameters come with the last split; rows that have a place in the weight store, from there. ``per_round`` are the
    output channel groups of a round; ``source`` and ``target`` are the rows of the tensor table.
    """
    before, own = split_rows(layer, plan, read_channels(layer, source, hw), k)
    if layer[LayerColumn.FACTORS] > 0:
        own = 0
    parameters, rows = plan[LayerPlan.PARAMETER_ROWS], plan[LayerPlan.WEIGHT_ROWS]
    shared, channels = layer[LayerColumn.SHARED], target[TensorColumn.CHANNELS]
    ahead = r * per_round  # blocks of the rounds before
    place = beats = 0
    active, tail = 1, hw.simd
    if layer[LayerColumn.INTERLEAVES]:
        ahead %= FACTOR_BYTES
    if not shared:
        left = layer_blocks(layer, channels, hw.simd) - ahead
        active = min(per_round, left)
        if active == left and not layer[LayerColumn.INTERLEAVES]:
            tail = tail_channels(channels, hw)
        place = ahead * (parameters + rows) + active * before
        if ahead > 0:
            beats = stream_beats(ahead, parameters, rows, hw.simd, hw)
        beats += stream_beats(active, 0, before, tail, hw)
    last = k == plan[LayerPlan.SPLITS] - 1
    row[KIND] = LoadKind.WEIGHTS
    row[LANES] = active
    row[ADDRESS] = plan[LayerPlan.BLOCK_ADDRESS] + beats * hw.bus_bytes
    row[PARAMETER_ROWS] = parameters if last else 0
    row[WEIGHT_ROWS] = own
    if last and plan[LayerPlan.TABLE_ADDRESS] > 0:
        row[TABLE] = LoadTable.USE
    if place + active * (row[PARAMETER_ROWS] + own) <= plan[LayerPlan.STORED_ROWS]:
        row[STORE], row[STORE_ROW] = LoadStore.READ, plan[LayerPlan.STORE_ROW] + place
    row[STREAM_BEATS] = stream_beats(active, row[PARAMETER_ROWS], own, tail, hw)
    row[TAIL_BEATS] = tail_beats(tail, hw)
    row[TAIL_ROWS] = tail_rows(tail, row[PARAMETER_ROWS], hw)
    _lane_fields(row, plan, hw, shared)


@in_place
def factors_fields(row, plan, tensor_plan, target, hw, per_round, r, image):
    """Fill a LOAD of register-file rows that are values of a tensor: the factors of round ``r`` of a product.

    ``tensor_plan`` is the tensor's, ``target`` the product's row of the tensor table. A vector of the product has a row, which is
    FACTOR_BYTES vectors of the tensor.
    """
    channels, ahead = target[TensorColumn.CHANNELS], r * per_round
    left = groups_of(channels, hw.simd) - ahead
    active, tail = min(per_round, left), hw.simd
    if active == left:
        tail = tail_channels(channels, hw)
    image_bytes = tensor_plan[TensorPlan.IMAGE_GROUPS] * tensor_plan[TensorPlan.PIXEL_BYTES]
    row[KIND] = LoadKind.WEIGHTS
    row[LANES], row[WEIGHT_ROWS] = active, 1
    row[ADDRESS] = tensor_plan[TensorPlan.EXTERNAL] + image * image_bytes
    row[ADDRESS] += ahead * FACTOR_BYTES * hw.simd
    row[STREAM_BEATS] = stream_beats(active, 0, 1, tail, hw)
    row[TAIL_BEATS] = tail_beats(tail, hw)
    row[IMAGE] = image
    _lane_fields(row, plan, hw, False)


@in_place
def _lane_fields(row, plan, hw, shared):
    """Fill the lanes that take a weights LOAD's blocks; all lanes where they share a block."""
    lanes = hw.lanes // plan[LayerPlan.PIXELS]
    step = 1 if shared else lanes
    if plan[LayerPlan.SPREAD] > 0 and not shared:
        row[COLUMN_LANES] = lanes
    # a lane stores to every lanes-th bank
    first = plan[LayerPlan.OUT_BANK] % lanes
    for lane in range(first, hw.lanes, step):
        row[LANE_MASK] |= 1 << lane


@in_place
def table_fields(row, plan, hw):
    """Fill a LOAD of a layer's activation table: a block of its rows, each with as many beats as it needs."""
    row[KIND], row[TABLE] = LoadKind.WEIGHTS, LoadTable.FILL
    row[ADDRESS] = plan[LayerPlan.TABLE_ADDRESS]
    row[LANES], row[WEIGHT_ROWS] = 1, TABLE_ROWS
    row[TAIL_BEATS] = table_row_beats(hw)
    row[STREAM_BEATS] = TABLE_ROWS * row[TAIL_BEATS]


@in_place
def pe_columns(layer, plan):
    """(columns of a loaded input that a PE reads, columns from a PE's first to the next PE's): pixels or windows."""
    own, pitch = plan[LayerPlan.IN_TILE_X], plan[LayerPlan.TILE_X]
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        return pitch, pitch
    if layer[LayerColumn.OP] == ExecuteOp.POOL:
        return own, own
    if layer[LayerColumn.OP] < ExecuteOp.ADD:
        pitch *= layer[LayerColumn.STRIDE_X]
    return own, pitch


@in_place
def shares_rows(layer, pixel_bytes, hw, columns, pe_pitch):
    """Whether a LOAD can gather the network's input for all PEs of a row, if it does not lie in strips.

    Where a PE's ``columns`` begin to the left of the last vector of the PE before, LOAD must still have the bytes: as many
    as a vector has.
    """
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        return True
    return (columns - pe_pitch) * pixel_bytes <= hw.simd


@in_place
def gather_fields(
    row, layer, tensor, plan, hw, image, y, x, n_y, n_x, pes, pe_pitch, local, local_row
):
    """Fill a LOAD that gathers image rows y … y + n_y - 1 of the network's input.

    ``x``, ``n_x`` and ``pe_pitch`` count the columns of the input as the layer reads it: pixels, or windows of a row. It is for ``pes``
    PEs of a row, the first of which reads ``n_x`` columns from ``x`` on, the others ``pe_pitch`` further each. Returns False if no row
    or column is in the image.
    """
    height, columns = tensor[TensorColumn.HEIGHT], tensor[TensorColumn.WIDTH]
    top, bottom = max(0, y), min(height, y + n_y)
    # PEs before or behind the image take no part
    while pes > 1 and x + n_x <= 0:
        x += pe_pitch
        pes -= 1
        row[PE_X] += 1
    last = min(pes - 1, (columns - 1 - x) // pe_pitch) if x < columns else 0
    left = max(0, x) if last == 0 else x
    begin = x + last * pe_pitch  # of the last PE
    right = min(columns, begin + n_x)
    if top >= bottom or max(0, left) >= right:
        return False
    pixels, pitch, pad = 1, 1, 0
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        pixels, pitch = layer[LayerColumn.WINDOW_PIXELS], layer[LayerColumn.WINDOW_STRIDE]
        pad = layer[LayerColumn.WINDOW_PAD]
    windows = windows_per_vector(layer, hw.simd)
    size, row_size = plan[TensorPlan.PIXEL_BYTES], row_bytes(layer, tensor)
    first = left * pitch - pad
    start, end = max(0, first), min(row_size // size, (right - 1) * pitch - pad + pixels)
    row[GATHER] = 1
    row[ADDRESS] = plan[TensorPlan.EXTERNAL] + (image * height + top) * row_size + start * size
    row[LOCAL_ADDRESS] = (local + (top - y) * local_row + (left - x) // windows) & LOCAL_MASK
    row[GROUPS] = 1
    row[ROWS] = bottom - top
    row[COLS] = ceil_div(right - left, windows)
    row[LOCAL_ROW] = local_row
    row[ROW_STRIDE] = row_size
    row[ROW_BYTES] = (end - start) * size
    row[LEAD] = (start - first) * size
    row[STEP] = windows * pitch * size
    row[LENGTH] = ((windows - 1) * pitch + pixels) * size
    row[PAD_VALUE] = layer[LayerColumn.PAD_VALUE]
    if last > 0:
        row[PE_VECTORS] = ceil_div(n_x, windows)
        row[COLS] = last * row[PE_VECTORS] + ceil_div(right - begin, windows)
        row[PE_STEP] = pe_pitch * pitch * size - (row[PE_VECTORS] - 1) * row[STEP]
    return True


@in_place
def tile_fields(
    row, tensor, plan, bus, first_group, groups, y, x, n_y, n_x, local, local_row, local_plane
):
    """Fill a tile transfer of image rows y … y + n_y - 1; returns False if none is in the image."""
    height, width = tensor[TensorColumn.HEIGHT], tensor[TensorColumn.WIDTH]
    size = plan[TensorPlan.PIXEL_BYTES]
    top, bottom = max(0, y), min(height, y + n_y)
    left, right = max(0, x), min(width, x + n_x)
    if top >= bottom or left >= right:
        return False
    place = (first_group * height + top) * width + left
    row[ADDRESS] = plan[TensorPlan.EXTERNAL] + place * size
    row[LOCAL_ADDRESS] = (local + (top - y) * local_row + (left - x)) & LOCAL_MASK
    row[GROUPS] = groups
    row[ROWS] = bottom - top
    row[COLS] = right - left
    row[LOCAL_PLANE] = local_plane
    row[LOCAL_ROW] = local_row
    row[GROUP_STRIDE] = height * width * size
    row[ROW_STRIDE] = width * size
    row[VECTOR_BEATS] = size // bus
    return True


@in_place
def mosaic_fields(
    row, tensor, whole, plan, bus, first_group, groups, y, x, n_y, n_x, local, local_row, local_plane, place,
):  # fmt: skip
    """Fill STORE ``place`` of a tile of a mosaic's part, from its rows y … y + n_y - 1; returns False if it has none.

    ``whole`` is the mosaic's row of the tensor table, or that of the concatenation that it is part of. Where columns lie side by side
    there, a tile is stored at once for each of the times, else a row or a column of it, whichever are fewer.
    """
    rows = min(tensor[TensorColumn.HEIGHT], y + n_y) - y
    columns = min(tensor[TensorColumn.WIDTH], x + n_x) - x
    if rows <= 0 or columns <= 0:
        return False
    size, pitch = plan[TensorPlan.PIXEL_BYTES], whole[TensorColumn.WIDTH]
    step_y, step_x = tensor[TensorColumn.STEP_Y], tensor[TensorColumn.STEP_X]
    apart = min(rows, columns) if step_x > 1 else 1
    time, line = place // apart, place % apart
    if time >= tensor[TensorColumn.TIMES_Y] * tensor[TensorColumn.TIMES_X]:
        return False
    down, right = time // tensor[TensorColumn.TIMES_X], time % tensor[TensorColumn.TIMES_X]
    from_y, from_x = 0, 0
    row[ROWS], row[COLS], row[LOCAL_ROW], row[ROW_STRIDE] = rows, columns, local_row, step_y * pitch
    if (
        step_x > 1 and rows <= columns
    ):  # a row of the tile: each of its pixels is a row of the STORE
        from_y = line
        row[ROWS], row[COLS], row[LOCAL_ROW], row[ROW_STRIDE] = columns, 1, 1, step_x
    elif step_x > 1:
        from_x = line
        row[COLS] = 1
    top = tensor[TensorColumn.BEGIN_Y] + (y + from_y) * step_y + down
    left = tensor[TensorColumn.BEGIN_X] + (x + from_x) * step_x + right
    start = (first_group * whole[TensorColumn.HEIGHT] + top) * pitch + left
    row[ADDRESS] = plan[TensorPlan.EXTERNAL] + start * size
    row[LOCAL_ADDRESS] = (local + from_y * local_row + from_x) & LOCAL_MASK
    row[GROUPS] = groups
    row[LOCAL_PLANE] = local_plane
    row[GROUP_STRIDE] = whole[TensorColumn.HEIGHT] * pitch * size
    row[ROW_STRIDE] *= size
    row[VECTOR_BEATS] = size // bus
    return True
