"""The price of external bandwidth: pads, PHY and controller of a memory interface, as area and energy.

Two classes of interface: LPDDR4 in channels of 16 bits, and HyperBus in buses of 8 bits. An interface has as many
channels as carry the bandwidth at the highest rate of its standard, all at the same, lowest sufficient rate. Reads and
writes share the pins: the bandwidth counts once.

Every figure has its source in ``external_interfaces.json``. Area of logic is scaled to 45 nm with the square of the
feature size. Pads, drivers and energies are not scaled: pads are as large as their bonds and their protection against
discharge, and drivers drive the standard's load at the standard's voltage.

Not counted: supply pads, phase-locked loops, what an interface uses while it rests, refresh.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Annotated

from sim.spec.documents import Record, checked, parse_json
from sim.spec.rules import Choice, Integer, Name, Number, OrNone

__all__ = [
    "FIGURES_FILE",
    "HYPERBUS_GBPS",
    "TECHNOLOGY_NM",
    "ExternalInterface",
    "Figure",
    "InterfaceFigures",
    "InterfacePrice",
    "Source",
    "interface_class",
    "interface_figures",
    "interface_price",
]

FIGURES_FILE = "external_interfaces.json"
TECHNOLOGY_NM = 45.0


class ExternalInterface(StrEnum):
    """Class of a memory interface."""

    LPDDR4 = "lpddr4"
    """Mixed-signal PHY, terminated lines: 16-bit channels of up to 6.4 GB/s."""
    HYPERBUS = "hyperbus"
    """Digital PHY, full swing: 8-bit buses of up to 0.4 GB/s, as HyperRAM and other octal PSRAM have."""


HYPERBUS_GBPS = 3.2
"""Bandwidth up to which the external memory is HyperRAM, eight buses at most; beyond, it is LPDDR4."""


def interface_class(io_bandwidth_gbps: float) -> ExternalInterface:
    """Class of the external memory of an accelerator, by its bandwidth."""
    if io_bandwidth_gbps <= HYPERBUS_GBPS:
        return ExternalInterface.HYPERBUS
    return ExternalInterface.LPDDR4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Publication that a figure is from.

    Parameters
    ----------
    authors, title, published : str
    year : int
    place : str
        Where in it the figure stands.
    """

    authors: str
    title: str
    published: str
    year: int
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as its source has it, and at 45 nm.

    Parameters
    ----------
    published : float
    unit : str
    technology_nm : float or None
        Of the source; None where it does not matter.
    source : str
        Name of a :class:`Source`.
    value : float
        At 45 nm.
    """

    published: float
    unit: str
    technology_nm: float | None
    source: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceFigures:
    """All figures and their sources.

    Parameters
    ----------
    sources : dict of str to Source
    figures : dict of ExternalInterface to dict of str to Figure
    """

    sources: MappingProxyType[str, Source]
    figures: MappingProxyType[ExternalInterface, MappingProxyType[str, Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfacePrice:
    """Price of an interface at 45 nm.

    Parameters
    ----------
    channels : int
    rate_mts : float
        Transfers of a data signal, millions per second.
    io_mm2, phy_mm2, controller_mm2 : float
        Pads with drivers and receivers; logic of the PHY; protocol controller.
    read_pj_per_bit, write_pj_per_bit : float
        On the chip.
    device_read_pj_per_bit, device_write_pj_per_bit : float
        In the memory device.
    """

    channels: int
    rate_mts: float
    io_mm2: float
    phy_mm2: float
    controller_mm2: float
    read_pj_per_bit: float
    write_pj_per_bit: float
    device_read_pj_per_bit: float
    device_write_pj_per_bit: float

    @property
    def area_mm2(self) -> float:
        """Area on the chip."""
        return self.io_mm2 + self.phy_mm2 + self.controller_mm2


class _SourceRecord(Record):
    authors: Annotated[str, Name()]
    title: Annotated[str, Name()]
    published: Annotated[str, Name()]
    year: Annotated[int, Integer(1990, 2100)]
    place: Annotated[str, Name()]


class _FigureRecord(Record):
    name: Annotated[str, Name()]
    value: Annotated[float, Number(1e-15, 1e9)]
    unit: Annotated[str, Name()]
    technology_nm: Annotated[float | None, OrNone(Number(1, 1000))]
    scaling: Annotated[str, Choice(("area", "none"))]
    source: Annotated[str, Name()]


class _FiguresRecord(Record):
    sources: dict[str, _SourceRecord]
    interfaces: dict[Annotated[str, Choice(tuple(ExternalInterface))], list[_FigureRecord]]


def interface_price(interface: ExternalInterface, io_bandwidth_gbps: float) -> InterfacePrice:
    """Price of an interface that carries a bandwidth.

    Parameters
    ----------
    interface : ExternalInterface
    io_bandwidth_gbps : float
        GB/s (1e9 bytes), as an accelerator has it.

    Raises
    ------
    ValueError
        If the bandwidth is not positive.
    """
    if not 0 < io_bandwidth_gbps < math.inf:
        raise ValueError(f"io_bandwidth_gbps must be positive, not {io_bandwidth_gbps!r}")
    of = {name: each.value for name, each in interface_figures().figures[interface].items()}
    bits_gbps = 8 * io_bandwidth_gbps
    highest_gbps = of["channel_bits"] * of["highest_rate"] * 1e-3
    channels = max(1, math.ceil(bits_gbps / highest_gbps - 1e-9))
    rate_mts = bits_gbps * 1e3 / (channels * of["channel_bits"])
    if interface is ExternalInterface.LPDDR4:
        io_mm2 = _driver_mm2(of, rate_mts / 2)
        phy_mm2 = of["phy_logic_area"] * rate_mts / of["phy_logic_rate"]
    else:
        io_mm2 = of["io_area"]
        phy_mm2 = of["phy_logic_gates"] * of["gate_area"] * 1e-6
    controller_mm2 = of["controller_area"] * of["channel_bits"] / of["controller_bits"]
    return InterfacePrice(
        channels=channels,
        rate_mts=rate_mts,
        io_mm2=channels * of["channel_signals"] * io_mm2,
        phy_mm2=channels * phy_mm2,
        controller_mm2=channels * controller_mm2,
        read_pj_per_bit=of["read_energy"],
        write_pj_per_bit=of["write_energy"],
        device_read_pj_per_bit=of["device_read_energy"],
        device_write_pj_per_bit=of["device_write_energy"],
    )


def _driver_mm2(of: dict[str, float], clock_mhz: float) -> float:
    """Pad, driver and receiver of a signal of a clock: CACTI-IO's form, which grows with the clock."""
    growth = sum(of[f"io_driver_area_{power}"] * clock_mhz**power for power in (1, 2, 3))
    return of["io_area"] + (of["io_driver_area"] + growth) / of["io_resistance"]


@lru_cache(maxsize=1)
def interface_figures() -> InterfaceFigures:
    """Read the figures that come with the package, scaled to 45 nm.

    Raises
    ------
    DesignFileError
        If the file is not what it should be.
    """
    content = resources.files("sim.cost").joinpath(FIGURES_FILE).read_bytes()
    record = checked(_FiguresRecord, parse_json(content, FIGURES_FILE), FIGURES_FILE)
    sources = {name: Source(**source.model_dump()) for name, source in record.sources.items()}
    figures = {
        ExternalInterface(name): MappingProxyType({row.name: _figure(row) for row in rows})
        for name, rows in record.interfaces.items()
    }
    return InterfaceFigures(sources=MappingProxyType(sources), figures=MappingProxyType(figures))


def _figure(row: _FigureRecord) -> Figure:
    factor = 1.0
    if row.scaling == "area" and row.technology_nm is not None:
        factor = (TECHNOLOGY_NM / row.technology_nm) ** 2
    return Figure(
        published=row.value,
        unit=row.unit,
        technology_nm=row.technology_nm,
        source=row.source,
        value=row.value * factor,
    )
