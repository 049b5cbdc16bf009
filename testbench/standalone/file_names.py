"""Testbenches that stand alone, and the names of their files; known without what writes them."""

from enum import StrEnum

__all__ = [
    "EXPECTED_OUTPUT_FILE",
    "EXPECTED_TRACE_FILE",
    "INPUT_FILE",
    "MAKEFILE",
    "PORTS_FILE",
    "TESTBENCH_FILE",
    "VERILOG_TESTBENCH_FILES",
    "StandaloneTestbench",
]


class StandaloneTestbench(StrEnum):
    """Testbenches that generated Verilog can come with."""

    NONE = "none"
    VERILOG = "verilog"
    """Plain Verilog-2005 for any simulator."""


INPUT_FILE = "input.bin"
EXPECTED_OUTPUT_FILE = "expected_output.bin"
EXPECTED_TRACE_FILE = "expected_trace.txt"
TESTBENCH_FILE = "testbench.v"
PORTS_FILE = "memory_ports.v"
MAKEFILE = "Makefile"

VERILOG_TESTBENCH_FILES = (
    INPUT_FILE,
    EXPECTED_OUTPUT_FILE,
    EXPECTED_TRACE_FILE,
    TESTBENCH_FILE,
    PORTS_FILE,
    MAKEFILE,
)
"""Files of the Verilog testbench, beside the accelerator's Verilog and its program."""
