"""Parts of the cocotb bench that need no simulation: description, scoreboard, trace, memory's behaviour."""

import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from accelerators import NARROW_BUS
from convolution_case import convolution, convolution_program, random_images
from hwgen.gateware.host.csr import REGISTERS
from hwgen.program import compile_design
from sim import golden
from sim.model import predict
from sim.spec.design import Design
from sim.timing import calibration
from testbench.cocotb.axi_memory import AxiMemory, MemoryTiming
from testbench.cocotb.description import DESCRIPTION_FILE, Description
from testbench.cocotb.memory_behavior import (
    DECERR,
    OKAY,
    SLVERR,
    Fault,
    Silence,
    paced,
    random_stalls,
)
from testbench.cocotb.registers import Stop
from testbench.cocotb.scoreboard import Scoreboard
from testbench.cocotb.trace import Trace
from testbench.cocotb.write_memory import WriteMemory
from testbench.cosimulation.export import write_description
from testbench.faults.recovery import small_network

LATENCY = calibration.default().constants["memory_latency"]
IMAGES = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the description of a convolution and two images."""
    directory = tmp_path_factory.mktemp("description")
    inputs = random_images(IMAGES)
    write_description(
        directory,
        NARROW_BUS,
        convolution_program(),
        convolution(),
        predict(NARROW_BUS, convolution()),
        inputs,
        golden.run(convolution(), inputs),
        memory_latency=LATENCY,
    )
    return directory


@pytest.fixture(scope="module")
def description(folder: Path) -> Description:
    """Description of the convolution."""
    return Description.load(folder)


def test_a_description_is_what_was_written(description: Description) -> None:
    program = convolution_program()
    assert description.registers == {register.name: register.offset for register in REGISTERS}
    assert description.program.image == program.image
    assert description.program.runs == IMAGES
    assert description.program.inputs.runs[1] == program.input.pack(random_images(IMAGES)[1])
    assert description.program.queues == tuple(int(queue) for queue, _ in program.descriptors)
    assert description.queues[description.execute_queue] == "execute"
    prediction = predict(NARROW_BUS, convolution())
    assert list(description.program.predicted.end) == prediction.done.tolist()
    assert description.program.predicted.cycles == prediction.total_cycles
    sizes = [description.probe_bytes(probe) for probe in description.program.probes]
    assert sum(sizes) == len(description.program.activation_mask)
    assert description.program.activation_mask.count(0) < sum(sizes)


def test_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    fields = json.loads((folder / DESCRIPTION_FILE).read_text())
    fields["version"] = 2
    (tmp_path / DESCRIPTION_FILE).write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=r"^version of bench\.json must be 1, not 2$"):
        Description.load(tmp_path)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_wrong_cycle_names_layer_and_descriptor(description: Description, off: int) -> None:
    board = Scoreboard(description)
    predicted = description.program.predicted
    board.compare_event(0, "end", 1, predicted.end[1], predicted.start[1])
    words = (
        rf"^run 1, layer 'conv', descriptor 1: end must be {predicted.end[1]}, "
        rf"not {predicted.end[1] + off}$"
    )
    with pytest.raises(AssertionError, match=words):
        board.compare_event(1, "end", 1, predicted.end[1] + off, predicted.start[1])


def test_durations_of_execute_are_compared_on_any_memory(description: Description) -> None:
    """A shift is none of its business, a longer EXECUTE is; LOAD may take any time."""
    board = Scoreboard(description, cycles=False, stop=False)
    queues, predicted = description.program.queues, description.program.predicted
    execute, load = queues.index(description.execute_queue), queues.index(0)
    start, end = predicted.start[execute] + 50, predicted.end[execute] + 50
    board.compare_event(0, "start", execute, start, start)
    board.compare_event(0, "end", execute, end, start)
    board.compare_event(0, "end", load, 12345, 3)
    assert board.mismatches == []
    board.compare_event(0, "end", execute, end + 2, start)
    (mismatch,) = board.mismatches
    assert mismatch.what == "duration"
    assert mismatch.measured == mismatch.expected + 2


def test_an_event_of_no_descriptor_is_a_mismatch(description: Description) -> None:
    board = Scoreboard(description, stop=False)
    board.compare_event(0, "start", None, 7, -1)
    assert str(board.mismatches[0]) == "run 0: start of no descriptor must be -1, not 7"


def test_activations_are_compared_where_they_are_specified(description: Description) -> None:
    board = Scoreboard(description, stop=False)
    program = description.program
    size = description.probe_bytes(program.probes[0])
    expected, mask = program.activations[1][:size], program.activation_mask[:size]
    free = mask.index(0)
    board.compare_probe(1, 0, _changed(expected, free), descriptor=2)
    assert board.mismatches == []
    place = mask.index(255, 100)
    board.compare_probe(1, 0, _changed(expected, place), descriptor=2)
    (mismatch,) = board.mismatches
    signed = np.frombuffer(bytes([expected[place], expected[place] ^ 0x80]), np.int8)
    assert [mismatch.expected, mismatch.measured] == signed.tolist()
    probe, s = program.probes[0], description.vector_bytes
    shape = (description.pes_y, description.pes_x, probe.groups, probe.rows, probe.columns, s)
    position = np.unravel_index(place, shape)
    names = ("PE y", "PE x", "group", "row", "column", "channel")
    where = ", ".join(f"{name} {index}" for name, index in zip(names, position, strict=True))
    assert mismatch.what == f"activation at {where}"
    assert board.compared["activations"] == 2 * (size - mask.count(0))


def test_every_probe_has_activations_of_its_own(tmp_path: Path) -> None:
    network = small_network()
    inputs = np.random.default_rng(3).integers(-128, 128, (1, *network.input.shape), np.int8)
    design = Design(network=network, accelerator=NARROW_BUS)
    write_description(
        tmp_path,
        NARROW_BUS,
        compile_design(design),
        network,
        predict(NARROW_BUS, network),
        inputs,
        golden.run(network, inputs),
        memory_latency=LATENCY,
    )
    described = Description.load(tmp_path)
    board = Scoreboard(described, stop=False)
    rest = described.program.activations[0]
    probes = described.program.probes
    assert len(probes) > 3
    for number, probe in enumerate(probes):
        size = described.probe_bytes(probe)
        own, rest = rest[:size], rest[size:]
        board.compare_probe(0, number, own, descriptor=number)
    assert not rest
    assert board.mismatches == []


def test_outputs_and_counters_are_compared(description: Description) -> None:
    board = Scoreboard(description, stop=False)
    with pytest.raises(AssertionError, match=r"^outputs must be compared, not none$"):
        board.assert_passed()
    outputs, predicted = description.program.outputs, description.program.predicted
    for run, expected in enumerate(outputs.runs):
        board.compare_outputs(run, expected)
    board.compare_counters(0, {"CYCLES": predicted.cycles, **predicted.counters})
    board.assert_passed()
    board.compare_outputs(0, _changed(outputs.runs[0], outputs.mask.index(255)))
    board.compare_counters(0, {"CYCLES": predicted.cycles + 1})
    assert [mismatch.what for mismatch in board.mismatches] == ["output byte 0", "CYCLES"]
    for name, value in predicted.counters.items():
        board.compare_counters(0, {name: value - 1})
        assert board.mismatches.pop().what == name
    with pytest.raises(AssertionError, match=r"^2 mismatches; run 0, layer 'conv': output byte 0 "):
        board.assert_passed()


def _changed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]


def test_a_trace_brings_queues_into_program_order() -> None:
    trace = Trace((0, 1, 0, 1), 2)
    assert [trace.record("start", 1, 5), trace.record("start", 0, 6)] == [1, 0]
    assert trace.record("end", 1, 9) == 1
    assert trace.record("start", 1, 11) == 3
    assert trace.record("start", 1, 12) is None
    assert trace.start == [6, 5, -1, 11]
    assert trace.times(1) == (5, -1, 9)
    assert (trace.extra, trace.count("start", 1)) == (1, 3)


def a_memory(size_bytes: int, base: int) -> Any:
    """Part of an AxiMemory that needs no simulation."""
    return SimpleNamespace(bytes=bytearray(size_bytes), base=base, faults=[], silence=None)


def test_bytes_are_written_where_their_strobe_is_1() -> None:
    memory = a_memory(12, base=64)
    AxiMemory._store(memory, 68, b"\1\2\3\4", 0b0101)
    assert memory.bytes == b"\0\0\0\0\1\0\3\0\0\0\0\0"
    AxiMemory._store(memory, 72, b"\5\6\7\x08")
    AxiMemory._store(memory, 73, b"\xff" * 4)
    assert memory.bytes[8:] == b"\5\6\7\x08"


def test_addresses_outside_of_the_memory_answer_with_an_error() -> None:
    memory = a_memory(12, base=64)
    answers = [AxiMemory._response(memory, "read", 0, address, 4) for address in (60, 64, 72, 73)]
    assert answers == [DECERR, OKAY, OKAY, DECERR]
    assert [AxiMemory._load(memory, address, 4) for address in (60, 64)] == [bytes(4), bytes(4)]


def test_faults_have_a_place() -> None:
    by_index = Fault(port="read", index=3)
    assert by_index.hits("read", 3, 0, 4)
    assert not by_index.hits("read", 2, 0, 4)
    assert not by_index.hits("write", 3, 0, 4)
    by_address = Fault(port="write", address=70, response=DECERR)
    assert by_address.hits("write", 9, 64, 8)
    assert not by_address.hits("write", 9, 72, 8)
    assert [by_address.hits("write", 9, address, 1) for address in (69, 70, 71)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Fault(port="data", index=0),
            "port must be one of read, write, descriptors, not 'data'",
        ),
        (
            lambda: Silence(port="R"),
            "port must be one of read, write, descriptors, not 'R'",
        ),
        (lambda: Fault(port="read"), "a fault must have either an index or an address"),
        (
            lambda: Fault(port="read", index=1, address=2),
            "a fault must have either an index or an address",
        ),
        (
            lambda: Fault(port="read", index=1, response=1),
            "response must be SLVERR or DECERR, not 1",
        ),
        (lambda: MemoryTiming(latency=1), "latency must be at least 2, not 1"),
        (lambda: MemoryTiming(outstanding=0), "outstanding must be positive, not 0"),
        (lambda: next(paced(3, 2)), "beats must be in 1 … 2, not 3"),
        (lambda: next(random_stalls(1, 0)), "percent must be in 1 … 90, not 0"),
        (
            lambda: WriteMemory(SimpleNamespace(), lambda address, data: None, "sometimes"),
            "order must be one of independent, address after valid, address after data, "
            "data after address, alternating, late, not 'sometimes'",
        ),
    ],
)
def test_wrong_values_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(("beats", "cycles"), [(1, 1), (1, 3), (2, 3), (5, 7)])
def test_paced_channels_move_their_share(beats: int, cycles: int) -> None:
    """In every window of so many cycles."""
    pauses = list(itertools.islice(paced(beats, cycles), 10 * cycles))
    for first in range(9 * cycles):
        assert pauses[first : first + cycles].count(False) == beats


@pytest.mark.parametrize("percent", [5, 25, 60])
def test_random_stalls_take_their_share(percent: int) -> None:
    """About; seeded, and in runs of at most four."""
    pauses = list(itertools.islice(random_stalls(3, percent), 20_000))
    assert pauses == list(itertools.islice(random_stalls(3, percent), 20_000))
    assert pauses != list(itertools.islice(random_stalls(4, percent), 20_000))
    assert abs(100 * pauses.count(True) / len(pauses) - percent) < 6


def test_a_stop_is_told_in_words(description: Description) -> None:
    stop = Stop(description, 1 | 2 << 4 | SLVERR << 8, 0x40)
    assert str(stop) == "RESPONSE on port READ at address 0x40, response 2"
    assert str(Stop(description, 7, 0)) == "ABORT on port NONE at address 0x0"
