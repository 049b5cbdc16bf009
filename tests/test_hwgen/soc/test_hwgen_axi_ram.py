# amaranth: UnusedElaboratable=no
"""Bursts into and out of a shared memory, with pauses on every channel."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateware_simulation import simulate
from hwgen.gateware.bus.axi import read_manager, write_manager
from hwgen.soc.axi_ram import DECERR, OKAY, AxiRamReader, AxiRamWriter
from hwgen.soc.shared_ram import SharedRam

BASE = 0x4000_0000
ROWS = 512


class Ports(wiring.Component):  # type: ignore[misc]  # amaranth has no types
    """A memory with two readers, of half a row and of a row, and a writer of half a row."""

    def __init__(self, row_bytes: int) -> None:
        self.row_bytes, self.half = row_bytes, row_bytes // 2
        read, wide = read_manager(self.half), read_manager(row_bytes)
        write = {**write_manager(self.half), "wstrb": Out(self.half)}
        super().__init__(
            {
                **{f"read_{name}": member.flip() for name, member in read.items()},
                **{f"wide_{name}": member.flip() for name, member in wide.items()},
                **{f"write_{name}": member.flip() for name, member in write.items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect them."""
        m = Module()
        memory = {"row_bytes": self.row_bytes, "rows": ROWS, "base": BASE}
        m.submodules.ram = ram = SharedRam(self.row_bytes, ROWS, 3)
        units: dict[str, Any] = {
            "read": AxiRamReader(self.half, **memory),
            "wide": AxiRamReader(self.row_bytes, **memory),
            "write": AxiRamWriter(self.half, **memory),
        }
        for index, (prefix, unit) in enumerate(units.items()):
            m.submodules[prefix] = unit
            wiring.connect(m, unit.ram, ram.client(index))
            for name, member in unit.signature.members.items():
                if name == "ram":
                    continue
                outer, inner = getattr(self, f"{prefix}_{name}"), getattr(unit, name)
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


async def read(
    ctx: Any, ports: Ports, prefix: str, address: int, beats: int, pauses: random.Random
) -> tuple[list[int], set[int]]:
    """Read a burst; return its beats and its responses."""

    def port(name: str) -> Any:
        return getattr(ports, f"{prefix}_{name}")

    ctx.set(port("araddr"), address)
    ctx.set(port("arlen"), beats - 1)
    ctx.set(port("arvalid"), 1)
    await ctx.tick().until(port("arready"))
    ctx.set(port("arvalid"), 0)
    data: list[int] = []
    responses = set()
    for _ in range(40 * beats):
        ready = pauses.random() < 0.6
        ctx.set(port("rready"), ready)
        _, _, valid, beat, response, last = await ctx.tick().sample(
            port("rvalid"), port("rdata"), port("rresp"), port("rlast")
        )
        if ready and valid:
            data.append(beat)
            responses.add(response)
            assert last == (len(data) == beats)
            if last:
                ctx.set(port("rready"), 0)
                return data, responses
    raise AssertionError(f"burst must have {beats} beats, not {len(data)}")


async def write(
    ctx: Any, ports: Ports, address: int, beats: list[tuple[int, int]], pauses: random.Random
) -> int:
    """Write beats, each with its strobes; return the response."""

    def port(name: str) -> Any:
        return getattr(ports, f"write_{name}")

    ctx.set(port("awaddr"), address)
    ctx.set(port("awlen"), len(beats) - 1)
    ctx.set(port("awvalid"), 1)
    await ctx.tick().until(port("awready"))
    ctx.set(port("awvalid"), 0)
    for index, (data, strobes) in enumerate(beats):
        await ctx.tick().repeat(pauses.randrange(3) + 1)
        ctx.set(port("wdata"), data)
        ctx.set(port("wstrb"), strobes)
        ctx.set(port("wlast"), index == len(beats) - 1)
        ctx.set(port("wvalid"), 1)
        await ctx.tick().until(port("wready"))
        ctx.set(port("wvalid"), 0)
    await ctx.tick().repeat(pauses.randrange(3) + 1)
    ctx.set(port("bready"), 1)
    (response,) = await ctx.tick().sample(port("bresp")).until(port("bvalid"))
    ctx.set(port("bready"), 0)
    return int(response)


