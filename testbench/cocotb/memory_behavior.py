"""Stalls, bandwidth limits, errors and silence of a memory."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["DECERR", "OKAY", "PORTS", "SLVERR", "Fault", "Silence", "paced", "random_stalls"]

OKAY, SLVERR, DECERR = 0, 2, 3
"""Responses of AXI4 that a memory without exclusive accesses gives."""

PORTS = ("read", "write", "descriptors")
"""Ports of the memory: both directions of ``m_axi``, and ``m_axi_desc``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Error response at a chosen place; the data is as without it.

    Parameters
    ----------
    port : str
        One of PORTS.
    index : int, optional
        Number of the beat, or on the write port of the response, from 0.
    address : int, optional
        Byte address, from the start of the memory on: the beat that holds it, or on the write port the
        burst that does, fails whenever it comes. Exactly one of the two must be given.
    response : int
        SLVERR or DECERR.
    """

    port: str
    index: int | None = None
    address: int | None = None
    response: int = SLVERR

    def __post_init__(self) -> None:
        """Check port, place and response."""
        _check_port(self.port)
        if (self.index is None) == (self.address is None):
            raise ValueError("a fault must have either an index or an address")
        if self.response not in (SLVERR, DECERR):
            raise ValueError(f"response must be SLVERR or DECERR, not {self.response!r}")

    def hits(self, port: str, index: int, address: int, size_bytes: int) -> bool:
        """Whether a beat or response of that number and place fails."""
        if port != self.port:
            return False
        if self.index is not None:
            return index == self.index
        assert self.address is not None
        return address <= self.address < address + size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """End of all answers: a port takes a burst of that number and those after it, and answers none.

    Parameters
    ----------
    port : str
        One of PORTS.
    index : int
        Of the first burst that is not answered, from 0.
    """

    port: str
    index: int = 0

    def __post_init__(self) -> None:
        """Check the port."""
        _check_port(self.port)


def random_stalls(seed: int, percent: int = 25) -> Iterator[bool]:
    """Yield for every cycle whether a channel pauses: about a share of them, in runs of 1 to 4.

    Parameters
    ----------
    seed : int
    percent : int
        Share of the cycles, 1 … 90.
    """
    if not 1 <= percent <= 90:
        raise ValueError(f"percent must be in 1 … 90, not {percent!r}")
    generator = random.Random(seed)
    longest = 2 * 2.5 * (100 - percent) / percent  # of the runs without a pause
    while True:
        yield from itertools.repeat(False, round(generator.uniform(0, longest)))
        yield from itertools.repeat(True, generator.randint(1, 4))


def paced(beats: int, cycles: int) -> Iterator[bool]:
    """Yield for every cycle whether a channel pauses, so that `beats` of `cycles` may go.

    They are spread evenly.
    """
    if not 1 <= beats <= cycles:
        raise ValueError(f"beats must be in 1 … {cycles}, not {beats!r}")
    for cycle in itertools.count():
        yield (cycle + 1) * beats // cycles == cycle * beats // cycles


def _check_port(port: str) -> None:
    if port not in PORTS:
        raise ValueError(f"port must be one of {', '.join(PORTS)}, not {port!r}")
