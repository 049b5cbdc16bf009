"""Starts the protocol-level cases of testbench/cocotb_cases in Verilator."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from accelerators import TWO_PES, small_accelerator
from hwgen.module_names import ModuleNames
from hwgen.program import compile_design
from sampled import sampled
from sim import golden
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from sim.timing import calibration
from testbench.cocotb_cases.protocol import CASE_VARIABLE
from testbench.cosimulation.builds import build_port_bench
from testbench.cosimulation.cases import CaseResults, run_module
from testbench.cosimulation.export import write_description
from testbench.rtl.harness import EXIT_PROTOCOL

CASES = (
    "reset_values",
    "read_write_registers_keep_their_bits",
    "doorbell_runs_the_layer_and_interrupts",
    "disabled_interrupt_stays_low",
    "second_doorbell_runs_again",
    "memory_base_moves_the_program",
    "program_for_another_configuration_is_refused",
    "text_that_is_no_program_is_refused",
    "error_responses_stop_the_program",
    "limits_of_the_memory_hold",
    "silence_begins_with_its_burst",
    "random_stalls_change_no_bit",
    "any_order_of_writes_changes_no_bit",
)


CONFIGS = {
    "row": TWO_PES,
    "square": small_accelerator(
        2, 2, simd_units=8, compute_lanes=2, io_bandwidth_gbps=1.6, weight_store_kb=16
    ),
}
"""Two narrow PEs, and four wider PEs with a weight store on a bus of twice the width."""


def small_design(config: AcceleratorConfig) -> Design:
    """A 3x3 convolution with partial vectors and an odd image."""
    rng = np.random.default_rng(7)
    size, channels, filters = (5, 7), 6, 5
    layer = Layer(
        name="conv",
        kind=LayerKind.CONV,
        inputs=("input",),
        output=TensorSpec(
            name="conv", height=5, width=7, channels=filters, scale=1.0, zero_point=-3
        ),
        kernel=(3, 3),
        padding=Padding.same(size, (3, 3), (1, 1)),
        weights=rng.integers(-127, 128, (filters, 3, 3, channels)).astype(np.int8),
        bias=rng.integers(-1000, 1000, filters).astype(np.int32),
        multiplier=rng.integers(1 << 30, (1 << 31) - 1, filters).astype(np.int32),
        shift=np.full(filters, -8, np.int32),
    )
    source = TensorSpec(
        name="input", height=size[0], width=size[1], channels=channels, scale=1.0, zero_point=5
    )
    return Design(network=Network(name="small", input=source, layers=(layer,)), accelerator=config)


class Described(NamedTuple):
    """Accelerator, and the folder with the description of its design and an input."""

    config: AcceleratorConfig
    folder: Path


@pytest.fixture(scope="module", params=sampled(CONFIGS, lambda name: name == "row"))
def described(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Described:
    """Write the description of the design on an accelerator."""
    config = CONFIGS[request.param]
    design = small_design(config)
    inputs = np.random.default_rng(8).integers(-128, 128, (1, 5, 7, 6)).astype(np.int8)
    directory = tmp_path_factory.mktemp("case")
    write_description(
        directory,
        config,
        compile_design(design),
        design.network,
        predict_mapped(map_realizable(config, design.network), cold=True),
        inputs,
        golden.run(design.network, inputs),
        memory_latency=calibration.default().constants["memory_latency"],
    )
    return Described(config, directory)


def start(case: str, described: Described, directory: Path) -> CaseResults:
    """Run one case, or one family of cases, with the AXI rules bound to the design."""
    return run_module(
        build_port_bench(described.config),
        ModuleNames.of(described.config).top,
        "testbench.cocotb_cases.protocol",
        directory,
        test_filter=rf"\.{case}(/|$)",
        variables={CASE_VARIABLE: str(described.folder)},
    )


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_protocol(case: str, described: Described, tmp_path: Path) -> None:
    """A case of testbench/cocotb_cases/protocol.py."""
    results = start(case, described, tmp_path)
    assert results.passed, (tmp_path / "log").read_text()


@pytest.mark.rtl
@pytest.mark.slow
def test_broken_rule_ends_the_simulation(described: Described, tmp_path: Path) -> None:
    """In a bus model just as in the design."""
    results = start("response_to_no_burst_ends_the_simulation", described, tmp_path)
    assert results.exit_status == EXIT_PROTOCOL
    assert not results.passed
    message = r"AXI protocol violation on B at cycle \d+: response to no burst"
    assert re.search(message, results.words)
