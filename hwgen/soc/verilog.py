"""Verilog of a system, without the accelerator's and the processor's."""

import tempfile
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Out

from hwgen import yosys
from hwgen.gateware.primitives.unique import EmitPlatform
from hwgen.module_names import ModuleNames
from hwgen.ports import CLOCK, RESET
from hwgen.soc.system import ACCELERATOR_MODULE, System
from hwgen.soc.system_map import SystemConfig
from hwgen.verilog_files import OWNERSHIP

__all__ = ["SYSTEM_MODULE", "SYSTEM_PRIMITIVES", "system_verilog"]

SYSTEM_MODULE = "cosilico_system"
"""Name of the system's module; its ports are clk, aresetn and those of System."""

SYSTEM_PRIMITIVES = ("byte_ram", "rom")
"""Files of ``hwgen/soc/rtl`` that the system instantiates."""

_RTL = Path(__file__).parent / "rtl"


class _Top(Elaboratable):
    """The system with a clock and a reset that is active low."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.domain = ClockDomain("sync")
        self.aresetn = Signal(name=RESET)

    def elaborate(self, platform: object) -> Fragment:
        """Return the system's fragment in a clock domain of its own."""
        fragment = Fragment.get(self.system, platform)
        fragment.add_domains(self.domain)
        fragment.add_statements("comb", self.domain.rst.eq(~self.aresetn))
        return fragment


def system_verilog(config: SystemConfig) -> dict[str, str]:
    """Return the system's own files, Verilog-2005, by name; the same for the same configuration.

    They instantiate the accelerator without ports ``trace_*``, as :mod:`hwgen.verilog_files` writes it, and ``picorv32``.
    The read-only memory reads ``firmware.hex``.
    """
    top = _Top(System(config))
    ports: dict[str, Any] = {
        CLOCK: (top.domain.clk, PortDirection.Input),
        RESET: (top.aresetn, PortDirection.Input),
    }
    for name, member in top.system.signature.members.items():
        side = PortDirection.Output if member.flow == Out else PortDirection.Input
        ports[name] = (getattr(top.system, name), side)
    fragment = Fragment.get(top, EmitPlatform())
    netlist: str = rtlil.convert_fragment(fragment, ports, SYSTEM_MODULE, emit_src=False)[0]
    names = ModuleNames.of(config.accelerator)
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "source.il", Path(directory) / "target.v"
        source.write_text(netlist.replace(f"\\{ACCELERATOR_MODULE}", f"\\{names.top}"))
        yosys.run(
            [
                f"read_rtlil {source}",
                "proc",
                "flatten",
                "opt_expr",
                "opt_clean -purge",
                "memory_dff",
                "memory_collect",
                "opt_clean -purge",
                f"write_verilog -noattr {target}",
            ]
        )
        text = target.read_text(encoding="utf-8").split("\n", 1)[1].strip()
    return {
        f"{SYSTEM_MODULE}.v": f"// {OWNERSHIP}\n\n{text}\n",
        **{
            f"cosilico_{name}.v": f"// {OWNERSHIP}\n\n{(_RTL / f'{name}.v').read_text('utf-8')}"
            for name in SYSTEM_PRIMITIVES
        },
    }
