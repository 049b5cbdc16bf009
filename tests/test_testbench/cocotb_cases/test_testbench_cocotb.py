"""Starts the protocol-level cases of testbench/cocotb_cases in Verilator."""

import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Runner, get_runner

from accelerators import TWO_PES
from hwgen import emit, verilator, verilog_files
from hwgen.file_names import VERILOG_FILE
from hwgen.program import compile_design
from project_root import ROOT
from sim import golden
from sim.model import predict
from sim.spec.design import Design
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from sim.timing import calibration
from testbench.cocotb_cases.protocol import CASE_VARIABLE
from testbench.cosimulation.export import write_description
from testbench.rtl.protocol import bound_rules

PORTS_PUBLIC = f'''`verilator_config
public_flat_rw -module "{emit.TOP_MODULE}" -var "*"
public_flat_rd -module "cosilico_ram" -var "memory"
'''
"""All but ports and local memories stays private, which makes the build several times faster."""

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
    "random_stalls_change_no_bit",
    "any_order_of_writes_changes_no_bit",
)


def small_design() -> Design:
    """A 3x3 convolution with partial vectors and an odd image, on two PEs."""
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
    return Design(network=Network(name="small", input=source, layers=(layer,)), accelerator=TWO_PES)


@pytest.fixture(scope="module")
def case_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the description of the design, with an input."""
    design = small_design()
    inputs = np.random.default_rng(8).integers(-128, 128, (1, 5, 7, 6)).astype(np.int8)
    directory = tmp_path_factory.mktemp("case")
    write_description(
        directory,
        TWO_PES,
        compile_design(design),
        design.network,
        predict(TWO_PES, design.network),
        inputs,
        golden.run(design.network, inputs),
        memory_latency=calibration.default().constants["memory_latency"],
    )
    return directory


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Emit the accelerator and build it for cocotb."""
    directory = tmp_path_factory.mktemp("cocotb")
    verilog_files.write(TWO_PES, directory)
    source = directory / "watched.v"
    source.write_text((directory / VERILOG_FILE).read_text() + bound_rules(TWO_PES))
    report = directory / "axi_report.cpp"
    report.write_text((resources.files("testbench.rtl") / "templates" / "axi_report.h").read_text())
    ports = directory / "ports.vlt"
    ports.write_text(PORTS_PUBLIC)
    variables = verilator.environment()
    variables["MAKEFLAGS"] += (
        " OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # the build takes longer than the runs
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        runner = get_runner("verilator")
        runner.build(
            sources=[ports, source],
            hdl_toplevel=emit.TOP_MODULE,
            build_dir=directory / "build",
            build_args=[
                *("--no-public-flat-rw", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
                str(report),
            ],
        )
    return runner


def start(
    case: str, simulation: Runner, case_directory: Path, directory: Path
) -> tuple[Path, Path]:
    """Run one case, or one family of cases; return the paths of results and log."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    results, log = directory / "results.xml", directory / "log"
    simulation.test(
        test_module="testbench.cocotb_cases.protocol",
        hdl_toplevel=emit.TOP_MODULE,
        test_filter=rf"\.{case}(/|$)",
        test_dir=directory,
        results_xml=str(results),
        log_file=str(log),
        extra_env={CASE_VARIABLE: str(case_directory), "PYTHONPATH": os.pathsep.join(paths)},
    )
    return results, log


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_protocol(case: str, simulation: Runner, case_directory: Path, tmp_path: Path) -> None:
    """A case of testbench/cocotb_cases/protocol.py, with the AXI rules bound to the design."""
    results, _ = start(case, simulation, case_directory, tmp_path)
    run, failed = get_results(results)
    assert failed == 0
    assert run >= 1


@pytest.mark.rtl
@pytest.mark.slow
def test_broken_rule_ends_the_simulation(
    simulation: Runner, case_directory: Path, tmp_path: Path
) -> None:
    """In a bus model just as in the design."""
    with pytest.raises(RuntimeError, match=r"^Command failed with return code: 4$"):
        start("response_to_no_burst_ends_the_simulation", simulation, case_directory, tmp_path)
    lines = (tmp_path / "log").read_text().splitlines()
    assert any(
        re.fullmatch(r"AXI protocol violation on B at cycle \d+: response to no burst", line)
        for line in lines
    )
