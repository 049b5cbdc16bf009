"""Networks and accelerators as arrays: every column is what its name says."""

import numpy as np

from chain_cases import random_chain
from sim.arrays.tables import (
    COLUMNS,
    EXTRA_COLUMNS,
    LayerColumn,
    accelerator_row,
    layer_table,
    tensor_table,
)
from sim.spec.descriptor import FIELDS, ExecuteOp
from sim.spec.network import PRODUCT_KINDS, LayerKind
from sim.spec.spaces import EDGE, TINY
from stress_cases import random_accelerator, random_windows

OPS = {
    LayerKind.CONV: ExecuteOp.CONV,
    LayerKind.FULLY_CONNECTED: ExecuteOp.CONV,
    LayerKind.DEPTHWISE: ExecuteOp.DEPTHWISE,
    LayerKind.ADD: ExecuteOp.ADD,
    LayerKind.GLOBAL_AVERAGE_POOL: ExecuteOp.POOL,
    LayerKind.MAX_POOL: ExecuteOp.DEPTHWISE,
    LayerKind.AVERAGE_POOL: ExecuteOp.DEPTHWISE,
    LayerKind.MEAN: ExecuteOp.POOL,
}


def test_an_accelerator_row_holds_what_the_kernels_ask_for() -> None:
    rng = np.random.default_rng(0)
    configs = [TINY.default, EDGE.default, *(random_accelerator(rng) for _ in range(50))]
    for config in configs:
        earn, cost = config.pacing
        assert accelerator_row(config)._asdict() == {
            "pes_x": config.pes_x,
            "pes_y": config.pes_y,
            "simd": config.simd_units,
            "lanes": config.compute_lanes,
            "bank_depth": config.bank_depth,
            "weight_rows": config.weight_rows,
            "bus_bytes": config.bus_bytes,
            "earn": earn,
            "cost": cost,
            "accumulator_rows": config.accumulator_rows,
            "images": 1,
            "clock_mhz": config.clock_mhz,
            "store_rows": config.store_rows,
        }


def test_layer_and_tensor_tables_name_each_layers_operands() -> None:
    rng = np.random.default_rng(1)
    seen = set()
    for network in [random_windows(rng) for _ in range(80)] + [random_chain(rng) for _ in range(8)]:
        tensors = list(network.tensors.values())
        last = len(tensors) - 1
        assert tensor_table(network).tolist() == [
            # the last six are of parts of mosaics
            [*tensor.shape, t == last, -1, 0, t - 1, *[0] * 6]
            for t, tensor in enumerate(tensors)
        ]
        table = layer_table(network)
        assert table.shape == (len(network.layers), len(LayerColumn))
        for row, layer in zip(table, network.layers, strict=True):
            names = [tensors[row[c]].name for c in (LayerColumn.INPUT, LayerColumn.INPUT2)]
            assert names == [layer.inputs[0], layer.inputs[-1]]
            assert row[LayerColumn.OP] == OPS[layer.kind]
            assert (row[LayerColumn.KERNEL_Y], row[LayerColumn.KERNEL_X]) == layer.kernel
            assert (row[LayerColumn.STRIDE_Y], row[LayerColumn.STRIDE_X]) == layer.stride
            assert row[LayerColumn.PAD_Y] == layer.padding.top
            assert row[LayerColumn.PAD_X] == layer.padding.left
            assert (row[LayerColumn.CLAMP_LOW], row[LayerColumn.CLAMP_HIGH]) == layer.clamp
            seen.add(layer.kind)
            largest = layer.kind is LayerKind.MAX_POOL
            source = network.tensors[layer.inputs[0]]
            outside = 0 if OPS[layer.kind] is ExecuteOp.POOL else source.zero_point
            assert row[LayerColumn.PAD_VALUE] == (-128 if largest else outside)
            # what divides or compares the values themselves adds no zero point
            added = 0 if str(layer.kind).endswith("pool") else layer.output.zero_point
            assert row[LayerColumn.ZERO_POINT] == added
            assert row[LayerColumn.MAXIMUM] == largest
            assert row[LayerColumn.SHARED] == (layer.weights.size == 0)
    assert seen == set(LayerKind) - {*PRODUCT_KINDS}


def test_a_twin_is_the_first_layer_of_the_same_work() -> None:
    rng = np.random.default_rng(2)
    twins = 0
    for network in [random_chain(rng) for _ in range(40)]:
        table = layer_table(network)
        for i, layer in enumerate(network.layers):
            alike = [
                j
                for j, other in enumerate(network.layers[: i + 1])
                if table[j, LayerColumn.OP] == table[i, LayerColumn.OP]
                and (other.weights.size > 0) == (layer.weights.size > 0)
                and (other.kernel, other.stride) == (layer.kernel, layer.stride)
                and other.output.shape == layer.output.shape
                and network.tensors[other.inputs[0]].shape == network.tensors[layer.inputs[0]].shape
            ]
            assert table[i, LayerColumn.TWIN] == alike[0]
            twins += alike[0] < i
    assert twins > 20


def test_a_schedule_has_one_column_for_every_field_of_any_queue() -> None:
    names = {field.name for fields in FIELDS.values() for field in fields}
    assert set(COLUMNS) == names | set(EXTRA_COLUMNS)
    assert list(COLUMNS.values()) == list(range(len(COLUMNS)))
    # the tokens' givers, in the order of the queues
    after = [COLUMNS[name] for name in ("after_load", "after_execute", "after_store")]
    assert after == list(range(after[0], after[0] + 3))
