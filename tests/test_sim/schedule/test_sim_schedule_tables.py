"""Activation tables in a schedule: which LOADs bring them, what they wait for, and what waits for them."""

from dataclasses import replace

import numpy as np
import pytest

from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import TABLE_ROWS
from sim.spec.descriptor import LoadTable, Queue
from sim.spec.spaces import TINY
from testbench.cases.random_networks import draw_cases
from testbench.cases.tabled import tabled


@pytest.fixture(scope="module")
def mapped() -> list[Mapped]:
    """Networks of the tiny space with a table behind some layers, batches among them."""
    cases = draw_cases(24, TINY, 5)
    return [
        map_realizable(
            replace(case.config, activation_table=1),
            tabled(case.network, np.random.default_rng(case.image_seed), 0.5),
            case.batch,
        )
        for case in cases
    ]


def test_every_execute_finds_its_own_table(mapped: list[Mapped]) -> None:
    """Tokens order both: a table is written after the last use of another, and before its first own."""
    waited = fills = alone = 0
    for plan in mapped:
        names = [
            COLUMNS[name] for name in ("queue", "layer", "table", "after_load", "after_execute")
        ]
        holds = last_fill = last_use = -1
        loads_after = executes_after = -1
        through: dict[int, bool] = {}
        for number, row in enumerate(plan.rows):
            queue, layer, table, after_load, after_execute = (int(row[name]) for name in names)
            uses = plan.network.layers[layer].table is not None
            if queue == Queue.LOAD:
                loads_after = max(loads_after, after_execute)
                if table == LoadTable.FILL:
                    assert uses
                    assert loads_after >= last_use
                    waited += after_execute >= 0
                    holds, last_fill, fills = layer, number, fills + 1
                    assert row[COLUMNS["weight_rows"]] == TABLE_ROWS
                    assert (
                        row[COLUMNS["address"]] == plan.layer_plan[layer, LayerPlan.TABLE_ADDRESS]
                    )
                elif row[COLUMNS["parameter_rows"]]:
                    through[int(row[COLUMNS["half"]])] = table == LoadTable.USE
            if queue == Queue.EXECUTE:
                executes_after = max(executes_after, after_load)
                if not row[COLUMNS["save"]]:
                    assert through[int(row[COLUMNS["half"]])] == uses
                if uses:
                    assert holds == layer
                    assert executes_after >= last_fill
                    last_use = number
                else:
                    alone += 1
    assert min(waited, fills - waited, alone) > 5


def test_a_table_lies_behind_the_weights_and_before_what_follows(mapped: list[Mapped]) -> None:
    for plan in mapped:
        addresses = plan.layer_plan[:, LayerPlan.TABLE_ADDRESS]
        size = TABLE_ROWS * -(-4 // plan.config.bus_bytes) * plan.config.bus_bytes
        starts = [*plan.layer_plan[1:, LayerPlan.BLOCK_ADDRESS].tolist(), plan.end]
        for layer, address, start in zip(plan.network.layers, addresses, starts, strict=True):
            assert (address > 0) == (layer.table is not None)
            assert address == 0 or address + size <= start
