"""The grid's external access and its distribution of padding."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.gateware.feed import Feed
from hwgen.gateware.grid import Grid
from sim.spec.accelerator import AcceleratorConfig


def make_config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with the smallest memories."""
    return AcceleratorConfig(
        pes_x=pes_x,
        pes_y=pes_y,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=1,
        register_file_kb=1,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def simulate(dut: Any, bench: Any) -> None:
    """Run `bench` on `dut`."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (2, 3, 2, 4), (3, 1, 1, 8)])
def test_vectors_come_back_from_where_they_were_written(shape: tuple[int, int, int, int]) -> None:
    """Reads pass through the pipeline with idle cycles between them, in random order."""
    config = make_config(*shape)
    dut = Grid(config)
    rng = random.Random(3)
    places = [
        {"pe_y": y, "pe_x": x, "bank": bank, "address": address}
        for y in range(config.pes_y)
        for x in range(config.pes_x)
        for bank in range(config.compute_lanes)
        for address in rng.sample(range(config.bank_depth), 3)
    ]
    written = [(place, rng.getrandbits(8 * config.simd_units)) for place in places]
    reads = [rng.choice([None, entry]) for entry in rng.sample(written, len(written)) * 2]

    async def bench(ctx: Any) -> None:
        for place, vector in written:
            ctx.set(dut.tile_write, place | {"enable": 1, "data": vector})
            await ctx.tick()
        ctx.set(dut.tile_write.enable, 0)
        for cycle in range(len(reads) + Grid.READ_LATENCY):
            read = reads[cycle] if cycle < len(reads) else None
            ctx.set(dut.tile_read.enable, read is not None)
            if read is not None:
                ctx.set(dut.tile_read, read[0] | {"enable": 1})
            before = cycle - Grid.READ_LATENCY
            expected = reads[before] if before >= 0 else None
            if expected is not None:
                assert ctx.get(dut.tile_read_data) == expected[1]
            await ctx.tick()

    simulate(dut, bench)


def test_a_written_vector_can_be_read_after_the_write_latency() -> None:
    """A read that reaches the bank WRITE_LATENCY cycles after the write sees it."""
    dut = Grid(make_config(1, 2, 2, 4))
    place = {"pe_y": 0, "pe_x": 1, "bank": 1, "address": 9}

    async def bench(ctx: Any) -> None:
        for vector in (0x11223344, 0x55667788):
            ctx.set(dut.tile_write, place | {"enable": 1, "data": vector})
            await ctx.tick()
            ctx.set(dut.tile_write.enable, 0)
            # reads, too, take one cycle to the bank
            await ctx.tick().repeat(Grid.WRITE_LATENCY - 1)
            ctx.set(dut.tile_read, place | {"enable": 1})
            await ctx.tick().repeat(Grid.READ_LATENCY)
            assert ctx.get(dut.tile_read_data) == vector
            ctx.set(dut.tile_read.enable, 0)

    simulate(dut, bench)


def test_feed_broadcasts_pads_and_keeps() -> None:
    """Private vectors outlast broadcasts, which ADD's operands rely on."""
    config = make_config(1, 1, 2, 8)
    dut = Feed(config)
    vectors = [0x0807060504030201, 0x1817161514131211]

    async def bench(ctx: Any) -> None:
        for port, vector in zip(dut.bank_data, vectors, strict=True):
            ctx.set(port, vector)
        ctx.set(dut.pad_value, -2)
        ctx.set(dut.feed, 1)
        ctx.set(dut.private, 1)
        await ctx.tick()
        assert [ctx.get(port) for port in dut.vector] == vectors
        assert ctx.get(dut.broadcast) == 0
        ctx.set(dut.private, 0)
        for bank, quad, expected in ((1, 0, 0x04030201), (1, 1, 0x08070605), (2, 1, 0x18171615)):
            ctx.set(dut.bank, bank)
            ctx.set(dut.quad, quad)
            await ctx.tick()
            assert ctx.get(dut.broadcast) == expected
            assert [ctx.get(port) for port in dut.vector] == vectors
        ctx.set(dut.pad, 1)
        await ctx.tick()
        assert ctx.get(dut.broadcast) == 0xFEFEFEFE
        ctx.set(dut.feed, 0)
        ctx.set(dut.private, 1)
        await ctx.tick()
        assert ctx.get(dut.broadcast) == 0xFEFEFEFE
        ctx.set(dut.feed, 1)
        await ctx.tick()
        assert [ctx.get(port) for port in dut.vector] == [0xFEFEFEFEFEFEFEFE] * 2

    simulate(dut, bench)
