"""Sequencer: the three queues, the semaphores between them, and the start of engines."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.fifo import Fifo, unique_fifo
from hwgen.gateware.primitives.layout import descriptor_layout
from sim.spec.descriptor import Queue

__all__ = ["Sequencer"]

_OUTSTANDING_BITS = 8


class Sequencer(wiring.Component):
    """Holds dispatched descriptors and starts each when its engine and its tokens allow.

    Every ordered pair of different queues has a counting semaphore of TOKEN_BITS bits; a
    queue's own bit in ``wait`` and ``post`` has no effect. A descriptor dispatched in cycle d
    starts (its command is transferred) in the first cycle ::

        start >= max(d + 2, start of the queue's previous descriptor + 1,
                     done + 1 of every descriptor whose token it takes)

    in which the engine is ready. The queue takes a descriptor in the cycle after one of QUEUE_DEPTH
    inside has started, at the earliest.

    Latency: 2 cycles from dispatch to start. Throughput: 1 start per queue per cycle.

    Parameters
    ----------
    tables : bool
        Whether descriptors have the fields of activation tables.

    Members
    -------
    load, execute, store : In(stream.Signature(…_layout()))
        Descriptors from the fetch unit.
    load_command, execute_command, store_command : Out(stream.Signature(…_layout()))
        Commands to the engines.
    load_done, execute_done, store_done : In(1)
        Pulse: the engine's oldest descriptor is done.
    load_post, execute_post, store_post : In(3)
        Its ``post``, with done.
    stop : In(1)
        Nothing starts.
    idle : Out(1)
        Everything that was dispatched is done. Falls in the cycle after a dispatch and rises in the
        cycle after the last done.
    wait_load, wait_store : Out(1)
        EXECUTE's head lacks a token of LOAD; only a token of STORE.
    """

    QUEUE_DEPTH: ClassVar[int] = 8
    TOKEN_BITS: ClassVar[int] = 8

    def __init__(self, *, tables: bool = False) -> None:
        """Create a sequencer with empty queues and no tokens."""
        self._layouts = {queue: descriptor_layout(queue, tables=tables) for queue in Queue}
        members: dict[str, Any] = {}
        for queue, layout in self._layouts.items():
            name, signature = queue.name.lower(), stream.Signature(layout)
            members[name] = In(signature)
            members[f"{name}_command"] = Out(signature)
            members[f"{name}_done"] = In(1)
            members[f"{name}_post"] = In(3)
        super().__init__(
            {
                **members,
                "stop": In(1),
                "idle": Out(1),
                "wait_load": Out(1),
                "wait_store": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build queues, semaphores and the count of what is not done."""
        m = Module()
        heads = {}
        starts = {}
        for queue in Queue:
            name = queue.name.lower()
            fifo = Fifo(self._layouts[queue], self.QUEUE_DEPTH)
            m.submodules[f"{name}_queue"] = unique_fifo(fifo)
            wiring.connect(m, wiring.flipped(getattr(self, name)), fifo.enter)
            heads[queue] = fifo.leave
            starts[queue] = Signal(name=f"{name}_start")

        lacking = {
            (giver, taker): self._semaphore(m, giver, taker, heads[taker], starts[taker])
            for giver in Queue
            for taker in Queue
            if giver != taker
        }
        for queue in Queue:
            head, command = heads[queue], getattr(self, f"{queue.name.lower()}_command")
            missing = [lack for (_, taker), lack in lacking.items() if taker == queue]
            m.d.comb += [
                command.payload.eq(head.payload),
                command.valid.eq(head.valid & ~(missing[0] | missing[1] | self.stop)),
                starts[queue].eq(command.valid & command.ready),
                head.ready.eq(starts[queue]),
            ]

        execute_valid = heads[Queue.EXECUTE].valid
        lacks_load = lacking[Queue.LOAD, Queue.EXECUTE]
        lacks_store = lacking[Queue.STORE, Queue.EXECUTE]
        m.d.comb += [
            self.wait_load.eq(execute_valid & lacks_load),
            self.wait_store.eq(execute_valid & lacks_store & ~lacks_load),
        ]
        self._count(m)
        return m

    def _semaphore(self, m: Module, giver: Queue, taker: Queue, head: Any, start: Signal) -> Signal:
        """Return whether `taker`'s head lacks a token of `giver`."""
        pair = f"{giver.name.lower()}_to_{taker.name.lower()}"
        tokens = Signal(self.TOKEN_BITS, name=f"tokens_{pair}")
        lacks = Signal(name=f"lacks_{pair}")
        take = Signal(name=f"take_{pair}")
        give = Signal(name=f"give_{pair}")
        done, post = (getattr(self, f"{giver.name.lower()}_{what}") for what in ("done", "post"))
        m.d.comb += [
            lacks.eq(head.payload.wait[giver] & (tokens == 0)),
            take.eq(start & head.payload.wait[giver]),
            give.eq(done & post[taker]),
        ]
        m.d.sync += tokens.eq(tokens + give - take)
        return lacks

    def _count(self, m: Module) -> None:
        """Count the descriptors that are dispatched and not done."""
        outstanding = Signal(_OUTSTANDING_BITS)
        dispatched = Signal()
        streams = [getattr(self, queue.name.lower()) for queue in Queue]
        m.d.comb += dispatched.eq(
            (streams[0].valid & streams[0].ready)
            | (streams[1].valid & streams[1].ready)
            | (streams[2].valid & streams[2].ready)
        )
        m.d.sync += outstanding.eq(
            outstanding + dispatched - self.load_done - self.execute_done - self.store_done
        )
        m.d.comb += self.idle.eq(outstanding == 0)
