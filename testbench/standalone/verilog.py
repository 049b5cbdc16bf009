"""Testbench in plain Verilog that runs a program on its accelerator, with all that it reads."""

from pathlib import Path

import jinja2
from amaranth.lib.wiring import In

from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.host.csr import INTERRUPTS, STATUS_BITS
from hwgen.module_names import ModuleNames
from hwgen.verilog_files import OWNERSHIP
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.files import write_atomic
from testbench.rtl.job import OFFSETS
from testbench.standalone.file_names import (
    EXPECTED_OUTPUT_FILE,
    EXPECTED_TRACE_FILE,
    INPUT_FILE,
    MAKEFILE,
    OUTPUT_MASK_FILE,
    PORTS_FILE,
    TESTBENCH_FILE,
)
from testbench.standalone.subject import Subject
from testbench.standalone.template_texts import template

__all__ = ["verilog_testbench_files", "write_verilog_testbench"]

UNDRIVEN = {"s_axil_awprot": "3'd0", "s_axil_arprot": "3'd0", "s_axil_wstrb": "4'b1111"}
"""Inputs that the testbench holds."""

UNREAD = (
    *("s_axil_bresp", "s_axil_rresp", "trace_hazard"),
    *(
        f"{port}_{channel}{name}"
        for port, channel in (("m_axi", "aw"), ("m_axi", "ar"), ("m_axi_desc", "ar"))
        for name in ("id", "size", "burst", "lock", "cache", "prot")
    ),
)
"""Outputs that say nothing that the testbench does not know: STATUS has the hazard."""


def write_verilog_testbench(subject: Subject, folder: Path) -> list[Path]:
    """Write the testbench, its Makefile, the input and what is expected; return the paths.

    The folder must hold the accelerator's Verilog and the program as well, whose names are those of
    ``cosilico generate``.
    """
    makefile = f"# {OWNERSHIP}\n\n{template('verilog.mk')}"
    contents = {**verilog_testbench_files(subject), MAKEFILE: makefile}
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return [folder / name for name in contents]


def verilog_testbench_files(subject: Subject) -> dict[str, str | bytes]:
    """Return the testbench's files but its Makefile, by name."""
    return {
        INPUT_FILE: subject.input_bytes,
        EXPECTED_OUTPUT_FILE: subject.output_bytes,
        OUTPUT_MASK_FILE: subject.program.outputs.mask,
        EXPECTED_TRACE_FILE: subject.trace,
        TESTBENCH_FILE: testbench_text(subject),
        PORTS_FILE: f"// {OWNERSHIP}\n\n{template(PORTS_FILE)}",
    }


def testbench_text(subject: Subject) -> str:
    """Return the testbench's top module, Verilog-2005."""
    program = subject.program
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template("testbench.v.j2")).render(
        ownership=OWNERSHIP,
        top=ModuleNames.of(subject.config).top,
        pins=_pins(subject.config),
        registers=OFFSETS,
        all_interrupts=(1 << len(INTERRUPTS)) - 1,
        only_done=1 << STATUS_BITS.index("done"),
        latency=subject.latency,
        bus_bytes=subject.config.bus_bytes,
        descriptor_bus_bytes=DESCRIPTOR_PORT_BYTES,
        memory_bytes=program.memory_bytes,
        header_address=program.header_address,
        warm_address=program.warm_address,
        descriptors=len(program.descriptors),
        input_address=program.inputs.address,
        input_bytes=program.inputs.size_bytes,
        output_address=program.outputs.address,
        output_bytes=program.outputs.size_bytes,
        states=bool(program.states),
        expected_cycles=subject.prediction.total_cycles,
        warm_cycles=None if subject.warm is None else subject.warm.total_cycles,
    )


def _pins(config: AcceleratorConfig) -> dict[str, str]:
    """Return what each port of the accelerator but clock and reset is connected to."""
    members = accelerator_signature(config).members
    assert all(members[name].flow == In for name in UNDRIVEN)
    return {name: UNDRIVEN.get(name, "" if name in UNREAD else name) for name in members}
