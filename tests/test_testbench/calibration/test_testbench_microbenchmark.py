"""Hand-made programs: each runs by itself, as long as the engines' formulas say."""

from collections.abc import Callable

import pytest

from accelerators import SMALLEST
from hwgen.gateware.execute.unit import ExecuteUnit
from hwgen.gateware.transfer.load import LoadUnit
from sim.spec.accelerator import ADD_HOLD, ADD_INTERVAL
from sim.spec.descriptor import ExecuteOp, Queue, decode, encode
from testbench.calibration.handmade_programs import (
    Command,
    Timing,
    add,
    conv,
    load,
    measure,
    store,
    weights,
    windowed,
)
from testbench.rtl.harness import Harness, build
from testbench.rtl.memory_model import MemoryModel

LATENCY = 30
COMMANDS = {
    "load": load(3, 2, 64),
    "store": store(3, 2, 64),
    "weights": weights(SMALLEST, 5),
    "conv": conv(2, 16),
    "add": add(2, 16),
    "depthwise": windowed(ExecuteOp.DEPTHWISE, 2, 16),
    "pool": windowed(ExecuteOp.POOL, 1, 16),
}


@pytest.fixture(scope="module")
def harness() -> Harness:
    return build(SMALLEST)


def run(harness: Harness, *commands: Command) -> Timing:
    return measure(harness, commands, MemoryModel(latency=LATENCY))


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_fields_of_their_queue(name: str) -> None:
    command = COMMANDS[name]
    decoded = decode(encode(command.queue, command.fields))
    assert decoded["queue"] == command.queue
    assert {field: decoded[field] for field in command.fields} == command.fields


def test_given_fields_replace_the_defaults() -> None:
    assert load(1, 1, 64, groups=3, post=2).fields["groups"] == 3
    assert conv(1, 16, lanes=0).fields["lanes"] == 0
    assert add(1, 16).fields["hold"] == ADD_HOLD


@pytest.mark.rtl
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_by_itself(name: str, harness: Harness) -> None:
    timing = run(harness, COMMANDS[name])
    queue = COMMANDS[name].queue
    assert len(timing.start) == len(timing.issued) == len(timing.done) == 1
    assert 0 < timing.start[0] < timing.issued[0] <= timing.done[0] < timing.total
    if queue is not Queue.EXECUTE:
        assert timing.issued == timing.done


@pytest.mark.rtl
@pytest.mark.parametrize("windows", [1, 5])
@pytest.mark.parametrize("interval", [ADD_INTERVAL, 21])
@pytest.mark.parametrize("command", [conv, add])
def test_execute_takes_its_windows_hold_and_drain(
    command: Callable[[int, int], Command], windows: int, interval: int, harness: Harness
) -> None:
    made = command(windows, interval)
    timing = run(harness, made)
    assert timing.duration(0) == windows * interval + ExecuteUnit.DRAIN + 1
    assert timing.issued[0] - timing.start[0] == windows * interval + made.fields["hold"]


@pytest.mark.rtl
@pytest.mark.parametrize("beats", [1, 40])
def test_load_of_one_burst_takes_request_latency_and_beats(beats: int, harness: Harness) -> None:
    timing = run(harness, load(1, beats, 4 * beats))
    expected = LoadUnit.FIRST_REQUEST + LATENCY + beats - 1 + LoadUnit.DONE_DELAY
    assert timing.duration(0) == expected


@pytest.mark.rtl
def test_waiting_command_starts_after_the_one_that_posts(harness: Harness) -> None:
    first = load(8, 1, 64, post=1 << Queue.EXECUTE)
    timing = run(harness, first, conv(3, 16, wait=1 << Queue.LOAD))
    assert timing.start[1] == timing.done[0] + 1
    assert timing.total > timing.done[1]
