"""Ports of the banks: what shares them, against counts cycle by cycle."""

import itertools
import random

import pytest

from sampled import sampled
from sim.mapping.bank_ports import (
    MOST_SLACK,
    Ports,
    base_hold,
    drained_hold,
    port_variants,
    set_reads,
    share_port,
    stores_met,
)
from sim.spec.accelerator import STORE_DISTANCE
from sim.spec.descriptor import ExecuteOp


@pytest.mark.parametrize("pixels", [1, 2, 4, 8])
def test_reads_are_those_of_the_banks_that_a_round_stores_to(pixels: int) -> None:
    for groups, first, taps in itertools.product(range(1, 8), range(8), (1, 9)):
        ports = Ports(taps=taps, groups=groups, first=first, quads=4, lanes=8, spread=0)
        variants = port_variants(ExecuteOp.CONV, pixels, ports)
        assert variants == pixels
        for variant in range(variants):
            stored = range(variant * 8 // pixels, (variant + 1) * 8 // pixels)
            reads = sum((first + group) % 8 in stored for group in range(groups)) * taps * pixels
            assert set_reads(ExecuteOp.CONV, pixels, ports, variant) == reads
        spread = ports._replace(spread=1)
        assert port_variants(ExecuteOp.CONV, pixels, spread) == 1
        assert set_reads(ExecuteOp.CONV, pixels, spread, 0) == groups * taps * pixels


def test_reads_of_as_many_groups_as_banks_are_those_of_the_round_with_most() -> None:
    for groups, first, pixels in itertools.product(range(4, 19), range(4), (1, 2, 4)):
        ports = Ports(taps=2, groups=groups, first=first, quads=4, lanes=4, spread=0)
        size = 4 // pixels
        counts = [
            sum((first + group) % 4 // size == variant for group in range(groups))
            for variant in range(pixels)
        ]
        assert port_variants(ExecuteOp.CONV, pixels, ports) == 1
        reads = set_reads(ExecuteOp.CONV, pixels, ports, 0)
        assert max(counts) * 2 * pixels <= reads <= groups * 2 * pixels
        if size == 1:
            assert reads == max(counts) * 2 * pixels


def test_only_stores_of_conv_and_add_wait_for_reads() -> None:
    ports = Ports(taps=9, groups=1, first=0, quads=4, lanes=4, spread=0)
    for pixels in (1, 2, 4):
        assert set_reads(ExecuteOp.ADD, pixels, ports, 0) == 2 * pixels
        assert set_reads(ExecuteOp.DEPTHWISE, pixels, ports, 0) == 0
        assert set_reads(ExecuteOp.POOL, pixels, ports, 0) == 0


def waits(free: list[bool], first: int, stores: int) -> int:
    """Cycles that so many stores wait, from a cycle on, for cycles that are free."""
    cycle, left = first, stores
    while left:
        left -= free[cycle % len(free)]
        cycle += 1
    return cycle - first - stores


@pytest.mark.parametrize("seed", range(20))
def test_stores_of_sets_like_one_another_are_through_in_an_interval(seed: int) -> None:
    rng = random.Random(seed)
    tight = 0
    for _ in range(200):
        slots, stores = rng.randint(1, 30), rng.randint(1, 20)
        reads = rng.randint(0, slots)
        least = max(4, slots)
        floor = max(least, stores + reads)
        interval, slack, drains = share_port(least, stores, floor, reads, 0, 1, 5, False, 1000)
        assert not drains
        taken = set(rng.sample(range(slots), reads))
        free = [cycle not in taken for cycle in range(interval)]
        longest = max(waits(free, first, stores) for first in range(interval))
        assert longest <= slack
        assert stores + longest <= interval
        # no shorter interval has room for all
        assert interval == least or interval == stores + reads
        tight += longest == slack > 0
    assert tight > 5


@pytest.mark.parametrize("seed", range(20))
def test_stores_beside_others_sets_wait_no_longer_than_the_slack(seed: int) -> None:
    """Sets of the least interval that may follow, their reads in any cycles, wherever the first store comes."""
    rng = random.Random(seed)
    held = 0
    for _ in range(200):
        slots = rng.randint(1, 30)
        reads, least = rng.randint(1, slots), max(4, slots)
        fewest = rng.randint(1, 12)
        stores, floor = fewest + rng.randrange(12), max(least, fewest)
        interval, slack, drains = share_port(
            least, stores, floor, reads, 0, 1, rng.randint(1, 50), False, 25
        )
        taken = set(rng.sample(range(slots), reads))
        if drains:  # then sets like its own follow, and no others' reads are met
            held, floor, slack = held + 1, interval, interval - stores
        free = [cycle not in taken for cycle in range(floor)]
        for first in range(floor):
            longest = waits(free, first, stores)
            assert longest <= slack
            assert stores + longest <= interval
    assert held > 5


@pytest.mark.parametrize("seed", range(20))
def test_stores_find_a_place_behind_the_reads_of_a_vector(seed: int) -> None:
    """Whatever the order of the vectors, each of which has more steps than pixels."""
    rng = random.Random(seed)
    for _ in range(100):
        pixels, gap = rng.choice((1, 2, 4)), rng.randint(1, 12)
        stores = rng.randint(1, 20)
        interval, slack, drains = share_port(4, stores, 4, 1 << 20, gap, pixels, 1 << 30, True, 10)
        assert not drains
        free: list[bool] = []
        for _ in range(40):
            free += [False] * pixels + [True] * (gap + rng.randrange(3))
        longest = max(waits(free, first, stores) for first in range(len(free)))
        assert longest <= slack
        assert stores + longest <= interval


def test_what_cannot_wait_as_long_holds_until_it_has_drained() -> None:
    interval, slack, drains = share_port(1000, 4, 1000, 700, 0, 8, 10, False, 30)
    assert (interval, slack, drains) == (1000, 0, True)
    assert share_port(1000, 4, 1000, MOST_SLACK, 0, 8, 10, False, 30)[2] is False


@pytest.mark.parametrize("op", list(ExecuteOp))
def test_a_drained_descriptors_stores_meet_no_reads(op: ExecuteOp) -> None:
    for pixels, stores in itertools.product((1, 2, 4, 8), (1, 5, 72)):
        skew = pixels - 1 if op == ExecuteOp.CONV else 0
        last = skew + STORE_DISTANCE + stores - 1
        assert drained_hold(op, pixels, stores) == last + 1
        assert base_hold(op, pixels) == {ExecuteOp.CONV: skew, ExecuteOp.ADD: 3}.get(op, 0)


@pytest.mark.parametrize("seed", sampled(range(30), lambda seed: seed == 0))
def test_stores_that_reads_meet_are_at_most_those_of_all_sets_before(seed: int) -> None:
    """The last set ended when the column begins, those before it at any time."""
    rng = random.Random(seed)
    for _ in range(20):
        interval = rng.randint(4, 30)
        stores, lead = rng.randint(1, interval), rng.randrange(40)
        most = [0] * (5 * interval)
        for later in range(interval):
            ends = [0] + [-interval * n - later for n in range(1, 30)]
            ends += [lead + interval * n for n in range(1, 30)]
            taken = {end + STORE_DISTANCE + n for end in ends for n in range(stores)}
            for cycles in range(5 * interval):
                most[cycles] = max(most[cycles], sum(0 <= cycle < cycles for cycle in taken))
        for cycles in range(5 * interval):
            assert stores_met(cycles, interval, stores, lead) == most[cycles]
