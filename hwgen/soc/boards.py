"""Boards with an FPGA that a system fits: device, pins and clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

import jinja2

from hwgen.soc.verilog import SYSTEM_MODULE
from hwgen.verilog_files import OWNERSHIP

__all__ = ["BOARDS", "ULX3S_85F", "Board"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board with an ECP5.

    Parameters
    ----------
    name : str
        Also of the top module.
    title : str
        For people.
    device : tuple of str
        Options of nextpnr for the FPGA, its package and speed grade.
    clock, clock_hz : str, int
        Port of the oscillator, and its rate.
    pins : mapping of str to str
        Pins by the top's ports; all are LVCMOS33.
    pulled_down : frozenset of str
        Inputs that a button drives high.
    """

    name: str
    title: str
    device: tuple[str, ...]
    clock: str
    clock_hz: int
    pins: Mapping[str, str]
    pulled_down: frozenset[str] = frozenset()

    @property
    def constraints(self) -> str:
        """Pins and clock as nextpnr reads them (LPF)."""
        lines = [f"# {OWNERSHIP}", ""]
        for port, pin in self.pins.items():
            pull = "DOWN" if port in self.pulled_down else "NONE"
            lines += [
                f'LOCATE COMP "{port}" SITE "{pin}";',
                f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33 PULLMODE={pull};',
            ]
        lines.append(f'FREQUENCY PORT "{self.clock}" {self.clock_hz / 1e6:g} MHZ;')
        return "\n".join(lines) + "\n"

    @property
    def verilog(self) -> str:
        """Top module around the system."""
        template = resources.files("hwgen.soc") / "templates" / f"{self.name}.v.j2"
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined, keep_trailing_newline=True
        )
        return environment.from_string(template.read_text(encoding="utf-8")).render(
            ownership=OWNERSHIP, name=self.name, system=SYSTEM_MODULE
        )


ULX3S_85F = Board(
    name="ulx3s_85f",
    title="ULX3S with LFE5U-85F",
    device=("--85k", "--package", "CABGA381", "--speed", "6"),
    clock="clk_25mhz",
    clock_hz=25_000_000,
    pins=MappingProxyType(
        {
            "clk_25mhz": "G2",
            "ftdi_rxd": "L4",
            "fire": "R1",
            "wifi_gpio0": "L2",
            **{f"led[{index}]": pin for index, pin in enumerate(("B2", "C2", "C1", "D2"))},
        }
    ),
    pulled_down=frozenset({"fire"}),
)
"""Radiona's board; pins as its constraints and amaranth-boards have them."""

BOARDS: Mapping[str, Board] = MappingProxyType({board.name: board for board in (ULX3S_85F,)})
"""All boards by name."""
