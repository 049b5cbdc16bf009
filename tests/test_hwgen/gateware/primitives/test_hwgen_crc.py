"""CRC of bus beats: zlib's."""

import random
import zlib
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hwgen.gateware.primitives.crc import CRC_BITS, CRC_RESIDUE, CRC_START, crc_step
from sampled import sampled

WORD_BYTES = 8


def registers(data: bytes) -> list[int]:
    """Register after every word of `data`."""
    m = Module()
    register, word = Signal(CRC_BITS), Signal(8 * WORD_BYTES)
    following = Signal(CRC_BITS)
    m.d.comb += following.eq(crc_step(register, word))
    values = [CRC_START]

    async def drive(ctx: Any) -> None:
        for start in range(0, len(data), WORD_BYTES):
            ctx.set(register, values[-1])
            ctx.set(word, int.from_bytes(data[start : start + WORD_BYTES], "little"))
            values.append(ctx.get(following))

    simulator = Simulator(m)
    simulator.add_testbench(drive)
    simulator.run()
    return values[1:]


def test_register_is_the_complement_of_zlibs_value() -> None:
    data = random.Random(1).randbytes(64 * WORD_BYTES)
    ends = range(WORD_BYTES, len(data) + 1, WORD_BYTES)
    assert registers(data) == [zlib.crc32(data[:end]) ^ CRC_START for end in ends]


@pytest.mark.parametrize("seeds", sampled([2, 10], lambda seeds: seeds == 2))
def test_data_with_its_own_check_word_leaves_the_residue(seeds: int) -> None:
    for seed in range(seeds):
        data = random.Random(seed).randbytes(60)
        check = zlib.crc32(data).to_bytes(4, "little")
        assert registers(data + check)[-1] == CRC_RESIDUE
