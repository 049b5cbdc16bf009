"""Ports of the emitted accelerator, and the meaning of each."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib.wiring import In, Out

from hwgen.gateware.accelerator import accelerator_signature
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = [
    "BUSES",
    "CLOCK",
    "RESET",
    "TRACE_PREFIX",
    "Port",
    "is_trace",
    "port_meanings",
    "top_ports",
]

CLOCK = "clk"
RESET = "aresetn"
"""Reset of the top module: active low, sampled by the clock."""

TRACE_PREFIX = "trace_"
"""Beginning of the ports that only a bench reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Port of the top module.

    Parameters
    ----------
    name : str
    direction : {"input", "output"}
    bits : int
    meaning : str
        One line.
    """

    name: str
    direction: str
    bits: int
    meaning: str


_CLOCKING = {
    CLOCK: "clock of everything; all other ports are synchronous to its rising edge",
    RESET: "reset, active low: sampled at the rising edge, at least one cycle long",
    "irq": "interrupt, high while a bit of IRQ_PENDING is set and enabled",
}

BUSES = {
    "s_axil": "registers",
    "m_axi": "weights and activations",
    "m_axi_desc": "program",
}
"""Meanings of the AXI ports, by the beginning of their signals' names."""

_CHANNELS = {
    "awid": "write identifier, always 0",
    "awaddr": "byte address of a write burst",
    "awlen": "beats of the write burst, less 1",
    "awsize": "log2 of the bytes of a beat, a constant",
    "awburst": "INCR, a constant",
    "awlock": "normal access, a constant",
    "awcache": "modifiable and bufferable, a constant",
    "awprot": "unprivileged secure data, a constant",
    "awvalid": "write address is valid",
    "awready": "write address is taken",
    "wdata": "data to write",
    "wstrb": "bytes to write",
    "wlast": "last beat of the burst",
    "wvalid": "data to write is valid",
    "wready": "data to write is taken",
    "bid": "not read: responses come in order",
    "bresp": "write response",
    "bvalid": "write response is valid",
    "bready": "write response is taken",
    "arid": "read identifier, always 0",
    "araddr": "byte address of a read burst",
    "arlen": "beats of the read burst, less 1",
    "arsize": "log2 of the bytes of a beat, a constant",
    "arburst": "INCR, a constant",
    "arlock": "normal access, a constant",
    "arcache": "modifiable and bufferable, a constant",
    "arprot": "unprivileged secure data, a constant",
    "arvalid": "read address is valid",
    "arready": "read address is taken",
    "rid": "not read: data comes in order",
    "rdata": "data read",
    "rresp": "read response",
    "rlast": "last beat of the burst",
    "rvalid": "data read is valid",
    "rready": "data read is taken",
}

_REGISTER_CHANNELS = {
    "awaddr": "byte address of the register to write",
    "awprot": "not read: protection has no meaning here",
    "wstrb": "bytes of the register to write",
    "bresp": "OKAY, a constant",
    "araddr": "byte address of the register to read",
    "arprot": "not read: protection has no meaning here",
    "rresp": "OKAY, a constant",
}

_TRACES = {
    **{
        f"{TRACE_PREFIX}{name}_{what}": f"a descriptor of {name.upper()} {verb}"
        for name in (queue.name.lower() for queue in Queue)
        for what, verb in (("start", "starts"), ("done", "is done"))
    },
    f"{TRACE_PREFIX}execute_issue_end": "the issue stage of EXECUTE is free for the next descriptor",
    f"{TRACE_PREFIX}hazard": "a transfer collides with EXECUTE in this cycle",
    f"{TRACE_PREFIX}busy": "a program runs",
}


def is_trace(name: str) -> bool:
    """Whether only a bench reads a port."""
    return name.startswith(TRACE_PREFIX)


def port_meanings() -> dict[str, str]:
    """Meaning of every port, by name."""
    buses = {
        f"{prefix}_{name}": f"{bus}: {meaning}"
        for prefix, bus in BUSES.items()
        for name, meaning in _channels(prefix).items()
    }
    return {**_CLOCKING, **buses, **_TRACES}


def top_ports(config: AcceleratorConfig, *, trace: bool) -> tuple[Port, ...]:
    """Ports of the accelerator of `config`, in the order of its text.

    Parameters
    ----------
    config : AcceleratorConfig
    trace : bool
        Whether it has the ports ``trace_*``.
    """
    members: dict[str, Any] = {CLOCK: In(1), RESET: In(1), **accelerator_signature(config).members}
    meanings = port_meanings()
    return tuple(
        Port(
            name=name,
            direction="output" if member.flow == Out else "input",
            bits=Shape.cast(member.shape).width,
            meaning=meanings[name],
        )
        for name, member in members.items()
        if trace or not is_trace(name)
    )


def _channels(prefix: str) -> dict[str, str]:
    return _CHANNELS | _REGISTER_CHANNELS if prefix == "s_axil" else _CHANNELS
