"""Errors, aborts and resets in mid-run, and the good program after them, in RTL."""

import dataclasses
import functools

import pytest

from accelerators import NARROW_BUS
from convolution_case import convolution, convolution_program, patched_program, random_images
from hwgen.program import Program
from sim import golden
from sim.spec.bus import PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue
from sim.spec.header import HEADER_BYTES
from sim.spec.stops import Port, StopCause
from sim.spec.views import View
from testbench.rtl import harness, memory_model
from testbench.rtl.harness import Harness, RunResult, Step, Stop
from testbench.rtl.host import Host
from testbench.rtl.memory_model import Fault, MemoryModel, Response, Silence

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

BASE = 0x4000_0000
DONE, REFUSED, ERROR, UNRESPONSIVE, STOPPING = 1 << 1, 1 << 2, 1 << 4, 1 << 5, 1 << 6
BUSY = 1


@functools.cache
def built(view: View = View.SIMULATION) -> Harness:
    return harness.build(NARROW_BUS, view=view)


@functools.cache
def good() -> RunResult:
    """Run of the good program alone on an accelerator that has just been powered up."""
    return built().run(convolution_program(), random_images(), memory=MemoryModel(base=BASE))


def step(program: Program, host: Host | None = None) -> Step:
    return Step(program=program, inputs=random_images(), host=host or Host())


def sequence(*steps: Step, memory: MemoryModel | None = None) -> list[RunResult]:
    """Run the steps and then the good program, whose result must be as if it were alone."""
    memory = memory or MemoryModel(base=BASE)
    *results, last = built().run_sequence([*steps, step(convolution_program())], memory=memory)
    assert last.stops == (None,)
    assert last.status.tolist() == [DONE]
    assert (last.outputs == golden.run(convolution(), random_images())["conv"]).all()
    if memory.deterministic:
        for field in ("cycles", "start", "end", "issue_end"):
            assert (getattr(last, field) == getattr(good(), field)).all()
        for name, values in good().counters.items():
            assert (last.counters[name] == values).all()
    return results


def patched(queue: Queue, index: int = 0, /, **fields: int) -> Program:
    """Return the program with other values in a queue's descriptor, sealed anew."""
    return patched_program(convolution_program(), queue, index, **fields)


def damaged(address: int, flip: int = 1) -> Program:
    """Return the program with a bit of its image flipped, and nothing sealed."""
    image = bytearray(convolution_program().image)
    image[address] ^= flip
    return dataclasses.replace(convolution_program(), image=bytes(image))


def test_two_programs_take_turns() -> None:
    """Each is as if it were alone, whichever ran before."""
    other = convolution_program(1, 6)
    alone = built().run(other, random_images(), memory=MemoryModel(base=BASE))
    assert (alone.outputs == golden.run(convolution(1, 6), random_images())["conv"]).all()
    (first, again, second, third) = built().run_sequence(
        [step(other), step(other), step(convolution_program()), step(other)],
        memory=MemoryModel(base=BASE),
    )
    for result, wanted in ((first, alone), (again, alone), (second, good()), (third, alone)):
        assert (result.outputs == wanted.outputs).all()
        for field in ("cycles", "start", "end", "issue_end", "status"):
            assert (getattr(result, field) == getattr(wanted, field)).all()


@pytest.mark.parametrize("queue", Queue)
def test_tokens_that_a_program_leaves_are_gone(queue: Queue) -> None:
    """Its last descriptors give one to every queue, and nobody takes them."""
    last = sum(q == queue for q, _ in convolution_program().descriptors) - 1
    (result,) = sequence(step(patched(queue, last, post=0b111)))
    assert result.status.tolist() == [DONE]


BEATS = {
    memory_model.BusPort.DESCRIPTORS: (Port.DESCRIPTOR, [0, 7, 8, 21, 47]),
    memory_model.BusPort.READ: (Port.READ, [0, 1, 40, 150]),
    memory_model.BusPort.WRITE: (Port.WRITE, [0, 1, 5]),
}


