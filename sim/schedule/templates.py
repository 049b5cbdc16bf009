"""EXECUTEs of a pass of a layer, which its rounds repeat, and the order of passes and PEs."""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import AFTER, LAYER, PASS, QUEUE, WIDTH
from sim.mapping.borders import block_rows
from sim.schedule.execute_fields import execute_fields, move_to_pass
from sim.spec.descriptor import Queue

__all__ = ["fill_templates", "first_output", "move_templates", "next_pe"]


@in_place
def move_templates(listing, turn, hw, pass_x, p):
    """Move the EXECUTEs of the pass before to pass ``p``, in column ``pass_x`` of the passes."""
    down, right = 0, 1
    if pass_x == 0:
        down, right = 1, 1 - turn.plan[LayerPlan.PASSES_X]
    for place in range(turn.sets):
        row = listing.templates[place]
        move_to_pass(row, hw, down, right)
        row[PASS] = p


@in_place
def fill_templates(listing, turn, hw, pass_y, pass_x, p, variant):
    """EXECUTEs of pass ``p``, as in round 0 of a chunk, with the times of rounds of that variant."""
    plan, splits = turn.plan, turn.plan[LayerPlan.SPLITS]
    across = ceil_div(plan[LayerPlan.TILE_X], plan[LayerPlan.BLOCK_COLUMNS])
    for place in range(turn.sets):
        row, block = listing.templates[place], place // splits
        for j in range(WIDTH):
            row[j] = 0
        row[QUEUE] = Queue.EXECUTE
        for queue in range(3):
            row[AFTER[queue]] = -1
        row[LAYER], row[PASS] = turn.number, p
        y, rows = block_rows(plan, block // across)
        x = block % across * plan[LayerPlan.BLOCK_COLUMNS]
        execute_fields(
            row,
            turn.layer,
            plan,
            turn.source,
            hw,
            pass_y,
            pass_x,
            variant,
            place % splits,
            y,
            rows,
            x,
        )


@in_place
def first_output(plan, hw, p):
    """Row and column of the first PE's first output pixel in pass ``p``."""
    if p == 0:
        return 0, 0
    pass_y, pass_x = p // plan[LayerPlan.PASSES_X], p % plan[LayerPlan.PASSES_X]
    return pass_y * hw.pes_y * plan[LayerPlan.TILE_Y], pass_x * hw.pes_x * plan[LayerPlan.TILE_X]


@in_place
def next_pe(image, pe_y, pe_x, hw):
    """(image, row, column) of the PE behind another: row after row, image after image."""
    if pe_x + 1 < hw.pes_x:
        return image, pe_y, pe_x + 1
    if pe_y + 1 < hw.pes_y:
        return image, pe_y + 1, 0
    return image + 1, 0, 0
