"""Cold and warm runs in RTL: nothing is reset between, both are compared, both are reported."""

from dataclasses import replace

import numpy as np
import pytest

from accelerators import small_accelerator
from hwgen.program import compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.design import Design
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.network import LayerKind
from testbench.cases.random_networks import Corner, Stratum, random_network
from testbench.rtl.harness import build
from testbench.rtl.run_result import Step
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


def test_a_bench_of_one_program_has_no_warm_run() -> None:
    with pytest.raises(
        CosilicoError,
        match=r"^engine must be verilator where weights stay in the weight store, not 'cocotb'$",
    ):
        simulate(design(4), engine=Engine.COCOTB)
