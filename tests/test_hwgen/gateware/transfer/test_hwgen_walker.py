"""Walkers: destinations of vectors and rows, also when tiles and streams follow without a gap."""

import random
from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.transfer.rows import RowWalker
from hwgen.gateware.transfer.tile_walker import TileWalker


def random_tile(generator: random.Random) -> dict[str, int]:
    limits = {"groups": 7, "rows": 4, "columns": 5, "local_address": 99}
    tile = {name: generator.randint(1, limit) for name, limit in limits.items()}
    tile |= {"pe_x": generator.randrange(8), "pe_vectors": generator.randrange(5)}
    return tile | {"local_plane": generator.randint(20, 60), "local_row": generator.randint(5, 9)}


def vectors(tile: dict[str, int], banks: int) -> list[tuple[int, int, int]]:
    """PE column, bank and address of every vector by definition."""
    own = tile["pe_vectors"] or tile["columns"]
    places = [
        (g, tile["local_address"] + g // banks * tile["local_plane"] + r * tile["local_row"], c)
        for g in range(tile["groups"])
        for r in range(tile["rows"])
        for c in range(tile["columns"])
    ]
    return [(tile["pe_x"] + c // own, g % banks, first + c % own) for g, first, c in places]


@pytest.mark.parametrize("banks", [1, 2, 3, 8])
@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_tiles_follow_each_other_without_a_gap(banks: int, pauses: float) -> None:
    generator = random.Random(banks)
    tiles = [random_tile(generator) for _ in range(6)] + [dict.fromkeys(random_tile(generator), 1)]
    walker = kept_unit(TileWalker, banks)
    seen: list[tuple[int, int, int]] = []
    lasts: list[int] = []

    async def drive(ctx: Any) -> None:
        waiting = list(tiles)
        assert not ctx.get(walker.valid)
        while waiting or ctx.get(walker.valid):
            valid, last = ctx.get(walker.valid), ctx.get(walker.last)
            advance = bool(valid) and generator.random() >= pauses
            if advance:
                seen.append((ctx.get(walker.pe_x), ctx.get(walker.bank), ctx.get(walker.address)))
                lasts.append(last)
            start = bool(waiting) and (not valid or (advance and last))
            ctx.set(walker.advance, advance)
            ctx.set(walker.start, start)
            # The extent need not hold.
            ctx.set(walker.tile, waiting.pop(0) if start else random_tile(generator))
            await ctx.tick()
            if start:
                assert ctx.get(walker.valid)

    simulate(walker, drive)
    expected = [vectors(tile, banks) for tile in tiles]
    assert seen == [vector for tile in expected for vector in tile]
    assert lasts == [i == len(tile) - 1 for tile in expected for i in range(len(tile))]


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_rows_of_streams_follow_each_other_without_a_gap(lanes: int) -> None:
    config = small_accelerator(1, 3, simd_units=8, compute_lanes=lanes, local_memory_kb=16)
    generator = random.Random(lanes)
    streams = []
    for parameter_rows, weight_rows in [(4, 3), (0, 2), (1, 0), (2, 1), (0, 1), (1, 1), (3, 5)]:
        shape = {"parameter_rows": parameter_rows, "weight_rows": weight_rows}
        shape |= {"half": generator.randrange(2), "lane_mask": generator.randrange(1, 1 << lanes)}
        own = generator.choice([0, generator.randint(1, lanes)])
        shape["column_lanes"] = own
        shape["lanes"] = generator.randint(1, own * config.pes_x or lanes)
        streams.append(shape)
    walker = kept_unit(RowWalker, config)
    seen: list[tuple[int, int, int, int]] = []

    def rows(shape: dict[str, int]) -> list[tuple[int, int, int, int]]:
        """Columns, lanes, kind and address of every row by definition."""
        own, blocks = shape["column_lanes"], shape["lanes"]
        return [
            (
                column,
                (shape["lane_mask"] << block) % (1 << lanes),
                parameter,
                shape["half"] * depth + row,
            )
            for block in range(min(own, blocks) if own else blocks)
            for parameter, depth, count in (
                (1, 4, shape["parameter_rows"]),
                (0, config.weight_rows, shape["weight_rows"]),
            )
            for row in range(count)
            for column in ([1 << b // own for b in range(block, blocks, own)] if own else [0b111])
        ]

    async def drive(ctx: Any) -> None:
        ctx.set(walker.start, 1)
        for i, shape in enumerate(streams):
            ctx.set(walker.block, shape)
            await ctx.tick()
            count = len(rows(shape))
            for row in range(count):
                ports = (walker.columns, walker.lanes, walker.parameter, walker.address)
                columns, mask, parameter, address = map(ctx.get, ports)
                seen.append((columns, mask, parameter, address))
                ctx.set(walker.advance, 1)
                ctx.set(walker.start, row == count - 1)
                if row < count - 1:
                    await ctx.tick()
            assert i < len(streams)

    simulate(walker, drive)
    assert seen == [row for shape in streams for row in rows(shape)]
