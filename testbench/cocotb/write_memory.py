"""The write channels of a memory that takes addresses and data in one of the orders AXI allows."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

__all__ = ["ORDERS", "WriteMemory"]

ORDERS = (
    "independent",
    "address after valid",
    "address after data",
    "data after address",
    "alternating",
    "late",
)
"""Orders in which AWREADY and WREADY rise, as ``WriteOrder`` of the C++ memory has them.

Alternately, on no condition; and a memory that answers late.
"""

LATENCY = 3
LATE = 300


class WriteMemory:
    """AW, W and B of one port, in front of a memory.

    What it drives in a cycle depends on earlier cycles only. Responses come LATENCY cycles after a
    burst's last beat and its address, or LATE.

    Parameters
    ----------
    dut
        With the ports ``m_axi_aw…``, ``m_axi_w…`` and ``m_axi_b…``.
    store : callable
        Takes a burst's address and bytes.
    order : str
        One of ORDERS.

    Attributes
    ----------
    sequence : list of str
        "address" and "data" as they were taken, data once for each burst, with its last beat.
    """

    def __init__(self, dut: Any, store: Callable[[int, bytes], None], order: str) -> None:
        """Start with all signals low."""
        if order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
        self.dut, self.order, self._store = dut, order, store
        self.sequence: list[str] = []
        self._bursts: deque[tuple[int, int]] = deque()  # address, beats
        self._beats: deque[bytes] = deque()
        self._whole = 0  # bursts all of whose beats came and whose address may be missing
        self._due: deque[int] = deque()
        self._turn: Iterator[int] = itertools.cycle(range(3))
        self._waiting = False  # WVALID was high and not taken
        for signal in (dut.m_axi_awready, dut.m_axi_wready, dut.m_axi_bvalid, dut.m_axi_bresp):
            signal.value = 0
        dut.m_axi_bid.value = 0
        cocotb.start_soon(self._run())

    def empty(self) -> bool:
        """Tell whether no address, data or response is left over."""
        return not (self._bursts or self._beats or self._due)

    async def _run(self) -> None:
        dut = self.dut
        edge = RisingEdge(dut.clk)
        for cycle in itertools.count():
            await edge
            if not dut.aresetn.value:
                continue
            if dut.m_axi_awvalid.value and dut.m_axi_awready.value:
                address = int(dut.m_axi_awaddr.value), int(dut.m_axi_awlen.value) + 1
                self._bursts.append(address)
                self.sequence.append("address")
            taken = bool(dut.m_axi_wvalid.value and dut.m_axi_wready.value)
            if taken:
                self._take_data()
            self._waiting = bool(dut.m_axi_wvalid.value) and not taken
            if dut.m_axi_bvalid.value and dut.m_axi_bready.value:
                dut.m_axi_bvalid.value = 0
                self._due.popleft()
            elif self._due and self._due[0] <= cycle:
                dut.m_axi_bvalid.value = 1
            self._write(cycle)
            address_ready, data_ready = self._ready()
            dut.m_axi_awready.value = address_ready
            dut.m_axi_wready.value = data_ready

    def _take_data(self) -> None:
        data = int(self.dut.m_axi_wdata.value)
        self._beats.append(data.to_bytes(len(self.dut.m_axi_wstrb), "little"))
        if self.dut.m_axi_wlast.value:
            self._whole += 1
            self.sequence.append("data")

    def _write(self, cycle: int) -> None:
        """Write the oldest burst once its address and all its data are there."""
        if not self._bursts or len(self._beats) < self._bursts[0][1]:
            return
        address, beats = self._bursts.popleft()
        self._store(address, b"".join(self._beats.popleft() for _ in range(beats)))
        self._whole -= 1
        self._due.append(cycle + (LATE if self.order == "late" else LATENCY))

    def _ready(self) -> tuple[bool, bool]:
        """Return AWREADY and WREADY of the next cycle."""
        turn = next(self._turn)
        return {
            "address after valid": (
                not self._bursts and self._waiting,
                bool(self._bursts),
            ),
            "address after data": (self._whole > len(self._bursts), True),
            "data after address": (True, bool(self._bursts)),
            "alternating": (turn == 0, turn == 1),
        }.get(self.order, (True, True))
