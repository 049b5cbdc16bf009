"""Locator: the address of every burst whose response is an error."""

import random
from typing import Any

import pytest

from gateware_simulation import kept_unit, simulate
from hwgen.gateware.bus.locator import Locator
from sampled import sampled

BUS_BYTES = 4
REGIONS = 4


def bursts(region: dict[str, int]) -> list[int]:
    """Address of every burst of a region, by definition."""
    addresses = []
    for group in range(region["groups"]):
        for row in range(region["rows"]):
            address = region["base"] + group * region["group_stride"] + row * region["row_stride"]
            left = region["beats"] * BUS_BYTES
            while left:
                addresses.append(address)
                size = min(left, 256 * BUS_BYTES, 4096 - address % 4096)
                address, left = address + size, left - size
    return addresses


def random_region(generator: random.Random) -> dict[str, int]:
    return {
        "base": generator.randrange(1 << 16) * BUS_BYTES,
        "beats": generator.choice([1, 2, 300, 1030]),
        "rows": generator.randint(1, 3),
        "groups": generator.randint(1, 3),
        "row_stride": 0x2000,
        "group_stride": 0x10000,
    }


def located(
    regions: list[dict[str, int]], failing: set[int], gap: int, seed: int = 1
) -> tuple[int | None, int]:
    """Address that the locator gives, and the cycles that it took from the first failure."""
    unit = kept_unit(Locator, BUS_BYTES, 13, REGIONS, 63)
    sizes = [len(bursts(region)) for region in regions]
    result: list[Any] = [None, 0]

    async def drive(ctx: Any) -> None:
        generator = random.Random(seed)
        answered, entered, failed_at = 0, 0, -1
        since_entry = since_answer = 1000
        for cycle in range(3000):
            done = sum(1 for i in range(entered) if sum(sizes[: i + 1]) <= answered)
            room = entered < len(regions) and entered - done < REGIONS
            enter = room and since_entry >= 5 and generator.random() < 0.5
            # Responses of what has been entered for some time
            known = sum(sizes[: entered if since_entry > 6 else max(0, entered - 1)])
            answer = answered < known and since_answer > gap
            ctx.set(unit.enter, enter)
            if enter:
                ctx.set(unit.region, regions[entered])
            ctx.set(unit.answered, answer)
            ctx.set(unit.failed, answered in failing)
            if answer and answered in failing and failed_at < 0:
                failed_at = cycle
            await ctx.tick()
            entered += enter
            answered += answer
            since_entry = 0 if enter else since_entry + 1
            since_answer = 0 if answer else since_answer + 1
            if ctx.get(unit.located) and result[0] is None:
                result[:] = [ctx.get(unit.address), cycle - failed_at]
        assert answered == sum(sizes)

    simulate(unit, drive)
    return result[0], result[1]


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("seed", sampled(range(12), lambda seed: seed % 3 == 0))
def test_first_failing_burst_is_located(seed: int, gap: int) -> None:
    generator = random.Random(seed)
    regions = [random_region(generator) for _ in range(7)]
    addresses = [address for region in regions for address in bursts(region)]
    first, second = sorted(generator.sample(range(len(addresses)), 2))
    address, cycles = located(regions, {first, second}, gap, seed)
    assert address == addresses[first]
    assert cycles <= 4 * REGIONS + 1


def test_without_a_failure_nothing_is_located() -> None:
    assert located([random_region(random.Random(i)) for i in range(4)], set(), 0)[0] is None


def test_single_bursts_in_a_row_are_followed() -> None:
    regions = [
        random_region(random.Random(i)) | {"beats": 1, "rows": 1, "groups": 1} for i in range(9)
    ]
    for index in range(9):
        assert located(regions, {index}, 0)[0] == regions[index]["base"]