@pytest.mark.parametrize("row_bytes", [8, 16])
def test_bursts_read_what_bursts_have_written(row_bytes: int) -> None:
    ports = Ports(row_bytes)
    random_bytes = random.Random(row_bytes)
    expected = bytearray(ROWS * row_bytes)
    half = ports.half

    async def testbench(ctx: Any) -> None:
        for _ in range(40):
            beats = random_bytes.randrange(1, 17)
            first = random_bytes.randrange(64) * half
            burst = [
                (random_bytes.getrandbits(8 * half), random_bytes.getrandbits(half))
                for _ in range(beats)
            ]
            assert await write(ctx, ports, BASE + first, burst, random_bytes) == OKAY
            for index, (data, strobes) in enumerate(burst):
                for byte, value in enumerate(data.to_bytes(half, "little")):
                    if strobes >> byte & 1:
                        expected[first + index * half + byte] = value
            for prefix, size in (("read", half), ("wide", row_bytes)):
                start = random_bytes.randrange(32) * row_bytes
                count = random_bytes.randrange(1, 20)
                read_beats, responses = await read(
                    ctx, ports, prefix, BASE + start, count, random_bytes
                )
                joined = b"".join(beat.to_bytes(size, "little") for beat in read_beats)
                assert joined == expected[start : start + count * size]
                assert responses == {OKAY}

    simulate(ports, testbench)


def test_bursts_beside_the_memory_are_refused_and_write_nothing() -> None:
    ports = Ports(8)
    pauses = random.Random(1)

    async def testbench(ctx: Any) -> None:
        beats = [(0x01020304, 15), (0x05060708, 15)]
        assert await write(ctx, ports, BASE, beats, pauses) == OKAY
        for address in (0, BASE - 4096, BASE + 8 * ROWS, BASE | 1 << 31):
            assert await write(ctx, ports, address, [(0, 15)] * 3, pauses) == DECERR
            _, responses = await read(ctx, ports, "read", address, 3, pauses)
            assert responses == {DECERR}
        data, responses = await read(ctx, ports, "read", BASE, 2, pauses)
        assert (data, responses) == ([0x01020304, 0x05060708], {OKAY})

    simulate(ports, testbench)


def test_two_readers_share_the_memory_evenly() -> None:
    ports = Ports(8)
    ends: dict[str, int] = {}

    def reader(prefix: str) -> Any:
        async def process(ctx: Any) -> None:
            ctx.set(getattr(ports, f"{prefix}_araddr"), BASE)
            ctx.set(getattr(ports, f"{prefix}_arlen"), 63)
            ctx.set(getattr(ports, f"{prefix}_arvalid"), 1)
            ctx.set(getattr(ports, f"{prefix}_rready"), 1)
            cycle = 0
            async for _, _, taken, valid, last in ctx.tick().sample(
                getattr(ports, f"{prefix}_arready"),
                getattr(ports, f"{prefix}_rvalid"),
                getattr(ports, f"{prefix}_rlast"),
            ):
                cycle += 1
                if taken:
                    ctx.set(getattr(ports, f"{prefix}_arvalid"), 0)
                if valid and last:
                    ends[prefix] = cycle
                    return

        return process

    async def testbench(ctx: Any) -> None:
        await ctx.tick().repeat(200)

    simulate(ports, testbench, reader("read"), reader("wide"))
    # The first of 128 rows is there in cycle 4, then another in every cycle
    assert sorted(ends.values()) == [4 + 126, 4 + 127]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 8, 8, 0), "data_bytes must be a power of two, not 3"),
        ((16, 8, 8, 0), "data_bytes must be at most a row's 8, not 16"),
        ((8, 8, 8, 32), "base must be a multiple of the memory's size, not 0x20"),
    ],
)
def test_memory_that_cannot_be_is_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        AxiRamReader(*arguments)
