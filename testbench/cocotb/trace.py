"""Start and end of every descriptor, as the ``trace_*`` ports show them."""

from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from .description import Description

__all__ = ["EVENTS", "Trace", "TraceMonitor"]

EVENTS = ("start", "issue_end", "end")
"""Kinds of events of a descriptor; the pulse of an end is called ``done``, and EXECUTE alone has the second."""


class Trace:
    """Times of the descriptors of one run.

    Parameters
    ----------
    queues : sequence of int
        Queue of every descriptor, in program order.
    count : int
        How many queues there are.

    Attributes
    ----------
    start, issue_end, end : list of int
        Cycle of each descriptor's event, in program order, from cycle 0 of the run on, the first in
        which ``trace_busy`` is high; -1 where nothing was seen.
    extra : int
        Events beyond the program's descriptors.
    """

    def __init__(self, queues: "tuple[int, ...]", count: int) -> None:
        """Begin with nothing seen."""
        self.start, self.issue_end, self.end = ([-1] * len(queues) for _ in EVENTS)
        self.extra = 0
        self._places: list[list[int]] = [[] for _ in range(count)]
        for index, queue in enumerate(queues):
            self._places[queue].append(index)
        self._seen = {event: [0] * count for event in EVENTS}

    def record(self, event: str, queue: int, cycle: int) -> int | None:
        """Note the next event of a kind in a queue; return the descriptor that it belongs to.

        Descriptors of a queue start and end in order. Returns None for an event that no descriptor is
        left for.
        """
        number = self._seen[event][queue]
        self._seen[event][queue] = number + 1
        if number >= len(self._places[queue]):
            self.extra += 1
            return None
        index = self._places[queue][number]
        times: list[int] = getattr(self, event)
        times[index] = cycle
        return index

    def count(self, event: str, queue: int) -> int:
        """Return how many events of a kind a queue has had."""
        return self._seen[event][queue]

    def times(self, index: int) -> tuple[int, int, int]:
        """Return start, end of issue and end of a descriptor."""
        return self.start[index], self.issue_end[index], self.end[index]


class TraceMonitor:
    """Watches the ``trace_*`` ports, and calls back at every event.

    Parameters
    ----------
    dut
        With the ports ``clk`` and ``trace_*``.
    description : Description
    notify : callable
        Called with (event, queue, descriptor, cycle) in the cycle of the event, before the clock
        rises; the descriptor is None where the program has no more of that queue.
    """

    def __init__(
        self,
        dut: Any,
        description: Description,
        notify: Callable[[str, int, int | None, int], None],
    ) -> None:
        """Connect the ports; nothing is recorded before :meth:`begin`."""
        self._dut, self._description, self._notify = dut, description, notify
        self._cycle = -1
        self.trace = Trace((), len(description.queues))
        self._pulses = {
            (event, number): getattr(dut, f"trace_{queue}_{'done' if event == 'end' else event}")
            for number, queue in enumerate(description.queues)
            for event in EVENTS
            if event != "issue_end" or number == description.execute_queue
        }
        cocotb.start_soon(self._run())

    def begin(self) -> Trace:
        """Begin a new run's trace, from the next cycle on in which ``trace_busy`` rises."""
        queues = self._description.program.queues
        self.trace = Trace(queues, len(self._description.queues))
        self._cycle = -1
        return self.trace

    @property
    def cycle(self) -> int:
        """Cycle of the run that is under way, or -1."""
        return self._cycle

    async def _run(self) -> None:
        clock = RisingEdge(self._dut.clk)
        busy = RisingEdge(self._dut.trace_busy)
        while True:
            await busy
            self._cycle = 0
            while True:
                await clock
                if not self._dut.trace_busy.value and not self._pulsing():
                    break
                self._sample()
                self._cycle += 1

    def _pulsing(self) -> bool:
        return any(pulse.value for pulse in self._pulses.values())

    def _sample(self) -> None:
        for (event, queue), pulse in self._pulses.items():
            if pulse.value:
                descriptor = self.trace.record(event, queue, self._cycle)
                self._notify(event, queue, descriptor, self._cycle)
