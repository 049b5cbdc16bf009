"""Fetch unit: order, refusal, prefetch and cycles."""

import itertools
import random
import zlib
from typing import Any

import pytest

from axi_memory import MemoryPort, read_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.host.fetch import FetchUnit
from sampled import sampled
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue, decode, encode
from sim.spec.header import CHECK_OFFSET, HEADER_MAGIC, HEADER_VERSION, program_bytes, seal
from sim.spec.stops import StopCause

FINGERPRINT = 0x89ABCDEF
PROGRAM = 0x140


def program(descriptors: list[bytes]) -> bytes:
    return seal(FINGERPRINT, b"".join(descriptors))


def patched(image: bytes, offset: int, data: bytes) -> bytes:
    """Return an image with other bytes at an offset."""
    return image[:offset] + data + image[offset + len(data) :]


class Run:
    """Fetches one program; `pace` is the chance that a queue takes a descriptor.

    The unit is stopped one cycle after its first fault.
    """

    def __init__(
        self,
        image: bytes,
        stalls: float = 0.0,
        pace: float = 1.0,
        latency: int = 24,
        error_address: int = -1,
        pages: tuple[int, int] = (0, 0xFFFFF),
    ) -> None:
        self.port = MemoryPort(
            bytearray(PROGRAM) + bytearray(image) + bytearray(4096),
            8,
            latency=latency,
            stalls=stalls,
            seed=5,
            error_address=error_address,
        )
        self.dispatched: list[tuple[int, Queue, dict[str, int]]] = []
        self.start = self.end = -1
        self.faults: list[tuple[int, StopCause, int, int]] = []
        self.quiet = -1
        unit = kept_unit(FetchUnit, FINGERPRINT)

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
                _, _, start, fault, busy, quiet, *values = await ctx.tick().sample(
                    unit.start, unit.fault, unit.busy, unit.quiet, *watched
                )
                cycle += 1
                if fault.valid:
                    seen = (cycle, StopCause(fault.cause), fault.response, fault.address)
                    self.faults.append(seen)
                    ctx.set(unit.stop, 1)
                if quiet and self.faults and self.quiet < 0:
                    self.quiet = cycle
                for number, queue in enumerate(Queue):
                    taken, word = values[2 * number : 2 * number + 2]
                    if taken:
                        fields = decode(word.to_bytes(DESCRIPTOR_BYTES, "little"))
                        self.dispatched.append((cycle, queue, fields))
                if start:
                    self.start = cycle
                if busy:
                    self.end = cycle

        async def drive(ctx: Any) -> None:
            await ctx.tick().repeat(3)
            ctx.set(unit.pages.first, pages[0])
            ctx.set(unit.pages.last, pages[1])
            ctx.set(unit.program, PROGRAM)
            ctx.set(unit.start, 1)
            await ctx.tick()
            ctx.set(unit.start, 0)
            await ctx.tick()
            for _ in range(10_000):
                if not ctx.get(unit.busy) or self.quiet >= 0:
                    break
                await ctx.tick()
            assert not ctx.get(unit.busy) or self.quiet >= 0
            await ctx.tick().repeat(100)

        simulate(unit, drive, read_side(self.port, unit), monitor)


def mixed(count: int) -> list[tuple[Queue, dict[str, int]]]:
    generator = random.Random(2)
    drawn = []
    for number in range(count):
        queue = generator.choice(list(Queue))
        extra = {Queue.EXECUTE: {"clamp_high": -3, "in_row": number}}.get(
            queue, {"row_stride": 1000 + number, "groups": 4095}
        )
        drawn.append((queue, extra | {"wait": generator.randrange(8)}))
    return drawn


@pytest.mark.parametrize("count", [0, 1, FetchUnit.DEPTH, 30])
def test_reads_the_bytes_that_energy_is_priced_for_and_no_more(count: int) -> None:
    run = Run(program([encode(queue, values) for queue, values in mixed(count)]), stalls=0.3)
    assert len(run.dispatched) == count
    beats = sum(burst.beats for burst in run.port.reads)
    assert beats * DESCRIPTOR_PORT_BYTES == program_bytes(count)


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
    assert run.faults == []


def test_random_stalls_and_slow_queues_lose_nothing() -> None:
    wanted = mixed(40)
    image = program([encode(queue, values) for queue, values in wanted])
    run = Run(image, stalls=0.4, pace=0.05)
    assert [(q, f) for _, q, f in run.dispatched] == [(q, decode(encode(q, v))) for q, v in wanted]


HEADER_CHANGES = {
    "magic": (0, (HEADER_MAGIC ^ 1).to_bytes(4, "little")),
    "fingerprint": (4, (FINGERPRINT ^ 1).to_bytes(4, "little")),
    "version": (12, (HEADER_VERSION - 1).to_bytes(4, "little")),
}


@pytest.mark.parametrize("change", HEADER_CHANGES.values(), ids=HEADER_CHANGES.keys())
def test_refuses_a_program_for_another_accelerator(change: tuple[int, bytes]) -> None:
    image = patched(program([encode(Queue.LOAD, {})]), *change)
    check = zlib.crc32(image[:CHECK_OFFSET]).to_bytes(4, "little")
    run = Run(patched(image, CHECK_OFFSET, check))
    assert run.faults == [(run.port.last_read_beats[0], StopCause.REFUSED, 0, PROGRAM)]
    assert run.dispatched == []
    assert len(run.port.reads) == 1


