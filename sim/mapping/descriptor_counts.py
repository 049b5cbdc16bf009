"""How many descriptors a plan has at most, in a round and in all."""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import TensorColumn

__all__ = [
    "MAX_DESCRIPTORS",
    "most_descriptors",
    "most_in_a_round",
    "most_templates",
    "sets_of",
    "stores_of_tile",
]

MAX_DESCRIPTORS = 1 << 19
"""Most descriptors of a program, by :func:`most_descriptors`: 300 MB while it is planned."""


@in_place
def sets_of(plan):
    """Splits of all blocks of a tile."""
    border = plan[LayerPlan.BORDER_TOP] + plan[LayerPlan.BORDER_BOTTOM]
    down = ceil_div(plan[LayerPlan.TILE_Y] - border, plan[LayerPlan.BLOCK_ROWS])
    down += 1 if plan[LayerPlan.BORDER_TOP] > 0 else 0
    down += 1 if plan[LayerPlan.BORDER_BOTTOM] > 0 else 0
    across = ceil_div(plan[LayerPlan.TILE_X], plan[LayerPlan.BLOCK_COLUMNS])
    return down * across * plan[LayerPlan.SPLITS]


@in_place
def most_templates(lp):
    """Most EXECUTEs that a pass of a layer has in a round."""
    most = 1
    for i in range(lp.shape[0]):
        most = max(most, sets_of(lp[i]))
    return most


@in_place
def stores_of_tile(tensor, plan, placed):
    """STOREs of a tile of layer ``plan``, at most: of a mosaic's part a tile for each of the times, in rows or columns if apart."""
    if tensor[TensorColumn.STEP_Y] == 0:
        return 1
    columns = plan[LayerPlan.TILE_X]
    if placed[TensorPlan.STRIPS] == 1:
        columns = tensor[TensorColumn.WIDTH]
    times = tensor[TensorColumn.TIMES_Y] * tensor[TensorColumn.TIMES_X]
    return times * (min(plan[LayerPlan.TILE_Y], columns) if tensor[TensorColumn.STEP_X] > 1 else 1)


@in_place
def _moved(lp, tp, i):
    """Tiles that a PE loads and stores for an image in a chunk of layer ``i``."""
    stored = tp[i + 1, TensorPlan.STORED] * tp[i + 1, TensorPlan.PIECES]
    return lp[i, LayerPlan.LOADED] + lp[i, LayerPlan.LOADED2] + stored


@in_place
def _tables(plan):
    """Activation tables that a layer loads for an image: one or none."""
    return 1 if plan[LayerPlan.TABLE_ADDRESS] > 0 else 0


@in_place
def most_in_a_round(lp, tp, pes, images):
    """No fewer than the descriptors of any round."""
    most = 0
    for i in range(lp.shape[0]):
        own = 2 * sets_of(lp[i]) + pes * _moved(lp, tp, i) + _tables(lp[i])
        own += lp[i, LayerPlan.FACTORS]
        most = max(most, own)
    return images * most


@in_place
def most_descriptors(lp, tp, pes, images):
    """No fewer than the descriptors of a plan."""
    total = 0
    for i in range(lp.shape[0]):
        plan = lp[i]
        per_pass = plan[LayerPlan.ROUNDS] * (2 * sets_of(plan) + plan[LayerPlan.FACTORS])
        per_pass += (
            ceil_div(plan[LayerPlan.ROUNDS], plan[LayerPlan.CHUNK]) * pes * _moved(lp, tp, i)
        )
        total += plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X] * per_pass + _tables(plan)
    return images * total
