# amaranth: UnusedElaboratable=no
"""The serial line, decoded as a terminal does."""

import random
from typing import Any

import pytest

from gateware_simulation import simulate
from hwgen.soc.serial import FRAME_BITS, SerialTransmitter


@pytest.mark.parametrize("bit_cycles", [2, 3, 16])
def test_bytes_come_as_frames_and_the_line_is_high_between_them(bit_cycles: int) -> None:
    unit = SerialTransmitter(bit_cycles)
    generator = random.Random(bit_cycles)
    sent = [0x00, 0xFF, 0x55, *(generator.randrange(256) for _ in range(20))]
    levels: list[int] = []

    async def watch(ctx: Any) -> None:
        async for _, _, level in ctx.tick().sample(unit.line):
            levels.append(level)

    async def testbench(ctx: Any) -> None:
        for byte in sent:
            await ctx.tick().repeat(generator.choice([1, 1, 7]))
            ctx.set(unit.bytes.payload, byte)
            ctx.set(unit.bytes.valid, 1)
            await ctx.tick().until(unit.bytes.ready)
            ctx.set(unit.bytes.valid, 0)
        await ctx.tick().repeat((FRAME_BITS + 1) * bit_cycles + 1)

    simulate(unit, testbench, watch)
    received = []
    place = 0
    while place < len(levels):
        if levels[place]:
            place += 1
            continue
        frame = levels[place : place + FRAME_BITS * bit_cycles]
        bits = [frame[first : first + bit_cycles] for first in range(0, len(frame), bit_cycles)]
        assert all(len(set(bit)) == 1 for bit in bits), "a bit must not change within its time"
        start, *data, stop = (bit[0] for bit in bits)
        assert (start, stop) == (0, 1)
        received.append(sum(bit << index for index, bit in enumerate(data)))
        place += len(frame)
    assert received == sent


def test_a_bit_of_one_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bit_cycles must be at least 2, not 1$"):
        SerialTransmitter(1)