@pytest.mark.parametrize("response", Response)
@pytest.mark.parametrize("port", BEATS)
@pytest.mark.parametrize("stall_seed", [None, 4])
def test_one_error_response_in_mid_run_stops_the_program(
    port: memory_model.BusPort, response: Response, stall_seed: int | None
) -> None:
    shown, indices = BEATS[port]
    for index in indices:
        memory = MemoryModel(
            base=BASE, stall_seed=stall_seed, fault=Fault(port=port, index=index, response=response)
        )
        results = built().run_sequence(
            [step(convolution_program()), step(convolution_program())], memory=memory
        )
        (stop,) = results[0].stops
        assert stop is not None
        assert (stop.cause, stop.port, stop.response) == (StopCause.RESPONSE, shown, response)
        if port is memory_model.BusPort.DESCRIPTORS:
            header = BASE + convolution_program().header_address
            assert stop.address == header + index // 8 * DESCRIPTOR_BYTES
            # A burst with an error is not dispatched
            assert (results[0].start >= 0).sum() < max(1, index // 8)
        else:
            assert BASE <= stop.address < BASE + convolution_program().memory_bytes
        assert results[0].status.tolist() == [ERROR]
        assert results[1].stops == (None,)
        assert (results[1].outputs == good().outputs).all()
        if stall_seed is None:
            assert (results[1].cycles == good().cycles).all()
            assert (results[1].end == good().end).all()


def test_write_error_names_its_burst() -> None:
    """Bursts of the good program in order: the first lies where the output begins."""
    bursts = []
    for index in range(4):
        memory = MemoryModel(base=BASE, fault=Fault(port=memory_model.BusPort.WRITE, index=index))
        (result,) = built().run_sequence([step(convolution_program())], memory=memory)
        assert result.stops[0] is not None
        bursts.append(result.stops[0].address)
    assert bursts[0] == BASE + convolution_program().output.address
    assert bursts == sorted(set(bursts))


@pytest.mark.parametrize("order", memory_model.WriteOrder)
def test_abort_at_any_time_is_followed_by_a_good_run(order: memory_model.WriteOrder) -> None:
    total = int(good().cycles[0])
    instants = range(1, total - 4, max(1, total // 40))
    memory = MemoryModel(base=BASE, write_order=order)
    steps = [step(convolution_program(), Host(abort_at=cycle)) for cycle in instants]
    turns = [part for stopping in steps for part in (stopping, step(convolution_program()))]
    results = built().run_sequence(turns, memory=memory)
    assert len(steps) >= 33
    aborted = Stop(cause=StopCause.ABORT, port=Port.NONE, address=0, response=0)
    for cycle, stopped, after in zip(instants, results[::2], results[1::2], strict=True):
        assert stopped.stops == (aborted,), cycle
        assert stopped.status.tolist() == [ERROR]
        assert after.stops == (None,), cycle
        assert (after.outputs == good().outputs).all(), cycle
        assert (after.cycles == results[1].cycles).all(), cycle
    if memory.deterministic:
        assert (results[1].cycles == good().cycles).all()


@pytest.mark.parametrize(
    ("late", "clears"),
    [(0, False), (3000, False), (3000, True)],
    ids=["answers in time", "late answers", "no answers"],
)
def test_hard_reset_at_any_time_is_followed_by_a_good_run(late: int, clears: bool) -> None:
    """The host waits for the answers to what was asked for before, or the bus was reset as well."""
    total = int(good().cycles[0])
    instants = range(1, total, max(1, total // 40))
    memory = MemoryModel(base=BASE, latency=24, response_delay=late, reset_clears=clears)
    turns = [
        part
        for cycle in instants
        for part in (step(convolution_program(), Host(reset_at=cycle)), step(convolution_program()))
    ]
    results = built().run_sequence(turns, memory=memory)
    assert len(results) >= 66
    alone = built().run(convolution_program(), random_images(), memory=memory)
    for cycle, stopped, after in zip(instants, results[::2], results[1::2], strict=True):
        assert stopped.status.tolist() == [0], cycle
        assert after.stops == (None,), cycle
        assert (after.outputs == good().outputs).all(), cycle
        assert (after.cycles == alone.cycles).all(), cycle
        assert (after.end == alone.end).all(), cycle


@pytest.mark.parametrize(
    ("queue", "fields", "port"),
    [
        (Queue.LOAD, {"weight_rows": 0, "parameter_rows": 0}, Port.READ),
        (Queue.LOAD, {"weight_rows": 65535}, Port.READ),
        (Queue.LOAD, {"lanes": 0}, Port.READ),
        (Queue.LOAD, {"address": 1}, Port.READ),
        (Queue.STORE, {"columns": 0}, Port.WRITE),
        (Queue.STORE, {"rows": 0}, Port.WRITE),
        (Queue.STORE, {"groups": 0}, Port.WRITE),
        (Queue.STORE, {"vector_beats": 0}, Port.WRITE),
        (Queue.STORE, {"vector_beats": 200}, Port.WRITE),
        (Queue.STORE, {"address": 3}, Port.WRITE),
        (Queue.STORE, {"row_stride": 7}, Port.WRITE),
    ],
    ids=str,
)
def test_illegal_descriptor_stops_the_program(
    queue: Queue, fields: dict[str, int], port: Port
) -> None:
    (result,) = sequence(step(patched(queue, 0, **fields)))
    assert result.stops[0] is not None
    assert (result.stops[0].cause, result.stops[0].port) == (StopCause.DESCRIPTOR, port)
    assert result.status.tolist() == [ERROR]


def test_damaged_programs_are_not_run() -> None:
    header = convolution_program().header_address
    offsets = [0, 4, 9, 15, 17, 62]
    for offset in offsets:
        (result,) = sequence(step(damaged(header + offset)))
        assert result.stops == (
            Stop(cause=StopCause.REFUSED, port=Port.DESCRIPTOR, address=BASE + header, response=0),
        )
        assert result.status.tolist() == [REFUSED]
        assert (result.start == -1).all()
    for index in range(len(convolution_program().descriptors)):
        at = header + HEADER_BYTES + index * DESCRIPTOR_BYTES
        (result,) = sequence(step(damaged(at + 13, 0x10)))
        assert result.stops == (
            Stop(cause=StopCause.CHECK, port=Port.DESCRIPTOR, address=BASE + at, response=0),
        )
        assert (result.start[0, index:] == -1).all()


def test_window_keeps_every_port_inside() -> None:
    whole = Host(
        window_base=BASE,
        window_limit=BASE + convolution_program().memory_bytes // PAGE_BYTES * PAGE_BYTES,
    )
    (result,) = sequence(step(convolution_program(), whole))
    assert result.stops == (None,)
    for host in (
        Host(window_base=BASE + PAGE_BYTES),
        Host(window_limit=BASE - PAGE_BYTES),
        Host(window_limit=0),
    ):
        (result,) = sequence(step(convolution_program(), host))
        assert result.stops[0] is not None
        assert result.stops[0].cause == StopCause.WINDOW
        assert result.stops[0].port == Port.DESCRIPTOR
    for queue, port in ((Queue.LOAD, Port.READ), (Queue.STORE, Port.WRITE)):
        (result,) = sequence(step(patched(queue, 0, address=0x3000_0000), whole))
        stop = Stop(cause=StopCause.WINDOW, port=port, address=BASE + 0x3000_0000, response=0)
        assert result.stops == (stop,)


@pytest.mark.parametrize("port", memory_model.BusPort)
def test_silent_bus_is_reported(port: memory_model.BusPort) -> None:
    """Nothing is ever answered, so the wait for the answers does not end."""
    memory = MemoryModel(base=BASE, silence=Silence(port=port, index=2))
    (result,) = built().run_sequence(
        [step(convolution_program(), Host(timeout=500))], memory=memory
    )
    assert result.stops == (Stop(cause=StopCause.TIMEOUT, port=Port.NONE, address=0, response=0),)
    assert result.status.tolist() == [BUSY | ERROR | UNRESPONSIVE | STOPPING]


def test_missing_token_is_a_timeout() -> None:
    for queue, other in (
        (Queue.LOAD, Queue.STORE),
        (Queue.EXECUTE, Queue.STORE),
        (Queue.STORE, Queue.LOAD),
    ):
        stuck = patched(queue, 0, wait=1 << other)
        (result,) = sequence(step(stuck, Host(timeout=3000)))
        assert result.stops == (
            Stop(cause=StopCause.TIMEOUT, port=Port.NONE, address=0, response=0),
        )


def test_endless_execute_is_aborted() -> None:
    endless = patched(Queue.EXECUTE, 0, initiation_interval=(1 << 20) - 1, window_rows=0)
    (aborted,) = sequence(step(endless, Host(abort_at=3000)))
    assert aborted.stops[0] is not None
    assert aborted.stops[0].cause == StopCause.ABORT
    (timed_out,) = sequence(step(endless, Host(timeout=3000)))
    assert timed_out.stops[0] is not None
    assert timed_out.stops[0].cause == StopCause.TIMEOUT


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Host(timeout=-1), r"^timeout must be in 0 … 2\*\*32 - 1, not -1$"),
        (
            lambda: Host(window_base=100),
            "^window_base must be a 32-bit multiple of 4096, not 100$",
        ),
        (
            lambda: Host(window_limit=1 << 32),
            "^window_limit must be a 32-bit multiple of 4096, not 4294967296$",
        ),
        (lambda: Host(abort_at=0), "^abort_at must be at least 1, not 0$"),
        (
            lambda: Host(abort_at=1, reset_at=1),
            "^abort_at must not be given with reset_at$",
        ),
    ],
)
def test_host_that_cannot_be_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()
