"""Life of a program: from the doorbell to its end, or through an orderly stop."""

from enum import Enum
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.faults import CAUSE_BITS, RESPONSE_BITS, fault_layout
from sim.spec.stops import Port, StopCause

__all__ = ["PORT_BITS", "Life"]

PORT_BITS = max(Port).bit_length()

_FAULTS = {"fetch": Port.DESCRIPTOR, "load": Port.READ, "store": Port.WRITE}


class _State(Enum):
    IDLE = 0
    RUN = 1
    STOP = 2


class Life(wiring.Component):
    """Starts a program, ends it when all is done, and stops it at the first error.

    A doorbell in cycle t makes `busy` from cycle t + 1 on. A program whose `idle` is seen in cycle e
    has `finished` in that cycle and is not `busy` from e + 1 on.

    A cause in cycle c makes `stop` from cycle c + 1 on, in which no unit begins anything on a bus. Once
    all ports are `quiet` the program has `stopped`, and all that it has left is reset: units are in
    `reset` in a program's last cycle and whenever no program runs. Where ports give no answer for
    `timeout` cycles, `unresponsive` and `stopped` say so, once, and the wait goes on.

    Of causes in the same cycle the first of these counts: fetch, load, store, time-out, abort.

    Members
    -------
    doorbell, abort : In(1)
        Pulses of the host. The first counts only while no program runs, the second only while
        a program runs.
    timeout : In(32)
        Cycles without `progress` after which a program is stopped; 0 for any number.
    idle : In(1)
        Everything is done; must be low from the cycle after `start` until then.
    quiet : In(1)
        Nothing is outstanding on any port.
    progress : In(1)
        A handshake on a port, or the start or end of a descriptor.
    fetch, load, store : In(fault_layout())
        What the units report.
    located, error_address : In
        Where the write error was, after a fault of `store` with the cause RESPONSE.
    start : Out(1)
        Pulse: the doorbell counts.
    busy, stop : Out(1)
        A program runs; it is being stopped.
    reset, drop : Out(1)
        Units are to forget everything, but not in the cycle of `start`; no program runs.
    finished, stopped : Out(1)
        Pulses: the program is done; it has stopped early.
    unresponsive : Out(1)
        Until the next start: a port did not answer while the program was being stopped.
    cause, port, response, address : Out
        Until the next start: why the program is being stopped. `address` is there with `stopped`.
    """

    def __init__(self) -> None:
        """Create a unit without a program."""
        super().__init__(
            {
                "doorbell": In(1),
                "abort": In(1),
                "timeout": In(32),
                "idle": In(1),
                "quiet": In(1),
                "progress": In(1),
                **{unit: In(fault_layout()) for unit in _FAULTS},
                "located": In(1),
                "error_address": In(32),
                "start": Out(1),
                "busy": Out(1),
                "stop": Out(1),
                "reset": Out(1),
                "drop": Out(1),
                "finished": Out(1),
                "stopped": Out(1),
                "unresponsive": Out(1),
                "cause": Out(CAUSE_BITS),
                "port": Out(PORT_BITS),
                "response": Out(RESPONSE_BITS),
                "address": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the states, the choice of the cause, and the count of silent cycles."""
        m = Module()
        state = Signal(_State)
        fault = Signal(fault_layout())
        port = Signal(PORT_BITS)
        silent = Signal(32)
        expired = Signal()
        ending = Signal()
        awaits_address = Signal()
        m.d.comb += [
            self.busy.eq(state != _State.IDLE),
            self.stop.eq(state == _State.STOP),
            self.drop.eq(state == _State.IDLE),
            self.start.eq(self.doorbell & self.drop),
            # In the last cycle as well: a doorbell may come in the first cycle without a program
            self.reset.eq(Mux(self.drop, ~self.doorbell, ending)),
            expired.eq((self.timeout != 0) & (silent >= self.timeout)),
        ]
        self._choose(m, fault, port, expired)

        m.d.sync += silent.eq(silent + 1)
        with m.If(self.progress | self.drop):
            m.d.sync += silent.eq(0)

        with m.Switch(state):
            with m.Case(_State.IDLE), m.If(self.doorbell):
                m.d.sync += [
                    state.eq(_State.RUN),
                    self.cause.eq(StopCause.NONE),
                    self.port.eq(Port.NONE),
                    self.response.eq(0),
                    self.address.eq(0),
                    self.unresponsive.eq(0),
                ]
            with m.Case(_State.RUN):
                m.d.comb += self.finished.eq(self.idle & ~fault.valid)
                with m.If(fault.valid):
                    m.d.sync += [
                        state.eq(_State.STOP),
                        self.cause.eq(fault.cause),
                        self.port.eq(port),
                        self.response.eq(fault.response),
                        self.address.eq(fault.address),
                        awaits_address.eq(
                            self.store.valid
                            & (port == Port.WRITE)
                            & (fault.cause == StopCause.RESPONSE)
                        ),
                        silent.eq(0),
                    ]
                with m.Elif(self.idle):
                    m.d.sync += state.eq(_State.IDLE)
                    m.d.comb += ending.eq(1)
            with m.Case(_State.STOP):
                with m.If(awaits_address & self.located):
                    m.d.sync += [self.address.eq(self.error_address), awaits_address.eq(0)]
                with m.If(self.quiet & ~awaits_address):
                    m.d.sync += state.eq(_State.IDLE)
                    m.d.comb += [ending.eq(1), self.stopped.eq(~self.unresponsive)]
                with m.Elif(expired & ~self.unresponsive):
                    m.d.sync += self.unresponsive.eq(1)
                    m.d.comb += self.stopped.eq(1)
        return m

    def _choose(self, m: Module, fault: Any, port: Signal, expired: Signal) -> None:
        """Choose the cause that counts."""
        with m.If(self.abort):
            m.d.comb += [fault.valid.eq(1), fault.cause.eq(StopCause.ABORT)]
        with m.If(expired):
            m.d.comb += [fault.valid.eq(1), fault.cause.eq(StopCause.TIMEOUT)]
        for name, number in reversed(_FAULTS.items()):
            unit = getattr(self, name)
            with m.If(unit.valid):
                m.d.comb += [fault.eq(unit), port.eq(number)]
