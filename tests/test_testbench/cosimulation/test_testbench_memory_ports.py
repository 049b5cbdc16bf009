"""Ports of the memories beside the accelerator: declared once, in fast_memory.sv."""

import re
from importlib import resources

import pytest

from hwgen.gateware.accelerator import accelerator_signature
from sim.spec.spaces import TINY
from sim.spec.views import View
from testbench.cosimulation.bench_top import bench_text
from testbench.cosimulation.memory_ports import MemoryPort, memory_ports

SOURCE = (resources.files("testbench.cocotb") / "fast_memory.sv").read_text(encoding="utf-8")
TIED = re.compile(r".*_(aw|ar|r|b)(id|size|burst|lock|cache|prot|qos|region)")
"""Pins of the accelerator that no memory looks at or drives."""


def test_both_memories_have_the_same_ports() -> None:
    text = bench_text(TINY.default, View.SIMULATION, size_bytes=1 << 22, model_memory=True)
    model = text[text.index("module model_memory") :]
    assert memory_ports(model) == memory_ports(SOURCE)
    assert "module fast_memory" not in text


def test_every_pin_of_the_accelerators_memory_is_connected() -> None:
    pins = [
        name
        for name in accelerator_signature(TINY.default).members
        if name.startswith("m_axi") and not TIED.fullmatch(name)
    ]
    assert sorted(pins) == sorted(port.name for port in memory_ports(SOURCE) if port.is_axi)


def test_a_port_is_read_with_direction_and_range() -> None:
    text = "module m (\n) (\n  input clk,  // the clock\n  output reg [7:0] data\n);\n"
    assert memory_ports(text) == (
        MemoryPort(direction="input", range="", name="clk"),
        MemoryPort(direction="output", range="[7:0]", name="data"),
    )
    with pytest.raises(
        ValueError, match=r"^port must be declared in a line of its own, not 'input a, b,'$"
    ):
        memory_ports("module m #(\n) (\n  input a, b,\n);\n")