@pytest.mark.parametrize(
    "offset", sampled([8, 10, 16, 23, 33, 58, 60, 63], lambda offset: offset in (8, 33, 63))
)
def test_refuses_a_damaged_header(offset: int) -> None:
    image = program([encode(Queue.LOAD, {})] * 3)
    run = Run(patched(image, offset, bytes([image[offset] ^ 0x20])))
    end = run.port.last_read_beats[0]
    assert run.faults[0] == (end + 1, StopCause.REFUSED, 0, PROGRAM)
    assert run.dispatched == []


@pytest.mark.parametrize(
    ("index", "bit"),
    sampled(
        itertools.product([0, 1, 9], [0, 5, 77, 300, 394, 470, 479, 480, 511]),
        # every bit once, and each descriptor
        lambda case: ([0, 1, 9].index(case[0]) + case[1]) % 3 == 0,
        fields=True,
    ),
)
def test_damaged_descriptor_is_not_dispatched(index: int, bit: int) -> None:
    wanted = mixed(12)
    image = program([encode(queue, values) for queue, values in wanted])
    offset = DESCRIPTOR_BYTES * (1 + index) + bit // 8
    run = Run(patched(image, offset, bytes([image[offset] ^ 1 << bit % 8])))
    address = PROGRAM + DESCRIPTOR_BYTES * (1 + index)
    end = run.port.last_read_beats[1 + index]
    assert run.faults[0] == (end + 1, StopCause.CHECK, 0, address)
    assert [queue for _, queue, _ in run.dispatched] == [queue for queue, _ in wanted[:index]]


def test_swapped_missing_and_foreign_descriptors_are_not_dispatched() -> None:
    image = program([encode(queue, values) for queue, values in mixed(6)])
    size = DESCRIPTOR_BYTES
    parts = [image[i : i + size] for i in range(0, len(image), size)]
    other = program([encode(Queue.LOAD, {"rows": row}) for row in range(1, 7)])
    for order, good in (
        ([0, 1, 3, 2, 4, 5, 6], 1),
        ([0, 2, 3, 4, 5, 6, 1], 0),
        ([0, 1, 2, 3, 4, 4, 6], 4),
    ):
        run = Run(b"".join(parts[i] for i in order))
        assert run.faults[0][1] == StopCause.CHECK
        assert len(run.dispatched) == good
    run = Run(parts[0] + other[size:])
    assert run.faults[0][1] == StopCause.CHECK
    assert run.dispatched == []


def test_empty_program_ends() -> None:
    run = Run(program([]))
    assert run.dispatched == []
    assert len(run.port.reads) == 1
    assert run.faults == []


def test_descriptor_that_names_no_queue_stops_the_program() -> None:
    good = encode(Queue.STORE, {"rows": 2})
    run = Run(program([good, b"\x03" + bytes(63), good]))
    assert [queue for _, queue, _ in run.dispatched] == [Queue.STORE]
    end = run.port.last_read_beats[2]
    address = PROGRAM + 2 * DESCRIPTOR_BYTES
    assert run.faults == [(end + 1, StopCause.DESCRIPTOR, 0, address)]


@pytest.mark.parametrize(
    ("index", "beat"),
    sampled(itertools.product([0, 3], range(8)), lambda case: case[1] % 4 == case[0], fields=True),
)
def test_nothing_of_a_burst_with_an_error_response_is_dispatched(index: int, beat: int) -> None:
    image = program([encode(queue, values) for queue, values in mixed(6)])
    address = PROGRAM + DESCRIPTOR_BYTES * (1 + index)
    run = Run(image, error_address=address + 8 * beat)
    # The descriptor before is dispatched two cycles after its last beat, if that is not too late
    assert len(run.dispatched) == (index if beat else max(0, index - 1))
    cycle, *fault = run.faults[0]
    assert fault == [StopCause.RESPONSE, 2, address]
    assert cycle == run.port.last_read_beats[1 + index] - 7 + beat
    # What was requested before the fault still arrives, and nothing is requested after it
    assert max(burst.cycle for burst in run.port.reads) <= cycle
    assert run.quiet == run.port.last_read_beats[len(run.port.reads) - 1] + 1


def test_error_response_to_the_header_is_no_refusal() -> None:
    run = Run(program([encode(Queue.LOAD, {})]), error_address=PROGRAM + 8)
    assert run.faults[0][1:] == (StopCause.RESPONSE, 2, PROGRAM)
    assert len(run.port.reads) == 1


def test_addresses_outside_of_the_window_are_not_requested() -> None:
    descriptors = [encode(Queue.LOAD, {"rows": row}) for row in range(1, 70)]
    image = program(descriptors)
    below = Run(image, pages=(1, 9))
    assert below.port.reads == []
    assert [fault[1:] for fault in below.faults[:1]] == [(StopCause.WINDOW, 0, PROGRAM)]
    above = Run(image, pages=(0, 0))
    inside = (0x1000 - PROGRAM) // DESCRIPTOR_BYTES
    assert len(above.port.reads) == inside
    assert above.faults[0][1:] == (StopCause.WINDOW, 0, 0x1000)
    assert len(above.dispatched) < inside
    assert Run(image, pages=(0, 1)).faults == []


def test_late_beats_of_a_reset_in_mid_run_have_no_effect_without_a_program() -> None:
    unit = kept_unit(FetchUnit, FINGERPRINT)

    async def drive(ctx: Any) -> None:
        ctx.set(unit.drop, 1)
        ctx.set(unit.rvalid, 1)
        ctx.set(unit.rresp, 2)
        for _ in range(5):
            assert ctx.get(unit.rready)
            assert not ctx.get(unit.fault.valid)
            await ctx.tick()
        ctx.set(unit.drop, 0)
        assert not ctx.get(unit.rready)

    simulate(unit, drive)
