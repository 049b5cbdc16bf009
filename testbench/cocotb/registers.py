"""Registers of the accelerator by name, behind its AXI4-Lite port."""

from typing import Any, Protocol

from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from .description import Description

__all__ = ["AxiLiteRegisters", "RegisterPort", "Stop"]

CAUSE_MASK, PORT_SHIFT, PORT_MASK, RESPONSE_SHIFT = 7, 4, 3, 8
"""Fields of ERROR."""


class Stop:
    """Why a program stopped before its end, as ERROR and ERROR_ADDRESS say.

    Parameters
    ----------
    description : Description
    error, address : int
        Values of the two registers.

    Attributes
    ----------
    cause, port : str
        Names of :attr:`Description.stop_causes` and :attr:`Description.stop_ports`.
    address : int
        Byte address on the bus.
    response : int
        2 for SLVERR, 3 for DECERR, 0 with other causes than RESPONSE.
    """

    def __init__(self, description: Description, error: int, address: int) -> None:
        """Take the fields of ERROR apart."""
        self.cause = description.stop_causes[error & CAUSE_MASK]
        self.port = description.stop_ports[error >> PORT_SHIFT & PORT_MASK]
        self.address = address
        self.response = error >> RESPONSE_SHIFT

    def __str__(self) -> str:
        """Return cause, port, address and response in words."""
        words = f"{self.cause} on port {self.port} at address {self.address:#x}"
        return f"{words}, response {self.response}" if self.response else words


class RegisterPort(Protocol):
    """Access to 32-bit registers by byte offset."""

    async def write(self, offset: int, value: int) -> None:
        """Write a register; return when the write is answered."""

    async def read(self, offset: int) -> int:
        """Read a register."""


class AxiLiteRegisters:
    """Register port behind the AXI4-Lite manager of cocotbext-axi.

    Parameters
    ----------
    dut
        With the ports ``clk``, ``aresetn`` and ``s_axil_*``.

    Attributes
    ----------
    axi_lite : AxiLiteMaster
        For accesses of other sizes, and for pauses of its channels.
    """

    def __init__(self, dut: Any) -> None:
        """Connect the manager."""
        self.axi_lite = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.aresetn, False
        )

    async def write(self, offset: int, value: int) -> None:
        """Write a register; return when the write is answered."""
        await self.axi_lite.write_dword(offset, value)

    async def read(self, offset: int) -> int:
        """Read a register."""
        return int(await self.axi_lite.read_dword(offset))
