"""Fetch unit: order, refusal, prefetch and cycles."""

import random
import struct
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.axi_memory import MemoryPort, read_side
from hwgen.gateware.fetch import FetchUnit
from sim.spec.descriptor import DESCRIPTOR_BYTES, HEADER_MAGIC, Queue, decode, encode

FINGERPRINT = 0x89ABCDEF
PROGRAM = 0x140


def program(descriptors: list[bytes], magic: int = HEADER_MAGIC, mark: int = FINGERPRINT) -> bytes:
    header = struct.pack("<III", magic, mark, len(descriptors)).ljust(DESCRIPTOR_BYTES, b"\0")
    return header + b"".join(descriptors)


class Run:
    """Fetches one program; `pace` is the chance that a queue takes a descriptor."""

    def __init__(
        self, image: bytes, stalls: float = 0.0, pace: float = 1.0, latency: int = 24
    ) -> None:
        self.port = MemoryPort(
            bytearray(PROGRAM) + bytearray(image) + bytearray(4096),
            8,
            latency=latency,
            stalls=stalls,
            seed=5,
        )
        self.dispatched: list[tuple[int, Queue, dict[str, int]]] = []
        self.start = self.end = -1
        self.refused: list[int] = []
        unit = FetchUnit(FINGERPRINT)
        simulator = Simulator(unit)
        simulator.add_clock(1e-6)
        simulator.add_process(read_side(self.port, unit))

        async def monitor(ctx: Any) -> None:
            generator = random.Random(11)
            cycle = -1
            streams = {queue: getattr(unit, queue.name.lower()) for queue in Queue}
            watched = [
                signal
                for port in streams.values()
                for signal in (port.valid & port.ready, port.payload.as_value())
            ]
            while True:
                for port in streams.values():
                    ctx.set(port.ready, generator.random() < pace)
                _, _, start, refused, busy, *values = await ctx.tick().sample(
                    unit.start, unit.refused, unit.busy, *watched
                )
                cycle += 1
                for number, queue in enumerate(Queue):
                    taken, word = values[2 * number : 2 * number + 2]
                    if taken:
                        fields = decode(word.to_bytes(DESCRIPTOR_BYTES, "little"))
                        self.dispatched.append((cycle, queue, fields))
                if start:
                    self.start = cycle
                if refused:
                    self.refused.append(cycle)
                if busy:
                    self.end = cycle

        async def drive(ctx: Any) -> None:
            await ctx.tick().repeat(3)
            ctx.set(unit.program, PROGRAM)
            ctx.set(unit.start, 1)
            await ctx.tick()
            ctx.set(unit.start, 0)
            await ctx.tick()
            for _ in range(10_000):
                if not ctx.get(unit.busy):
                    break
                await ctx.tick()
            assert not ctx.get(unit.busy)
            await ctx.tick().repeat(3)

        simulator.add_process(monitor)
        simulator.add_testbench(drive)
        simulator.run()


def mixed(count: int) -> list[tuple[Queue, dict[str, int]]]:
    generator = random.Random(2)
    found = []
    for number in range(count):
        queue = generator.choice(list(Queue))
        extra = {Queue.EXECUTE: {"clamp_high": -3, "in_row": number}}.get(
            queue, {"row_stride": 1000 + number, "groups": 4095}
        )
        found.append((queue, extra | {"wait": generator.randrange(8)}))
    return found


@pytest.mark.parametrize("latency", [2, 24, 100])
def test_dispatches_in_order_in_the_predicted_cycles(latency: int) -> None:
    wanted = mixed(30)
    run = Run(program([encode(queue, values) for queue, values in wanted]), latency=latency)
    assert [(q, f) for _, q, f in run.dispatched] == [(q, decode(encode(q, v))) for q, v in wanted]
    assert run.port.reads[0].cycle == run.start + 1
    header_end = run.port.last_read_beats[0]
    assert header_end == run.start + 1 + latency + 7
    requests: list[int] = []
    arrivals: list[int] = []
    dispatches: list[int] = []
    for i in range(30):
        request = requests[-1] + 1 if i else header_end + 1
        if i >= FetchUnit.DEPTH:
            request = max(request, dispatches[i - FetchUnit.DEPTH] + 1)
        requests.append(request)
        arrivals.append(max(request + latency, arrivals[-1] + 1 if i else 0) + 7)
        dispatches.append(max(arrivals[-1] + 2, dispatches[-1] + 1 if i else 0))
    assert [burst.cycle for burst in run.port.reads[1:]] == requests
    assert [cycle for cycle, _, _ in run.dispatched] == dispatches
    assert run.end == dispatches[-1] + 1
    assert run.refused == []


def test_random_stalls_and_slow_queues_lose_nothing() -> None:
    wanted = mixed(40)
    image = program([encode(queue, values) for queue, values in wanted])
    run = Run(image, stalls=0.4, pace=0.05)
    assert [(q, f) for _, q, f in run.dispatched] == [(q, decode(encode(q, v))) for q, v in wanted]


@pytest.mark.parametrize(("magic", "mark"), [(HEADER_MAGIC, 1), (0, FINGERPRINT), (0, 0)])
def test_refuses_a_program_for_another_accelerator(magic: int, mark: int) -> None:
    run = Run(program([encode(Queue.LOAD, {})], magic, mark))
    assert len(run.refused) == 1
    assert run.dispatched == []
    assert len(run.port.reads) == 1
    assert run.end == run.port.last_read_beats[0]


def test_empty_program_ends() -> None:
    run = Run(program([]))
    assert run.dispatched == []
    assert len(run.port.reads) == 1
    assert run.refused == []


def test_descriptor_that_names_no_queue_is_dropped_and_reported() -> None:
    good = encode(Queue.STORE, {"rows": 2})
    run = Run(program([good, b"\x03" + bytes(63), good]))
    assert [queue for _, queue, _ in run.dispatched] == [Queue.STORE, Queue.STORE]
    assert len(run.refused) == 1
