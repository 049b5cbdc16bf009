"""The fields of LOAD and STORE descriptors: a layer's weights, and tiles of its tensors."""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.schedule_columns import (
    ADDRESS,
    COLS,
    COLUMN_LANES,
    GROUP_STRIDE,
    GROUPS,
    KIND,
    LANE_MASK,
    LANES,
    LOCAL_ADDRESS,
    LOCAL_MASK,
    LOCAL_PLANE,
    LOCAL_ROW,
    PARAMETER_ROWS,
    ROW_STRIDE,
    ROWS,
    STORE,
    STORE_ROW,
    VECTOR_BEATS,
    WEIGHT_ROWS,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.splits import split_bounds
from sim.spec.accelerator import DOT_WIDTH
from sim.spec.descriptor import LoadKind, LoadStore

__all__ = ["split_rows", "tile_fields", "weights_fields"]


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
def weights_fields(row, layer, plan, channels, hw, per_round, r, k, active):
    """Fill a weights LOAD of split ``k`` of round ``r``, of ``active`` lanes.

    Parameters come with the last split; rows that have a place in the weight store, from there. ``per_round`` are the output channel groups of a round.
    """
    before, own = split_rows(layer, plan, channels, k)
    parameters = plan[LayerPlan.PARAMETER_ROWS]
    place = r * per_round * (parameters + plan[LayerPlan.WEIGHT_ROWS]) + active * before
    row[KIND] = LoadKind.WEIGHTS
    row[LANES] = active
    row[ADDRESS] = plan[LayerPlan.BLOCK_ADDRESS] + place * DOT_WIDTH * hw.simd
    if plan[LayerPlan.STORE_ROW] >= 0:
        row[STORE], row[STORE_ROW] = LoadStore.READ, plan[LayerPlan.STORE_ROW] + place
    row[PARAMETER_ROWS] = parameters if k == plan[LayerPlan.SPLITS] - 1 else 0
    row[WEIGHT_ROWS] = own
    lanes = hw.lanes // plan[LayerPlan.PIXELS]
    step = 1 if layer[LayerColumn.SHARED] else lanes
    if plan[LayerPlan.SPREAD] > 0 and not layer[LayerColumn.SHARED]:
        row[COLUMN_LANES] = lanes
    for lane in range(0, hw.lanes, step):
        row[LANE_MASK] |= 1 << lane


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
