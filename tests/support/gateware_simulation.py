"""Runs of one unit in Amaranth's simulator, which is built once for each of the units that tests share."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from amaranth.sim import Simulator

__all__ = ["kept_unit", "simulate"]

MOST_KEPT = 4
"""Units whose simulators are kept: those of the last tests."""

MOST_PROCESSES = 8
"""Processes that may run beside a testbench."""


class _Simulation:
    """Simulator of a unit, which is reset between runs.

    What runs is added once: it passes its context on to the testbench and the processes of the present run.
    """

    def __init__(self, unit: Any) -> None:
        self.unit = unit
        self._testbench: Any = None
        self._processes: tuple[Any, ...] = ()
        self._used = False
        self._simulator = Simulator(unit)
        self._simulator.add_clock(1e-6)
        for place in range(MOST_PROCESSES):
            self._simulator.add_process(self._process(place))

        async def testbench(ctx: Any) -> None:
            await self._testbench(ctx)

        self._simulator.add_testbench(testbench)

    def _process(self, place: int) -> Callable[[Any], Any]:
        async def process(ctx: Any) -> None:
            if place < len(self._processes):
                await self._processes[place](ctx)

        return process

    def run(self, testbench: Any, *processes: Any) -> None:
        """Clock the unit from its initial state until the testbench ends."""
        assert len(processes) <= MOST_PROCESSES
        self._testbench, self._processes = testbench, processes
        if self._used:
            self._simulator.reset()
        self._used = True
        self._simulator.run()


_kept: OrderedDict[tuple[Any, ...], _Simulation] = OrderedDict()


def kept_unit(kind: Callable[..., Any], *arguments: Any) -> Any:
    """Return a unit that was made of the same arguments before, if few others were made since.

    To build a unit's simulator takes as long as hundreds of its cycles; :func:`simulate` builds it once for
    such a unit, and resets it for each run.

    Parameters
    ----------
    kind : type of wiring.Component
    *arguments : hashable
    """
    key = (kind, *arguments)
    if key not in _kept:
        _kept[key] = _Simulation(kind(*arguments))
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key].unit


def simulate(unit: Any, testbench: Any, *processes: Any) -> None:
    """Clock a unit, from its initial state, until its testbench ends.

    Parameters
    ----------
    unit : wiring.Component
        The device under test; see :func:`kept_unit`.
    testbench : coroutine function
        Takes the simulator's context; drives the unit.
    *processes : coroutine function
        What else runs beside the unit, clocked with it: memories, monitors.
    """
    kept = [simulation for simulation in _kept.values() if simulation.unit is unit]
    (kept or [_Simulation(unit)])[0].run(testbench, *processes)
