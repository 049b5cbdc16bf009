"""Cold and warm runs in RTL: nothing is reset between, both are compared, both are reported."""

from dataclasses import replace

import numpy as np
import pytest

from accelerators import small_accelerator
from hwgen.program import compile_mapped
from sampled import sampled
from sim import golden
from sim.arrays.tables import COLUMNS
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.descriptor import LoadStore
from sim.spec.design import Design
from sim.spec.memories import DETERMINISTIC, DRAM, FixedLatency, MemorySystem
from sim.spec.network import LayerKind
from sim.spec.stops import StopCause
from testbench.cases.random_networks import Corner, Stratum, random_network
from testbench.cosimulation import simulation
from testbench.rtl.harness import build
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Step
from testbench.validation.engines import compare_engines
from testbench.validation.simulate import simulate
from testbench.validation.store_runs import has_warm_run, steps_of

CONFIG = small_accelerator(
    1, 2, simd_units=8, compute_lanes=2, register_file_kb=2, weight_store_kb=4
)


def design(store_kb: int) -> Design:
    """A convolution between others; a store of 4 KiB holds a part of the weights."""
    stratum = Stratum(kind=LayerKind.CONV, kernel=3)
    network = random_network(stratum, CONFIG, np.random.default_rng(4), Corner.ODD)
    return Design(accelerator=replace(CONFIG, weight_store_kb=store_kb), network=network)


@pytest.mark.rtl
def test_cold_and_warm_runs_are_exact_and_reported() -> None:
    result = simulate(design(4), images=3)
    assert result.exact
    record = result.to_json()
    assert record["cold_cycles"] == record["predicted_cold_cycles"]
    assert record["warm_cycles"] == record["predicted_warm_cycles"] == result.measured_cycles
    assert record["warm_cycles"] < record["cold_cycles"]
    mapped = map_realizable(design(4).accelerator, design(4).network)
    assert mapped.stored
    # a cold run of an image, and a warm run of each
    assert result.descriptors == 4 * len(mapped.rows)


@pytest.mark.rtl
def test_a_warm_run_after_another_program_computes_with_what_that_left() -> None:
    """The store has no owner: the host has to know who ran last."""
    first, other = design(4), design(4)
    layers = tuple(
        replace(layer, weights=-layer.weights // 2) if layer.weights is not None else layer
        for layer in other.network.layers
    )
    other = replace(other, network=replace(other.network, layers=layers))
    mapped, foreign = (map_realizable(each.accelerator, each.network) for each in (first, other))
    images = np.random.default_rng(0).integers(-128, 128, (1, *first.network.input.shape), np.int8)
    mine, theirs = compile_mapped(mapped), compile_mapped(foreign)
    assert has_warm_run(mine)
    steps = [
        *steps_of(mine, images),
        Step(program=theirs, inputs=images),
        *(Step(program=program, inputs=images) for program in (mine.warm, mine, mine.warm)),
    ]
    runs = build(first.accelerator).run_sequence(steps)
    expected = golden.run(first.network, images)[first.network.output.name]
    right = [bool(np.array_equal(run.outputs, expected)) for run in (*runs[:2], *runs[3:])]
    assert right == [True, True, False, True, True]
    warm, cold = predict_mapped(mapped), predict_mapped(mapped, cold=True)
    for run, prediction in zip(runs[3:], (warm, cold, warm), strict=True):
        assert run.cycles.tolist() == [prediction.total_cycles]
        assert np.array_equal(run.end[0], prediction.done)


@pytest.mark.rtl
def test_after_an_aborted_cold_run_only_a_cold_run_is_right() -> None:
    """The abort comes before the store is filled; what a warm run reads is of power-up."""
    mapped = map_realizable(design(4).accelerator, design(4).network)
    program, cold = compile_mapped(mapped), predict_mapped(mapped, cold=True)
    images = np.random.default_rng(0).integers(-128, 128, (1, *mapped.source.input.shape), np.int8)
    fills = cold.start[mapped.cold_rows[:, COLUMNS["store"]] == LoadStore.FILL]
    steps = [
        Step(program=program, inputs=images, host=Host(abort_at=int(fills[-1]))),
        *(Step(program=entry, inputs=images) for entry in (program.warm, program, program.warm)),
    ]
    aborted, *runs = build(CONFIG).run_sequence(steps)
    assert aborted.stops[0] is not None
    assert aborted.stops[0].cause is StopCause.ABORT
    expected = golden.run(mapped.source, images)[mapped.source.output.name]
    assert [np.array_equal(run.outputs, expected) for run in runs] == [False, True, True]
    predicted = [predict_mapped(mapped).total_cycles, cold.total_cycles]
    assert [run.cycles[0] for run in runs] == [*predicted, predicted[0]]


MEMORIES = (DETERMINISTIC, FixedLatency(latency=30, outstanding=1, width_bytes=2), DRAM)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("memories", "stalls"),
    sampled([((DETERMINISTIC,), ()), (MEMORIES, (5,))], lambda case: not case[1], fields=True),
)
def test_both_engines_run_cold_then_warm(
    memories: tuple[MemorySystem, ...], stalls: tuple[int, ...]
) -> None:
    """Every field is the same: on any memory, on a DRAM, under the same stalls."""
    inputs = np.random.default_rng(3).integers(
        -128, 128, (3, *design(4).network.input.shape), np.int8
    )
    agreements = compare_engines(design(4), inputs=inputs, memories=memories, stalls=stalls)
    for agreement in agreements:
        assert agreement.exact, agreement.differences
        assert agreement.cocotb.cold_cycles > agreement.cocotb.measured_cycles
        assert len(agreement.cocotb.cycles) == 3


@pytest.mark.rtl
def test_a_cocotb_simulation_takes_entries_of_a_single_program() -> None:
    mine = compile_mapped(map_realizable(design(4).accelerator, design(4).network))
    images = np.zeros((1, *design(4).network.input.shape), np.int8)
    model = MemoryModel()
    built = simulation.build(CONFIG, memory=model, program_bytes=mine.memory_bytes)
    other = replace(mine, image=mine.image[::-1])
    steps = [Step(program=mine, inputs=images), Step(program=other, inputs=images)]
    with pytest.raises(ValueError, match=r"^steps must be entries of a program, not of several$"):
        built.run_sequence(steps)
