"""AXI channels as flat component members, named as the AXI specification names them."""

from typing import Any

from amaranth.lib.wiring import In, Out

__all__ = [
    "PROTECTION",
    "lite_subordinate",
    "manager_constants",
    "read_manager",
    "write_manager",
]


PROTECTION = 0b000
"""Protection type of all accesses: unprivileged, secure, data."""

_MODIFIABLE_BUFFERABLE = 0b0011
_INCREMENTING = 0b01


def read_manager(data_bytes: int) -> dict[str, Any]:
    """Members of a unit that reads: the signals that change, not the constants."""
    return {
        "araddr": Out(32),
        "arlen": Out(8),
        "arvalid": Out(1),
        "arready": In(1),
        "rdata": In(8 * data_bytes),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


def write_manager(data_bytes: int) -> dict[str, Any]:
    """Members of a unit that writes: the signals that change, not the constants."""
    return {
        "awaddr": Out(32),
        "awlen": Out(8),
        "awvalid": Out(1),
        "awready": In(1),
        "wdata": Out(8 * data_bytes),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }


def manager_constants(channel: str, data_bytes: int) -> dict[str, tuple[int, int]]:
    """Address-channel signals that never change, by name: (width, value).

    Parameters
    ----------
    channel : {"ar", "aw"}
        Prefix of the names.
    data_bytes : int
        Width of the data bus; every beat uses all of it.
    """
    return {
        f"{channel}id": (1, 0),
        f"{channel}size": (3, data_bytes.bit_length() - 1),
        f"{channel}burst": (2, _INCREMENTING),
        f"{channel}lock": (1, 0),
        f"{channel}cache": (4, _MODIFIABLE_BUFFERABLE),
        f"{channel}prot": (3, PROTECTION),
    }


def lite_subordinate(address_bits: int) -> dict[str, Any]:
    """Members of an AXI4-Lite subordinate with 32-bit data."""
    return {
        "awaddr": In(address_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
