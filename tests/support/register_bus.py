"""Accesses to the registers of a unit in Amaranth's simulator."""

import random
from typing import Any

from hwgen.gateware.host.csr import CsrUnit

__all__ = ["Bus"]


class Bus:
    """AXI4-Lite accesses; with a seed, valid and ready come late and in any order."""

    def __init__(self, unit: CsrUnit, seed: int | None = None) -> None:
        self.unit = unit
        self.generator = None if seed is None else random.Random(seed)

    def _delay(self) -> int:
        return self.generator.randrange(4) if self.generator else 0

    async def write(self, ctx: Any, offset: int, value: int, strobes: int = 15) -> None:
        """Write one word and await its response."""
        unit = self.unit
        ctx.set(unit.awaddr, offset)
        ctx.set(unit.wdata, value)
        ctx.set(unit.wstrb, strobes)
        address_at, data_at, response_at = self._delay(), self._delay(), 4 + self._delay()
        address_done = data_done = False
        for cycle in range(20):
            ctx.set(unit.awvalid, cycle >= address_at and not address_done)
            ctx.set(unit.wvalid, cycle >= data_at and not data_done)
            ctx.set(unit.bready, cycle >= response_at)
            _, _, address, data, response, status = await ctx.tick().sample(
                unit.awvalid & unit.awready,
                unit.wvalid & unit.wready,
                unit.bvalid & unit.bready,
                unit.bresp,
            )
            address_done |= bool(address)
            data_done |= bool(data)
            if response:
                assert address_done
                assert data_done
                assert status == 0
                ctx.set(unit.bready, 0)
                return
        raise AssertionError("no write response")

    async def read(self, ctx: Any, offset: int) -> int:
        """Read one word."""
        unit = self.unit
        ctx.set(unit.araddr, offset)
        ctx.set(unit.arvalid, 1)
        await ctx.tick().until(unit.arready)
        ctx.set(unit.arvalid, 0)
        await ctx.tick().repeat(self._delay() + 1)
        ctx.set(unit.rready, 1)
        data, response = await ctx.tick().sample(unit.rdata, unit.rresp).until(unit.rvalid)
        ctx.set(unit.rready, 0)
        assert response == 0
        return int(data)
