"""The least loads of bounds, against the LOADs of programs."""

from dataclasses import replace

import numpy as np
import pytest

from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import (
    COLS,
    GATHER,
    KIND,
    LANES,
    LAYER,
    PARAMETER_ROWS,
    PE_VECTORS,
    QUEUE,
    ROWS,
    STORE,
    STREAM_BEATS,
    WEIGHT_ROWS,
)
from sim.arrays.tables import LayerColumn, accelerator_row
from sim.mapping.execution import SPREAD
from sim.mapping.memo import own_memo
from sim.networks.named import named_network
from sim.plan import Mapped, map_network
from sim.realizability import check
from sim.schedule.first_loads import MOST_TILES, FirstLoad, list_first_loads
from sim.schedule.least_loads import least_weights, place_weights
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.spec.spaces import EDGE, TINY
from sim.timing.gathering import segment
from sim.timing.transfer_unit import stored_turns

NAMES = ["ds_cnn", "resnet8", "mobilenet_v1_025", "autoencoder"]


def mapped(name: str, count: int, seed: int) -> list[Mapped]:
    """A network on random accelerators, half of them with a store too small for all its weights."""
    random = np.random.default_rng(seed)
    network = named_network(name)
    plans: list[Mapped] = []
    while len(plans) < count:
        space = (TINY, EDGE)[len(plans) % 2]
        config = space.at(int(random.integers(len(space))))
        if len(plans) % 4 > 1:
            config = replace(config, weight_store_kb=int(random.integers(1, 64)))
        if check(config):
            continue
        answer = map_network(config, network)
        if answer.failure == 0:
            plans.append(answer)
    return plans


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_programs_loads(name: str) -> None:
    parts = spread = passes = 0
    for plan in mapped(name, 24, 3):
        hw = accelerator_row(plan.config)
        layers, tensors, rows = plan.layers, plan.tensors, plan.rows
        columns = np.zeros_like(plan.layer_plan)
        passed = np.empty(len(layers), np.int64)
        assert place_weights(layers, tensors, hw, columns, passed, own_memo())
        kept = plan.layer_plan[:, LayerPlan.STORED_ROWS]
        chosen = columns[:, LayerPlan.STORED_ROWS]
        # all but the layer that passes its room on have their rows, or those that may be passed on
        changed = kept != chosen
        received = changed & (chosen == 0)
        assert np.array_equal(kept[received], passed[received])
        assert (changed & ~received).sum() == received.any()
        passes += received.any()
        weights = rows[(rows[:, QUEUE] == Queue.LOAD) & (rows[:, KIND] == LoadKind.WEIGHTS)]
        for i, layer in enumerate(layers):
            pixels = plan.layer_plan[i, LayerPlan.PIXELS]
            source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
            exchange = SPREAD if plan.layer_plan[i, LayerPlan.SPREAD] > 0 else 0
            least = least_weights(
                layer, columns[i], source, target, pixels, exchange, int(kept[i]), hw
            )
            loads = weights[weights[:, LAYER] == i]
            # of a layer that is loaded several times only the first are compared
            blocks = 1
            if not layer[LayerColumn.SHARED]:
                blocks = plan.layer_plan[i, LayerPlan.ROUNDS] * plan.layer_plan[i, LayerPlan.SPLITS]
            if len(loads) > blocks:
                continue
            read = loads[:, STORE] == LoadStore.READ
            taken = loads[:, LANES] * (loads[:, PARAMETER_ROWS] + loads[:, WEIGHT_ROWS])
            turns = np.array([stored_turns(load) for load in loads])
            beats = loads[:, STREAM_BEATS]
            assert tuple(least) == (
                read.sum(),
                taken[read].sum(),
                turns[read].sum(),
                beats[~read].sum(),
                taken[0],
                turns[0],
                beats[0],
                beats.sum(),
                loads[0, LANES],
            )
            parts += 0 < read.sum() < len(loads)
            spread += least.turns < least.rows
    assert parts > 3
    assert spread > 3
    assert passes > 0


@pytest.mark.parametrize("name", NAMES[:3])  # the autoencoder's input has too many channels
def test_a_tile_of_the_first_layer_loads_what_its_program_does(name: str) -> None:
    compared = shared = 0
    for plan in mapped(name, 60, 4):
        hw = accelerator_row(plan.config)
        listed = np.empty((MOST_TILES, len(FirstLoad)), np.int64)
        count = list_first_loads(plan.layers, plan.tensors, hw, listed)
        rows = plan.rows
        loads = rows[
            (rows[:, QUEUE] == Queue.LOAD) & (rows[:, GATHER] == 1) & (rows[:, LAYER] == 0)
        ]
        if not len(loads):
            assert count == 0
            continue
        lines = [row for row in loads for _ in range(row[ROWS])]
        size = [segment(row, hw, 0, line)[1] for row in loads for line in range(row[ROWS])]
        cycles = [max(beats, row[COLS]) for row, beats in zip(lines, size, strict=True)]
        measured = {
            "beats": sum(size),
            "cycles": sum(cycles),
            "bursts": len(size),
            "descriptors": len(loads),
        }
        shared += loads[:, PE_VECTORS].any()
        first = plan.layer_plan[0]
        passes = first[LayerPlan.PASSES_Y] * first[LayerPlan.PASSES_X]
        tile = (first[LayerPlan.TILE_Y], first[LayerPlan.TILE_X])
        if passes > 1:
            for column, value in measured.items():
                assert listed[0, FirstLoad[column.upper()]] <= value
        exchange = SPREAD if first[LayerPlan.SPREAD] > 0 else 0
        same = [
            row
            for row in listed[1:count]
            if tuple(row[:2]) == tile and row[FirstLoad.EXCHANGE] == exchange
        ]
        if passes == 1 and same:
            for column, value in measured.items():
                assert same[0][FirstLoad[column.upper()]] == value
            compared += 1
    assert compared > 10
    assert shared > 10
