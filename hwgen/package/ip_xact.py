"""Component of an accelerator in IP-XACT, IEEE 1685-2014: buses, registers, ports and files."""

from dataclasses import dataclass

from hwgen.package.identity import PackageIdentity, render
from hwgen.ports import BUSES
from hwgen.registers.table import MAP_BYTES, register_table

__all__ = ["BusInterface", "bus_interfaces", "ip_xact_component"]

_ACCESS = {"R": "read-only", "W": "write-only", "RW": "read-write", "W1C": "read-write"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BusInterface:
    """An AXI port of the top module.

    Parameters
    ----------
    prefix : str
        Beginning of its signals' names.
    meaning : str
    kind : {"AXI4", "AXI4-Lite"}
    initiator : bool
        Whether it asks for transfers.
    data_bits : int
    pins : tuple of (str, str)
        Arm's name and the port's of each signal.
    """

    prefix: str
    meaning: str
    kind: str
    initiator: bool
    data_bits: int
    pins: tuple[tuple[str, str], ...]


def bus_interfaces(identity: PackageIdentity) -> tuple[BusInterface, ...]:
    """Return the AXI ports of an accelerator."""
    width = {port.name: port.bits for port in identity.ports}
    interfaces = []
    for prefix, meaning in BUSES.items():
        longer = [f"{other}_" for other in BUSES if other.startswith(f"{prefix}_")]
        names = [
            name
            for name in width
            if name.startswith(f"{prefix}_") and not name.startswith(tuple(longer))
        ]
        interfaces.append(
            BusInterface(
                prefix=prefix,
                meaning=meaning,
                kind="AXI4" if prefix.startswith("m_") else "AXI4-Lite",
                initiator=prefix.startswith("m_"),
                data_bits=width[f"{prefix}_rdata"],
                pins=tuple((name.removeprefix(f"{prefix}_").upper(), name) for name in names),
            )
        )
    return tuple(interfaces)


def ip_xact_component(identity: PackageIdentity) -> str:
    """Return ``component.xml``."""
    return render(
        "component.xml.j2",
        identity,
        markup=True,
        buses=bus_interfaces(identity),
        table=register_table(identity.config),
        map_bytes=MAP_BYTES,
        access=_ACCESS,
    )
