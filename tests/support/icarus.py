"""Icarus Verilog on generated folders, with Verilog that has no initial values."""

import re
import shutil
from pathlib import Path

import pytest

from hwgen.subprocesses import run_program

__all__ = ["needs_icarus", "run_in_icarus", "without_initial_values"]

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None,
    reason="Icarus Verilog (Debian's package iverilog) must be on PATH",
)

_INITIAL_VALUE = re.compile(r"^( *reg [^;=]*?) = \d+'[hbd][0-9a-fx]+;", re.MULTILINE)
"""Initial values as Yosys writes them."""

_INITIAL_BLOCK = re.compile(
    r"^  initial begin\n(?:    [\w\[\]:]+ = \d+'[hbd][0-9a-fx]+;\n)+  end\n", re.MULTILINE
)


def without_initial_values(verilog: str) -> str:
    """Return Verilog whose registers hold X until something is written to them."""
    text, count = _INITIAL_VALUE.subn(r"\1;", verilog)
    text, blocks = _INITIAL_BLOCK.subn("", text)
    assert count + blocks
    assert not re.search(r"^ *(initial\b|reg\b[^;]*=)", text, re.MULTILINE)
    return text


def run_in_icarus(folder: Path, *arguments: str) -> str:
    """Run ``make icarus`` in a generated folder; return the line that PASS or FAIL is in.

    Parameters
    ----------
    folder : Path
    *arguments : str
        For ``make``, as ``STALLS=1``.
    """
    result = run_program(["make", "-C", str(folder), "icarus", *arguments])
    [line] = [line for line in result.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert line.startswith("PASS") == (result.returncode == 0)
    return line
