"""Sweeps, and schedules that are not kept: figures and failures of schedules that are kept."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hwgen.program import compile_mapped
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.schedule_columns import FIELD_HIGH, FIELD_LOW
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.cost.costs import evaluate_many
from sim.cost.energy import cold_energy, energy
from sim.model import predict
from sim.plan import Mapped, map_network
from sim.realizability import check
from sim.schedule.listing import first_overflow
from sim.schedule.schedule import build_schedule, time_schedule
from sim.spec.descriptor import DESCRIPTOR_BYTES, LoadKind, Queue
from sim.spec.header import HEADER_BYTES, read_header
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from sim.timing.calibration import default
from sim.timing.cycles import walk
from stress_cases import draw_stress
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
        fits, cycles, busy, read, written, stored, count = time_schedule(*plan, CONSTANTS)
        prediction = predict(case.config, case.network)
        assert fits
        assert stored == prediction.store_bytes
        assert count == len(mapping.rows)
        assert time_schedule(*plan, CONSTANTS, cold=True) == (
            True,
            prediction.cold_cycles,
            prediction.cold_execute_busy,
            prediction.cold_read_bytes,
            prediction.write_bytes,
            prediction.cold_store_bytes,
            len(mapping.cold_rows),
        )
        assert cycles == prediction.total_cycles == walk(mapping.rows, hw, CONSTANTS)[-1]
        assert busy == prediction.execute_busy
        assert (read, written) == (prediction.read_bytes, prediction.write_bytes)


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
                assert time_schedule(*tables, CONSTANTS)[0] == (not beyond)
            layers += 1
            rounds += own.max() > own[0]
    assert layers > 10
    assert rounds > 2


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("space", [TINY, EDGE])
def test_descriptor_bytes_are_those_of_the_compiled_program(
    space: HardwareSpace, images: int
) -> None:
    """Header and descriptors of the cold program and of the warm: what lies in memory, and what the sweep counts."""
    warm = 0
    for place, case in enumerate(draw_cases(12, space, 31)):
        config = replace(case.config, weight_store_kb=(0, 16, 256)[place % 3])
        mapping = map_network(config, case.network, images)
        if mapping.failure is not Failure.NONE:
            continue
        program = compile_mapped(mapping)
        table = evaluate_many([config], case.network, images=images)
        for entry in (program, program.warm):
            header = read_header(program.image[entry.header_address :])
            assert header.count == len(entry.descriptors)
            assert table.descriptor_bytes[0] == HEADER_BYTES + DESCRIPTOR_BYTES * header.count
        warm += program.warm_address != program.header_address
    assert warm > 3


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
            assert table.energy[i] == energy(config, prediction).total
            assert table.cold_energy[i] == cold_energy(config, prediction).total
    assert broken > 0
