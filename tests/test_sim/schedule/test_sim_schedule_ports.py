"""Ports of the banks: in schedules of networks, stores and reads are in time, whenever descriptors start."""

import random

import pytest

from bordered_networks import bordered_networks
from execute_walk import Walk, durations
from sampled import sampled
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import COLUMNS
from sim.plan import Mapped, map_network
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue
from sim.spec.spaces import EDGE, TINY
from stress_cases import draw_stress
from testbench.cases.random_networks import draw_cases

NAMES = [field.name for field in FIELDS[Queue.EXECUTE]]
LONGEST = 6000
"""Cycles of a schedule that is walked."""


def walked(mapped: Mapped, rng: random.Random, late: float) -> int:
    """Walk over the EXECUTEs of a schedule; return how many waits for a port there are.

    Each begins when it may, or with a chance of ``late`` some cycles after that.
    """
    walk = Walk(mapped.config)
    issued = done = 0
    for row in mapped.rows:
        value = dict(zip(COLUMNS, row.tolist(), strict=True))
        if value["queue"] != Queue.EXECUTE:
            continue
        d = {name: value[name] for name in NAMES}
        start = max(issued, done) if d["wait_drain"] else issued
        start += rng.randrange(30) if rng.random() < late else 0
        until_issued, until_done = durations(mapped.config, d)
        walk.run(d, start)
        issued, done = start + until_issued, start + until_done
        if issued > LONGEST:
            break
    walk.settled()
    return walk.waits


@pytest.mark.parametrize("late", sampled([0, 0.5], bool))
def test_stores_and_reads_are_in_time(late: float) -> None:
    """All sets' stores before the next set's, in the slack that descriptors have; reads before their steps."""
    rng = random.Random(late)
    kinds, waits = dict.fromkeys(ExecuteOp, 0), 0
    apart = splits = 0
    cases = draw_cases(60, TINY, 5) + draw_cases(30, EDGE, 5) + draw_stress(60, 5)
    pairs = [(case.config, case.network, case.batch) for case in cases]
    pairs += [(config, network, 1) for config, network in bordered_networks(40, 5)]
    for config, network, images in pairs:
        mapped = map_network(config, network, images)
        if mapped.failure is not Failure.NONE:
            continue
        plan = mapped.layer_plan
        apart += int((plan[:, LayerPlan.BORDER_TOP] + plan[:, LayerPlan.BORDER_BOTTOM] > 0).any())
        splits += int((plan[:, LayerPlan.SPLITS] > 1).any())
        for op in set(
            mapped.rows[mapped.rows[:, COLUMNS["queue"]] == Queue.EXECUTE, COLUMNS["op"]]
        ):
            kinds[ExecuteOp(op)] += 1
        waits += walked(mapped, rng, late)
    assert min(kinds.values()) > 10
    assert min(apart, splits) > 10
    assert waits > 1000
