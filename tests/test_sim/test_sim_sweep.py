"""Sweeps, and schedules that are not kept: figures and failures of schedules that are kept."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.schedule_columns import FIELD_HIGH, FIELD_LOW
from sim.arrays.tables import COLUMNS, Hw, accelerator_row
from sim.cost.costs import evaluate_many
from sim.model import predict
from sim.plan import Mapped, map_network
from sim.realizability import check
from sim.schedule.listing import first_overflow
from sim.schedule.schedule import build_schedule
from sim.schedule.timed import time_schedule
from sim.spec.descriptor import LoadKind, Queue
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from sim.timing.calibration import default
from sim.timing.cycles import summarize, walk
from stress_cases import draw_stress
from testbench.cases.random_memories import draw_memories
from testbench.cases.random_networks import Case, draw_cases


@cache
def cases() -> list[Case]:
    return draw_cases(30, TINY, 23) + draw_cases(20, EDGE, 23) + draw_stress(60, 23)


CONSTANTS = default().array


def mapped(case: Case) -> Mapped:
    mapping = map_network(case.config, case.network)
    assert mapping.failure is Failure.NONE
    return mapping


def test_a_schedule_that_is_not_kept_runs_as_the_kept_one() -> None:
    for case in cases():
        mapping, hw = mapped(case), accelerator_row(case.config)
        plan = (mapping.layers, mapping.tensors, hw, mapping.layer_plan, mapping.tensor_plan)
        fits, cycles, busy, read, written, stored = time_schedule(*plan, CONSTANTS, False)
        prediction = predict(case.config, case.network)
        assert fits
        assert stored == prediction.store_bytes
        cold = time_schedule(*plan, CONSTANTS, True)
        assert (cold[1], cold[3]) == (prediction.cold_cycles, prediction.cold_read_bytes)
        assert cycles == prediction.total_cycles == walk(mapping.rows, hw, CONSTANTS)[-1]
        assert busy == prediction.execute_busy
        assert (read, written) == (prediction.read_bytes, prediction.write_bytes)


def test_programs_of_several_images_run_as_they_are_listed() -> None:
    """Layers before the cut, image after image, and behind it, where images take turns."""
    before = together = 0
    for case in cases()[::3]:
        hw = accelerator_row(case.config, 3)
        mapping = map_network(case.config, case.network, 3)
        if mapping.failure is not Failure.NONE:
            continue
        plan = (mapping.layers, mapping.tensors, hw, mapping.layer_plan, mapping.tensor_plan)
        for cold, rows in ((False, mapping.rows), (True, mapping.cold_rows)):
            assert totals_of(plan, CONSTANTS, cold) == walked_totals(rows, hw, CONSTANTS)
        images = mapping.layer_plan[:, LayerPlan.IMAGES]
        before += (images == 1).any()
        together += (images == 3).any()
    assert min(before, together) > 3


def test_every_memory_is_walked_as_it_is_listed() -> None:
    """Slower, narrower and limited memories, and buses that earn little."""
    paced = limited = 0
    for number, case in enumerate(cases()):
        mapping, hw = mapped(case), accelerator_row(case.config)
        plan = (mapping.layers, mapping.tensors, hw, mapping.layer_plan, mapping.tensor_plan)
        for memory in draw_memories(case.config, 3, number):
            constants = default().walked(memory)
            expected = walked_totals(mapping.rows, hw, constants)
            assert totals_of(plan, constants, False) == expected
            limited += memory.outstanding is not None
        for earn, cost in ((1, 3), (7, 9), (1, 1 << 15)):
            slow = hw._replace(earn=earn, cost=cost)
            expected = walked_totals(mapping.rows, slow, CONSTANTS)
            assert totals_of((*plan[:2], slow, *plan[3:]), CONSTANTS, False) == expected
            paced += 1
    assert min(paced, limited) > 100


def totals_of(plan: tuple[Any, Any, Any, Any, Any], constants: Any, cold: bool) -> tuple[int, ...]:
    fits, cycles, busy, read, written, _ = time_schedule(*plan, constants, cold)
    assert fits
    return cycles, busy, read, written


def walked_totals(rows: Any, hw: Hw, constants: Any) -> tuple[int, ...]:
    """Cycles, busy cycles and bytes of a schedule that is listed, descriptor by descriptor."""
    start, _, done, _, total = walk(rows, hw, constants)
    active, traffic = summarize(rows, hw, start, done)
    return (total, active[Queue.EXECUTE], *traffic)


@pytest.mark.parametrize(
    ("column", "field"),
    [
        (LayerPlan.BLOCK_ADDRESS, "address"),
        (LayerPlan.OUT_ADDRESS, "out_address"),
        (LayerPlan.IN2_ADDRESS, "in2_address"),
    ],
)
def test_a_value_that_fits_no_more_is_seen_in_whatever_round_it_comes(
    column: LayerPlan, field: str
) -> None:
    """Every layer's addresses are moved up until the largest just fits its field, then by 1."""
    at = COLUMNS[field]
    layers = rounds = 0
    for case in cases():
        mapping, hw = mapped(case), accelerator_row(case.config)
        rows = mapping.rows
        queue = rows[:, COLUMNS["queue"]]
        if field == "address":
            chosen = (queue == Queue.LOAD) & (rows[:, COLUMNS["kind"]] == LoadKind.WEIGHTS)
        else:
            chosen = queue == Queue.EXECUTE
        for index in range(len(mapping.layers)):
            own = rows[chosen & (rows[:, COLUMNS["layer"]] == index), at]
            if not own.any():
                continue
            for beyond in (0, 1):
                plan = mapping.layer_plan.copy()
                plan[index, column] += FIELD_HIGH[at] - own.max() + beyond
                tables = (mapping.layers, mapping.tensors, hw, plan, mapping.tensor_plan)
                kept = first_overflow(build_schedule(*tables), FIELD_LOW, FIELD_HIGH)
                assert (kept == (-1, -1)) == (not beyond)
                assert time_schedule(*tables, CONSTANTS, False)[0] == (not beyond)
            layers += 1
            rounds += own.max() > own[0]
    assert layers > 10
    assert rounds > 2


@pytest.mark.parametrize("space", [TINY, EDGE])
def test_many_accelerators_give_what_each_gives_alone(space: HardwareSpace) -> None:
    rng = np.random.default_rng(5)
    broken = 0
    for case in draw_cases(8, space, 3):
        configs = [space.at(int(i)) for i in rng.choice(len(space), 40, replace=False)]
        configs.append(replace(configs[0], local_memory_kb=1 << 20))
        table = evaluate_many(configs, case.network)
        for i, config in enumerate(configs):
            violations = check(config, case.network)
            assert table.violations[i] == tuple(v.code for v in violations)
            assert table.excess[i] == sum(v.excess for v in violations)
            broken += bool(violations)
            if violations:
                assert table.cycles[i] == table.execute_busy[i] == 0
                assert table.read_bytes[i] == table.write_bytes[i] == 0
                continue
            prediction = predict(config, case.network)
            assert table.cycles[i] == prediction.total_cycles
            assert table.execute_busy[i] == prediction.execute_busy
            assert table.read_bytes[i] == prediction.read_bytes
            assert table.write_bytes[i] == prediction.write_bytes
    assert broken > 0
