"""The last cycle of a program: the next doorbell may come right after it."""

from typing import Any

import pytest

from gateware_simulation import simulate
from hwgen.gateware.host.life import Life


@pytest.mark.parametrize("abort", [False, True])
def test_units_are_reset_before_a_doorbell_in_the_first_cycle_without_a_program(
    abort: bool,
) -> None:
    """They start with nothing left over, though no cycle of idleness has reset them."""
    life = Life()
    resets: list[bool] = []

    async def process(context: Any) -> None:
        async def cycle() -> None:
            resets.append(bool(context.get(life.reset)))
            await context.tick()

        context.set(life.doorbell, 1)
        await cycle()
        context.set(life.doorbell, 0)
        assert context.get(life.busy)
        await cycle()
        context.set(life.abort if abort else life.idle, 1)
        await cycle()
        context.set(life.abort, 0)
        context.set(life.quiet, 1)
        if abort:
            await cycle()
        context.set(life.doorbell, 1)
        assert not context.get(life.busy)
        assert context.get(life.start)
        await cycle()
        assert context.get(life.busy)

    simulate(life, process)
    assert resets == [False, False, *([False] if abort else []), True, False]
