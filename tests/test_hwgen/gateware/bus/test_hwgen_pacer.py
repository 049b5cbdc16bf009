# amaranth: UnusedElaboratable=no
"""Pacer: the cycles in which beats may move, against a bucket counted in Python."""

import random
from typing import Any

import pytest

from gateware_simulation import kept_unit, simulate
from hwgen.gateware.bus.pacer import Pacer

RATES = [(1, 2), (3, 4), (25, 32), (75, 128), (125, 128), (333, 1000), (999, 1000), (1, 999)]


def run(earn: int, cost: int, wishes: list[bool]) -> list[bool]:
    """Return in which cycles a beat moves if it is wished for in the given cycles."""
    pacer = kept_unit(Pacer, earn, cost)
    moved = []

    async def drive(ctx: Any) -> None:
        for wish in wishes:
            beat = wish and bool(ctx.get(pacer.ready))
            ctx.set(pacer.beat, beat)
            moved.append(beat)
            await ctx.tick()

    simulate(pacer, drive)
    return moved


@pytest.mark.parametrize(("earn", "cost"), RATES)
def test_a_beat_moves_whenever_the_bucket_has_its_cost(earn: int, cost: int) -> None:
    generator = random.Random(earn * cost)
    wishes = [generator.random() < chance for chance in (1, 0.5, 0.05, 0.9) for _ in range(500)]
    expected, credit = [], 2 * cost - 1
    for wish in wishes:
        beat = wish and credit >= cost
        expected.append(beat)
        credit = min(2 * cost - 1, credit + earn - beat * cost)
    assert run(earn, cost, wishes) == expected


@pytest.mark.parametrize(("earn", "cost"), RATES)
def test_continuous_beats_follow_the_closed_form(earn: int, cost: int) -> None:
    moved = [cycle for cycle, beat in enumerate(run(earn, cost, [True] * 3000)) if beat]
    credit = 2 * cost - 1
    assert moved == [max(j, -((credit - cost * (j + 1)) // earn)) for j in range(len(moved))]
    assert abs(len(moved) - 3000 * earn / cost) < 2


@pytest.mark.parametrize(("earn", "cost"), [(0, 1), (3, 2), (-1, 4)])
def test_a_rate_above_one_or_not_positive_is_refused(earn: int, cost: int) -> None:
    with pytest.raises(ValueError, match=rf"^earn must be in 1 … cost = {cost}, not {earn}$"):
        Pacer(earn, cost)
