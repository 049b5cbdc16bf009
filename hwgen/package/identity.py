"""Names of a package, and what the texts of its files have in common."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2

from hwgen.ports import CLOCK, RESET, Port, top_ports
from hwgen.verilog_files import OWNERSHIP, GeneratedVerilog
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["LIBRARY", "RTL", "VENDOR", "PackageIdentity", "render"]

VENDOR = "cosilico"
LIBRARY = "accelerators"
"""Vendor and library of a package's core and component."""

RTL = "rtl"
"""Folder of the Verilog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageIdentity:
    """An emitted accelerator as tools know it.

    Parameters
    ----------
    config : AcceleratorConfig
    verilog : GeneratedVerilog
        A module per file.
    version : str
        Of Cosilico.
    traces : bool
        Whether the top module has the ports ``trace_*``.
    """

    config: AcceleratorConfig
    verilog: GeneratedVerilog
    version: str
    traces: bool

    @property
    def name(self) -> str:
        """Name of the core and the component, with the accelerator's fingerprint."""
        return f"accelerator_{self.config.fingerprint:08x}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Files of Verilog below the package, instantiated modules first."""
        return tuple(f"{RTL}/{name}" for name in self.verilog.names if name.endswith(".v"))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Ports of the top module."""
        return top_ports(self.config, trace=self.traces)

    @property
    def period_ns(self) -> str:
        """Period of the clock in nanoseconds, rounded down to a picosecond."""
        picoseconds = 1_000_000 // self.config.clock_mhz
        return f"{picoseconds // 1000}.{picoseconds % 1000:03d}"


def render(name: str, identity: PackageIdentity, *, markup: bool = False, **values: Any) -> str:
    """Fill in a template of this room."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=markup
    )
    text = (resources.files("hwgen.package") / "templates" / name).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        ownership=OWNERSHIP,
        identity=identity,
        config=identity.config,
        top=identity.verilog.top,
        vendor=VENDOR,
        library=LIBRARY,
        clock=CLOCK,
        reset=RESET,
        **values,
    )
