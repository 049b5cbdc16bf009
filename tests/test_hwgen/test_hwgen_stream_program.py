"""Streams of images through the functional emulator: each is computed from what the run before has loaded."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from emulator import Emulator
from hwgen.stream_program import StreamPrograms, compile_stream
from sim import golden
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.spaces import EDGE
from sim.stream import Stream, stream_of
from testbench.cases.random_networks import Case, draw_cases


@cache
def streams() -> list[tuple[Case, Mapped, Stream]]:
    """Drawn pairs whose images can be a stream."""
    drawn = []
    for case in draw_cases(160, EDGE, 5, max_macs=32768):
        case = replace(case, batch=1) if case.batch > 1 else case
        mapped = map_realizable(case.config, case.network)
        stream = stream_of(mapped)
        if stream is not None:
            drawn.append((case, mapped, stream))
    return drawn


def run_stream(programs: StreamPrograms, case: Case, count: int = 3) -> list[bool]:
    """Whether each of some images has the reference's output."""
    shape = (count, *case.network.input.shape)
    images = np.random.default_rng(case.image_seed).integers(-128, 128, shape, np.int8)
    expected = golden.run(case.network, images)[case.network.output.name]
    emulator = Emulator(case.config, programs.alone)
    emulator.run(images[:1])  # fills the weight store
    emulator.program = programs.first
    emulator.run(images[:1])
    emulator.program = programs.steady
    right = []
    for number in range(count):
        outputs, _ = emulator.run(images[(number + 1) % count][None])
        right.append(bool(np.array_equal(outputs[0], expected[number])))
    return right


@pytest.mark.parametrize("index", range(20))
def test_each_image_is_computed_while_the_next_one_comes(index: int) -> None:
    case, mapped, stream = streams()[index]
    assert run_stream(compile_stream(mapped, stream), case) == [True] * 3
