"""Coverage of the registers: random accesses in cocotb, on an instrumented build."""

import tempfile
from pathlib import Path

import numpy as np

from hwgen.module_names import ModuleNames
from hwgen.program import compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.timing import calibration
from testbench.cosimulation.builds import build_port_bench
from testbench.cosimulation.cases import LOG_FILE, run_module
from testbench.cosimulation.export import write_description
from testbench.coverage.register_cases import DESCRIPTION_VARIABLE
from testbench.faults.recovery import small_network
from testbench.rtl.coverage import COVERAGE_FILE, POWER_UP_FILE, Coverage

__all__ = ["run_register_cases"]


def run_register_cases(config: AcceleratorConfig, coverage: Coverage) -> None:
    """Run the cases of :mod:`testbench.coverage.register_cases` on the synthesis view.

    Raises
    ------
    CosilicoError
        If a case fails.
    """
    network = small_network()
    mapped = map_realizable(config, network)
    inputs = np.zeros((1, *network.image_shape), np.int8)
    with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
        folder = Path(name)
        write_description(
            folder,
            config,
            compile_mapped(mapped),
            network,
            predict_mapped(mapped, cold=True),
            inputs,
            golden.run(network, inputs),
            memory_latency=calibration.default().constants["memory_latency"],
        )
        executable = build_port_bench(config, coverage=True)
        top = ModuleNames.of(config).top
        _run_cases(executable, top, folder, test_filter="power_up")
        power_up = (folder / COVERAGE_FILE).rename(folder / POWER_UP_FILE)
        _run_cases(executable, top, folder)
        coverage.add(folder / COVERAGE_FILE, power_up)


def _run_cases(executable: Path, top: str, folder: Path, test_filter: str | None = None) -> None:
    results = run_module(
        executable,
        top,
        "testbench.coverage.register_cases",
        folder,
        variables={DESCRIPTION_VARIABLE: str(folder)},
        test_filter=test_filter,
        log_level="WARNING",
    )
    if not results.passed:
        log = (folder / LOG_FILE).read_text(encoding="utf-8").strip().splitlines()
        raise CosilicoError(f"registers: {results.failed} of {results.run} failed: {log[-1:]}")
