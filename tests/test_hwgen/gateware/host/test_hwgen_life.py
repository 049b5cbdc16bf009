"""Life of a program: doorbell, end, first error, orderly stop, abort, time-out."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateware_simulation import kept_unit, simulate
from hwgen.gateware.host.life import Life
from sim.spec.stops import Port, StopCause

Case = Callable[[Any, Life], Coroutine[Any, Any, None]]


def run_case(case: Case) -> None:
    unit = kept_unit(Life)

    async def drive(ctx: Any) -> None:
        ctx.set(unit.idle, 1)
        ctx.set(unit.quiet, 1)
        await case(ctx, unit)

    simulate(unit, drive)


async def start(ctx: Any, unit: Life) -> None:
    """Ring the doorbell of an idle unit."""
    assert ctx.get(unit.drop)
    assert ctx.get(unit.reset)
    ctx.set(unit.doorbell, 1)
    assert ctx.get(unit.start)
    assert not ctx.get(unit.reset)
    await ctx.tick()
    ctx.set(unit.doorbell, 0)
    ctx.set(unit.idle, 0)
    assert ctx.get(unit.busy)
    assert not ctx.get(unit.stop | unit.reset | unit.drop)


async def report(ctx: Any, unit: Life, name: str, cause: StopCause, **fields: int) -> None:
    """Report a fault for one cycle."""
    ctx.set(getattr(unit, name), {"valid": 1, "cause": cause} | fields)
    await ctx.tick()
    ctx.set(getattr(unit, name), {})


def error(ctx: Any, unit: Life) -> tuple[int, int, int, int]:
    """Content of ERROR and ERROR_ADDRESS as a host would read them."""
    return tuple(ctx.get(getattr(unit, n)) for n in ("cause", "port", "response", "address"))


def test_program_ends_when_all_is_done() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        await start(ctx, unit)
        for _ in range(5):
            assert not ctx.get(unit.finished)
            await ctx.tick()
        ctx.set(unit.idle, 1)
        assert ctx.get(unit.finished)
        assert ctx.get(unit.busy)
        await ctx.tick()
        assert not ctx.get(unit.finished | unit.stopped | unit.busy)
        assert ctx.get(unit.reset & unit.drop)
        assert error(ctx, unit) == (StopCause.NONE, Port.NONE, 0, 0)

    run_case(case)


def test_doorbell_counts_only_without_a_program_and_abort_only_with_one() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        ctx.set(unit.abort, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(unit.busy | unit.stop)
        # An order to do both starts the program
        await start(ctx, unit)
        ctx.set(unit.abort, 0)
        ctx.set(unit.doorbell, 1)
        assert not ctx.get(unit.start)
        await ctx.tick().repeat(3)
        assert not ctx.get(unit.start | unit.stop)
        ctx.set(unit.doorbell, 0)
        ctx.set(unit.idle, 1)
        await ctx.tick()
        assert not ctx.get(unit.busy)

    run_case(case)


FAULTS = [
    ("fetch", Port.DESCRIPTOR, StopCause.CHECK, 0),
    ("fetch", Port.DESCRIPTOR, StopCause.REFUSED, 0),
    ("load", Port.READ, StopCause.RESPONSE, 2),
    ("load", Port.READ, StopCause.WINDOW, 0),
    ("store", Port.WRITE, StopCause.DESCRIPTOR, 0),
]


@pytest.mark.parametrize(("name", "port", "cause", "response"), FAULTS)
@pytest.mark.parametrize("drain", [0, 1, 9])
def test_first_fault_stops_until_all_is_quiet(
    name: str, port: Port, cause: StopCause, response: int, drain: int
) -> None:
    async def case(ctx: Any, unit: Life) -> None:
        await start(ctx, unit)
        ctx.set(unit.quiet, drain == 0)
        await ctx.tick().repeat(4)
        await report(ctx, unit, name, cause, address=0x12340, response=response)
        # Whatever follows does not count, not even the end of everything
        ctx.set(unit.load, {"valid": 1, "cause": StopCause.RESPONSE, "response": 3, "address": 4})
        ctx.set(unit.abort, 1)
        ctx.set(unit.idle, 1)
        for _ in range(drain):
            assert ctx.get(unit.stop & unit.busy)
            assert not ctx.get(unit.stopped | unit.finished | unit.reset)
            await ctx.tick()
        ctx.set(unit.quiet, 1)
        assert ctx.get(unit.stopped & unit.stop)
        assert error(ctx, unit) == (cause, port, response, 0x12340)
        ctx.set(unit.load, {})
        ctx.set(unit.abort, 0)
        await ctx.tick()
        assert not ctx.get(unit.stopped | unit.busy | unit.stop)
        assert ctx.get(unit.reset)
        assert error(ctx, unit) == (cause, port, response, 0x12340)
        await start(ctx, unit)
        assert error(ctx, unit) == (StopCause.NONE, Port.NONE, 0, 0)

    run_case(case)


def test_fault_in_the_cycle_of_the_end_counts() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        await start(ctx, unit)
        ctx.set(unit.idle, 1)
        ctx.set(unit.load, {"valid": 1, "cause": StopCause.RESPONSE, "response": 2})
        assert not ctx.get(unit.finished)
        await ctx.tick()
        assert ctx.get(unit.stopped)

    run_case(case)


def test_of_causes_in_one_cycle_the_first_port_counts() -> None:
    causes = {"store": Port.WRITE, "load": Port.READ, "fetch": Port.DESCRIPTOR}

    async def case(ctx: Any, unit: Life) -> None:
        for count in range(len(causes) + 1):
            await start(ctx, unit)
            ctx.set(unit.abort, 1)
            for name in list(causes)[:count]:
                fault = {"valid": 1, "cause": StopCause.WINDOW, "address": 16}
                ctx.set(getattr(unit, name), fault)
            await ctx.tick()
            ctx.set(unit.abort, 0)
            for name in causes:
                ctx.set(getattr(unit, name), {})
            ctx.set(unit.idle, 1)
            if count:
                wanted = (StopCause.WINDOW, list(causes.values())[count - 1], 0, 16)
            else:
                wanted = (StopCause.ABORT, Port.NONE, 0, 0)
            assert error(ctx, unit) == wanted
            await ctx.tick()

    run_case(case)


def test_address_of_a_write_error_is_awaited() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        await start(ctx, unit)
        await report(ctx, unit, "store", StopCause.RESPONSE, response=3)
        for _ in range(4):
            assert ctx.get(unit.stop)
            assert not ctx.get(unit.stopped)
            await ctx.tick()
        ctx.set(unit.located, 1)
        ctx.set(unit.error_address, 0x5678)
        await ctx.tick()
        assert ctx.get(unit.stopped)
        assert error(ctx, unit) == (StopCause.RESPONSE, Port.WRITE, 3, 0x5678)

    run_case(case)


@pytest.mark.parametrize("timeout", [2, 3, 30])
def test_cycles_without_progress_are_counted(timeout: int) -> None:
    async def case(ctx: Any, unit: Life) -> None:
        ctx.set(unit.timeout, timeout)
        await start(ctx, unit)
        for _ in range(3):
            ctx.set(unit.progress, 1)
            await ctx.tick()
            ctx.set(unit.progress, 0)
            await ctx.tick().repeat(timeout - 1)
            assert not ctx.get(unit.stop)
        await ctx.tick().repeat(2)
        assert ctx.get(unit.stop)
        assert error(ctx, unit) == (StopCause.TIMEOUT, Port.NONE, 0, 0)

    run_case(case)


def test_without_a_timeout_a_program_may_be_silent() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        await start(ctx, unit)
        await ctx.tick().repeat(300)
        assert ctx.get(unit.busy)
        assert not ctx.get(unit.stop)

    run_case(case)


def test_bus_that_does_not_answer_is_reported_once() -> None:
    async def case(ctx: Any, unit: Life) -> None:
        ctx.set(unit.timeout, 20)
        await start(ctx, unit)
        ctx.set(unit.quiet, 0)
        ctx.set(unit.progress, 1)
        ctx.set(unit.abort, 1)
        await ctx.tick()
        ctx.set(unit.abort, 0)
        await ctx.tick().repeat(50)
        # As long as anything moves, it is waited for
        assert ctx.get(unit.stop)
        assert not ctx.get(unit.unresponsive)
        ctx.set(unit.progress, 0)
        reports = []
        for cycle in range(100):
            if ctx.get(unit.stopped):
                reports.append(cycle)
            await ctx.tick()
        assert reports == [20]
        assert ctx.get(unit.unresponsive & unit.busy)
        assert error(ctx, unit) == (StopCause.ABORT, Port.NONE, 0, 0)
        ctx.set(unit.doorbell, 1)
        await ctx.tick()
        assert not ctx.get(unit.start)
        ctx.set(unit.doorbell, 0)
        ctx.set(unit.quiet, 1)
        assert not ctx.get(unit.stopped)
        await ctx.tick()
        assert not ctx.get(unit.busy)
        assert ctx.get(unit.unresponsive)
        await start(ctx, unit)
        assert not ctx.get(unit.unresponsive)

    run_case(case)
