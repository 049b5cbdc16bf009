"""Testbenches that stand alone, and the names of their files; known without what writes them."""

from enum import StrEnum

__all__ = [
    "BENCH",
    "BENCH_MODULES",
    "COCOTB_FILES",
    "DESCRIPTION",
    "DESCRIPTION_FILES",
    "EXPECTED_OUTPUT_FILE",
    "EXPECTED_TRACE_FILE",
    "INPUT_FILE",
    "MAKEFILE",
    "OUTPUT_MASK_FILE",
    "PACKAGE_MANIFEST",
    "PORTS_FILE",
    "RUNNER_FILE",
    "TESTBENCH_FILE",
    "TESTS_FILE",
    "VERILOG_TESTBENCH_FILES",
    "VISIBLE_FILE",
    "StandaloneTestbench",
]


class StandaloneTestbench(StrEnum):
    """Testbenches that generated Verilog can come with."""

    NONE = "none"
    VERILOG = "verilog"
    """Plain Verilog-2005 for any simulator."""
    COCOTB = "cocotb"
    """Tests in Python, to extend; needs cocotb, cocotbext-axi and a simulator."""


INPUT_FILE = "input.bin"
EXPECTED_OUTPUT_FILE = "expected_output.bin"
OUTPUT_MASK_FILE = "output_mask.bin"
EXPECTED_TRACE_FILE = "expected_trace.txt"
TESTBENCH_FILE = "testbench.v"
PORTS_FILE = "memory_ports.v"
MAKEFILE = "Makefile"

VERILOG_TESTBENCH_FILES = (
    INPUT_FILE,
    EXPECTED_OUTPUT_FILE,
    OUTPUT_MASK_FILE,
    EXPECTED_TRACE_FILE,
    TESTBENCH_FILE,
    PORTS_FILE,
    MAKEFILE,
)
"""Files of the Verilog testbench, beside the accelerator's Verilog and its program."""

PACKAGE_MANIFEST = "package.json"
"""All files of a package with their digests."""

TESTS_FILE = "test_accelerator.py"
RUNNER_FILE = "runner.py"
VISIBLE_FILE = "visible.vlt"

BENCH = "cocotb_bench"
"""Folder of the bench, a package beside the tests."""

BENCH_MODULES = (
    "__init__.py",
    "axi_memory.py",
    "bench.py",
    "bench_core.py",
    "description.py",
    "local_memories.py",
    "memory_behavior.py",
    "registers.py",
    "scoreboard.py",
    "trace.py",
    "write_memory.py",
)
"""Modules of ``testbench/cocotb`` that the bench on cocotbext-axi consists of."""

DESCRIPTION = "description"
"""Folder of what the bench knows of accelerator and program."""

DESCRIPTION_FILES = (
    "bench.json",
    "memory.bin",
    "inputs.bin",
    "outputs.bin",
    "output_mask.bin",
    "activations.bin",
    "activation_mask.bin",
)

COCOTB_FILES = (
    *(f"{DESCRIPTION}/{name}" for name in DESCRIPTION_FILES),
    *(f"{BENCH}/{name}" for name in BENCH_MODULES),
    TESTS_FILE,
    RUNNER_FILE,
    VISIBLE_FILE,
    MAKEFILE,
)
"""Files of the cocotb folder, beside the accelerator's Verilog and its program."""
