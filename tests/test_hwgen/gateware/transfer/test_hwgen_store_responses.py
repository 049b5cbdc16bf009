"""STORE's count of write responses: how many may lack, and that none is mistaken for another."""

from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import simulate
from hwgen.gateware.transfer.store import StoreUnit

CONFIG = small_accelerator(local_memory_kb=1)
BURSTS = 12


def outstanding(unit: StoreUnit, answer_at: int) -> tuple[list[int], list[int], int]:
    """Run two descriptors of bursts of one beat on a memory that answers from a cycle on.

    Returns the bursts without response in every cycle, the cycles of done, and the first cycle with
    all responses.
    """
    waiting, dones, answered = [0], [], 0
    last_answer = -1
    descriptor = {
        "groups": 1,
        "rows": BURSTS // 2,
        "columns": 1,
        "local_plane": 8,
        "local_row": 1,
        "group_stride": 0x400,
        "row_stride": 0x40,
        "vector_beats": 1,
        "post": 1,
    }

    async def drive(ctx: Any) -> None:
        nonlocal answered, last_answer
        commands = [descriptor, descriptor | {"address": 0x1000}]
        addressed = sent = 0
        ctx.set(unit.pages, {"first": 0, "last": (1 << 20) - 1})
        ctx.set(unit.awready, 1)
        ctx.set(unit.wready, 1)
        for cycle in range(answer_at + 400):
            ctx.set(unit.command.valid, bool(commands))
            if commands:
                ctx.set(unit.command.payload, commands[0])
            answers = cycle >= answer_at and cycle % 2 == 0 and sent > answered
            ctx.set(unit.bvalid, answers)
            *_, taken, aw, w, done = await ctx.tick().sample(
                unit.command.valid & unit.command.ready,
                unit.awvalid & unit.awready,
                unit.wvalid & unit.wready & unit.wlast,
                unit.done,
            )
            if taken:
                commands.pop(0)
            addressed, sent, answered = addressed + aw, sent + w, answered + answers
            if answers:
                last_answer = cycle
            waiting.append(addressed - answered)
            if done:
                dones.append(cycle)

    simulate(unit, drive)
    assert answered == BURSTS
    return waiting, dones, last_answer


@pytest.mark.parametrize("answer_at", [0, 60, 200])
def test_no_more_responses_lack_than_can_be_told_apart(answer_at: int) -> None:
    waiting, dones, last = outstanding(StoreUnit(CONFIG, responses=3), answer_at)
    assert max(waiting) == 3
    assert len(dones) == 2
    assert dones[-1] == last + 1


def test_a_memory_that_answers_late_holds_up_nothing_within_the_limit() -> None:
    waiting, dones, last = outstanding(StoreUnit(CONFIG, responses=15), 200)
    assert max(waiting) == BURSTS
    assert len(dones) == 2
    assert dones[-1] == last + 1
