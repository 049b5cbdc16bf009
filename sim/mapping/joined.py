"""Concatenations in local memory: whether the parts of one lie together there, and where.

Together they are one tensor, which layers store to and read part by part: all parts lie in tiles alike, and parts that do not begin
in the first bank are stored and read by convolutions, whose lanes and banks the compiler can shift. Elsewhere parts are tensors
of their own, stored side by side in external memory, from where the concatenation is loaded.
"""

from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import TensorPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "is_joined",
    "join",
    "last_use",
    "loads_before_made",
    "place_parts",
    "share_halos",
    "store_parts",
]


@in_place
def is_joined(t, tensors, tp):
    """Whether tensor ``t`` lies in local memory as a concatenation or a part of it."""
    root = tensors[t, TensorColumn.ROOT]
    return root >= 0 and tp[root, TensorPlan.JOINED] == 1


@in_place
def _lies_alike(t, root, layers, tensors, hw, cut, tp):
    """Whether a part can be stored where the other parts are."""
    last = tensors[root, TensorColumn.MADE] + 1
    if (
        tensors[t, TensorColumn.STEP_Y] > 0
    ):  # pixels of mosaics find their places in external memory
        return False
    for column in (TensorPlan.TILE_Y, TensorPlan.TILE_X, TensorPlan.STRIPS):
        if tp[t, column] != tp[last, column]:
            return False
    if t <= cut < last:
        return False
    aside = tensors[t, TensorColumn.PLACE] % hw.lanes > 0
    return not aside or layers[t - 1, LayerColumn.OP] == ExecuteOp.CONV


@in_place
def join(layers, tensors, hw, cut, apart, tp):
    """Choose the concatenations whose parts lie together, but for those that are to lie ``apart``.

    Parameters
    ----------
    layers, tensors, hw, cut
        As of :func:`sim.mapping.mapper.plan_network`.
    apart : int64[n_tensors]
        1 where parts must not lie together.
    tp : int64[n_tensors, len(TensorPlan)]
        Has the tiles of the layers' outputs; those of concatenations, and JOINED, are written.
    """
    n = layers.shape[0]
    for root in range(n + 1, tensors.shape[0]):
        last = tensors[root, TensorColumn.MADE] + 1
        for column in (TensorPlan.TILE_Y, TensorPlan.TILE_X, TensorPlan.STRIPS):
            tp[root, column] = tp[last, column]
        whole = tensors[root, TensorColumn.ROOT] == root and apart[root] == 0
        for t in range(1, n + 1):
            if whole and tensors[t, TensorColumn.ROOT] == root:
                whole = _lies_alike(t, root, layers, tensors, hw, cut, tp)
        for i in range(n if whole else 0):
            for t in (layers[i, LayerColumn.INPUT], layers[i, LayerColumn.INPUT2]):
                aside = tensors[t, TensorColumn.PLACE] % hw.lanes > 0
                if tensors[t, TensorColumn.ROOT] == root and aside:
                    whole &= layers[i, LayerColumn.OP] == ExecuteOp.CONV
        tp[root, TensorPlan.JOINED] = whole


@in_place
def share_halos(tensors, layer_count, tp):
    """Give all parts that lie together the same halo; let those apart that no layer reads there as a whole."""
    for root in range(layer_count + 1, tensors.shape[0]):
        if not tp[root, TensorPlan.JOINED]:
            continue
        read = False
        for t in range(layer_count + 1, tensors.shape[0]):
            if tensors[t, TensorColumn.ROOT] == root and tp[t, TensorPlan.RESIDENT_UNTIL] >= 0:
                read = True
        if not read:
            tp[root, TensorPlan.JOINED] = 0
            continue
        for column in range(TensorPlan.HALO_TOP, TensorPlan.HALO_RIGHT + 1):
            most = 0
            for t in range(tensors.shape[0]):
                if tensors[t, TensorColumn.ROOT] == root:
                    most = max(most, tp[t, column])
            for t in range(tensors.shape[0]):
                if tensors[t, TensorColumn.ROOT] == root:
                    tp[t, column] = most


@in_place
def last_use(root, tensors, tp):
    """Last layer that stores to parts that lie together, or reads them there."""
    last = tensors[root, TensorColumn.MADE]
    for t in range(tensors.shape[0]):
        if tensors[t, TensorColumn.ROOT] == root:
            last = max(last, tp[t, TensorPlan.RESIDENT_UNTIL])
    return last


@in_place
def place_parts(root, address, rows, columns, tensors, hw, tp):
    """Write where the parts lie of a concatenation that begins at vector ``address`` with such planes."""
    for t in range(tensors.shape[0]):
        if tensors[t, TensorColumn.ROOT] != root:
            continue
        group = tensors[t, TensorColumn.PLACE]
        tp[t, TensorPlan.ROW], tp[t, TensorPlan.PLANE] = columns, rows * columns
        tp[t, TensorPlan.ADDRESS] = address + group // hw.lanes * rows * columns
        tp[t, TensorPlan.ADDRESS] += tp[t, TensorPlan.HALO_TOP] * columns
        tp[t, TensorPlan.ADDRESS] += tp[t, TensorPlan.HALO_LEFT]
        tp[t, TensorPlan.BANK] = group % hw.lanes


@in_place
def loads_before_made(t, i, tensors, tp):
    """Whether layer ``i`` would load a part of what is stored as a whole only later."""
    return (
        is_joined(t, tensors, tp) and i <= tensors[tensors[t, TensorColumn.ROOT], TensorColumn.MADE]
    )


@in_place
def store_parts(tensors, layer_count, tp):
    """Note what is stored of concatenations: parts that lie together as a whole, or not at all; others each."""
    for root in range(layer_count + 1, tensors.shape[0]):
        if tensors[root, TensorColumn.ROOT] != root:
            continue
        stored = 0 if tp[root, TensorPlan.JOINED] else 1
        for t in range(tensors.shape[0]):
            if tensors[t, TensorColumn.ROOT] == root:
                stored |= tp[t, TensorPlan.STORED]
        for t in range(tensors.shape[0]):
            if tensors[t, TensorColumn.ROOT] == root:
                tp[t, TensorPlan.STORED] = stored
