"""SystemVerilog of the fast bench around an accelerator's top module."""

import functools
from importlib import resources

import jinja2
from amaranth.hdl import Shape

from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.host.csr import CSR_ADDRESS_BITS, REGISTERS
from hwgen.module_names import ModuleNames
from hwgen.simulation_view import MEMORY
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.views import View
from testbench.cosimulation.memory_ports import MemoryPort, memory_ports
from testbench.rtl.protocol import rule_instances, rules_text

__all__ = ["BENCH_MODULE", "BENCH_PORTS", "SIZES", "bench_text", "memory_size"]

BENCH_MODULE = "accelerator_bench"
"""Top module of the fast bench."""

BENCH_PORTS = (
    *("clk", "aresetn", "host_request", "host_writes", "host_offset", "host_data"),
    *("host_answered", "host_result", "backdoor_request", "backdoor_writes"),
    *("backdoor_address", "backdoor_bytes", "backdoor_answered", "memory_base"),
    *("memory_latency", "watchdog", "follows", "followed", "stuck", "run_cycle", "cycle", "irq"),
)
"""Signals that Python reads or writes; all others need not be visible."""

SIZES = (1 << 22, 1 << 26, 1 << 29)
"""Sizes of the memory that a bench may be built with, bytes; few, so that builds can be kept."""

EVENTS = (
    "trace_load_start",
    "trace_load_done",
    "trace_execute_start",
    "trace_execute_issue_end",
    "trace_execute_done",
    "trace_store_start",
    "trace_store_done",
)
"""Ports of the events of ``trace_recorder.sv``, by kind."""

CHANNELS = tuple(
    f"{prefix}_{channel}"
    for prefix, channels in (("m_axi", ("ar", "r", "aw", "w", "b")), ("m_axi_desc", ("ar", "r")))
    for channel in channels
)

HOST_PINS = tuple(
    f"s_axil_{name}"
    for name in (
        *("awvalid", "awready", "awaddr", "wvalid", "wready", "wdata", "bvalid", "bready"),
        *("arvalid", "arready", "araddr", "rvalid", "rready", "rdata"),
    )
)

COCOTB_SOURCES = ("host_port.sv", "trace_recorder.sv")
FAST_MEMORY = "fast_memory"
MODEL_MEMORY = "model_memory"
"""Memory in SystemVerilog alone; the C++ model of the harness behind DPI functions."""


def memory_size(program_bytes: int) -> int:
    """Return the least size of SIZES that holds a program's memory.

    Raises
    ------
    ValueError
        If none does.
    """
    for size in SIZES:
        if program_bytes <= size:
            return size
    raise ValueError(
        f"a program's memory must have at most {SIZES[-1]} bytes, not {program_bytes!r}"
    )


def bench_text(
    config: AcceleratorConfig,
    view: View,
    *,
    size_bytes: int,
    model_memory: bool = False,
    rules: bool = True,
) -> str:
    """Return everything of the fast bench but the accelerator itself.

    Parameters
    ----------
    config : AcceleratorConfig
    view : View
        Of the PE grid: where its local memories are.
    size_bytes : int
        Of the memory in SystemVerilog.
    model_memory : bool
        Whether the memory is ``model_memory``, which needs C++ functions, instead of ``fast_memory``.
    rules : bool
        Whether the rules of AXI are checked in every cycle, which needs a C++ function too.
    """
    memory = MODEL_MEMORY if model_memory else FAST_MEMORY
    parts = [_shipped(name) for name in COCOTB_SOURCES]
    ports = memory_ports(_shipped("fast_memory.sv"))
    parts.append(_model_memory(ports) if model_memory else _shipped("fast_memory.sv"))
    if rules:
        parts.append(rules_text())
    template = _template("accelerator_bench.sv.j2")
    members = accelerator_signature(config).members
    offsets = {register.name: register.offset for register in REGISTERS}
    parts.append(
        template.render(
            top=ModuleNames.of(config).top,
            csr_bits=CSR_ADDRESS_BITS,
            doorbell_offset=offsets["CONTROL"],
            wires={
                name: Shape.cast(member.shape).width
                for name, member in members.items()
                if name != "irq"
            },
            host_pins=HOST_PINS,
            memory=memory,
            memory_pins=[port.name for port in ports if port.is_axi],
            bus_bytes=config.bus_bytes,
            descriptor_bytes=DESCRIPTOR_PORT_BYTES,
            size_bytes=size_bytes,
            events=EVENTS,
            channels=CHANNELS,
            rules=list(rule_instances(config).values()) if rules else [],
            looped=view == View.SIMULATION,
            banks=[
                f"pe_{y}_{x}.bank_{bank}"
                for y in range(config.pes_y)
                for x in range(config.pes_x)
                for bank in range(config.compute_lanes)
            ],
            array=MEMORY,
            pes=config.pes,
            lanes=config.compute_lanes,
            vector_bytes=config.vector_bytes,
        )
    )
    return "\n".join(parts)


@functools.cache
def _shipped(name: str) -> str:
    return (resources.files("testbench.cocotb") / name).read_text(encoding="utf-8")


def _model_memory(ports: tuple[MemoryPort, ...]) -> str:
    """Module of the C++ model, with the ports of the memory in SystemVerilog."""
    axi = [port for port in ports if port.is_axi]
    ready = [port for port in ports if port.name == "host_ready"]
    return _template("model_memory.sv.j2").render(
        ports=ports,
        observed=[port for port in axi if port.direction == "input"],
        driven=[*ready, *(port for port in axi if port.direction == "output")],
    )


@functools.cache
def _template(name: str) -> jinja2.Template:
    folder = resources.files("testbench.cosimulation") / "templates"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((folder / name).read_text(encoding="utf-8"))
