"""A stream of images in RTL: outputs, cycles of every descriptor, and inputs in two places by turns."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from accelerators import STORED as CONFIG
from hwgen.stream_program import StreamPrograms, compile_stream
from sampled import sampled
from sim import golden
from sim.arrays.tables import COLUMNS
from sim.model import predict_mapped, predict_stream
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import EDGE, TINY
from sim.spec.views import View
from sim.stream import Stream, stream_of
from testbench.cases.layers import fully_connected, padded, random_tensor
from testbench.cases.random_networks import draw_cases, draw_cases_on
from testbench.rtl.harness import build, check_run
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Step
from testbench.validation.comparison import compare
from testbench.validation.random_pairs import run_case
from testbench.validation.store_runs import steps_of
from testbench.validation.stream_runs import steps_of_stream

CONV, DEPTHWISE = LayerKind.CONV, LayerKind.DEPTHWISE


def network() -> Network:
    """Layers of one channel group, which store to the first bank, and of three."""
    rng = np.random.default_rng(6)
    source = random_tensor("input", 26, 21, 3, rng)
    around = Padding(top=1, bottom=1, left=1, right=1)
    layers = []
    current = source
    for name, kind, taps, stride, channels in (
        ("stem", CONV, 3, 2, 8),
        ("depthwise", DEPTHWISE, 3, 1, 8),
        ("project", CONV, 1, 1, 8),
        ("expand", CONV, 1, 1, 24),
        ("reduce", DEPTHWISE, 3, 2, 24),
    ):
        padding = around if taps == 3 else Padding()
        shape = ((taps, taps), (stride, stride))
        layers.append(padded(name, kind, current, *shape, padding, rng, channels))
        current = layers[-1].output
    layers.append(fully_connected("classes", current, 5, rng))
    return Network(name="stream", input=source, layers=tuple(layers))


def planned() -> tuple[Mapped, Stream, StreamPrograms]:
    mapped = map_realizable(CONFIG, network())
    stream = stream_of(mapped)
    assert stream is not None
    return mapped, stream, compile_stream(mapped, stream)


@pytest.mark.rtl
@pytest.mark.parametrize("view", sampled(View, lambda view: view is View.SIMULATION))
def test_a_stream_is_exact_in_outputs_and_cycles(view: View) -> None:
    mapped, stream, programs = planned()
    images = np.random.default_rng(1).integers(-128, 128, (5, *mapped.source.input.shape), np.int8)
    steps = [
        *steps_of(programs.alone, images, network=mapped.source, memory=MemoryModel()),
        *steps_of_stream(programs, images, network=mapped.source),
    ]
    runs = build(CONFIG, view=view).run_sequence(steps)
    cold, warm = (predict_mapped(mapped, cold=cold) for cold in (True, False))
    first, steady = predict_stream(stream)
    expected = golden.run(mapped.source, images)
    for prediction, run in zip((cold, warm, first, steady), runs, strict=True):
        check_run(run)
        own = {
            name: x[: len(run.outputs)] for name, x in expected.items() if prediction is not first
        }
        result = compare(CONFIG, mapped.source, prediction, run, own, deterministic=True)
        assert result.bit_differences == 0
        assert result.timing_differences == 0
    assert runs[3].cycles.tolist() == [steady.total_cycles] * 5
    # rows of the next image come beside EXECUTE
    pieces = stream.mapped.rows[:, COLUMNS["gather"]] == 1
    assert len(set(stream.mapped.rows[pieces, COLUMNS["layer"]].tolist())) > 1
    assert steady.total_cycles < warm.total_cycles < cold.total_cycles


@pytest.mark.rtl
def test_a_steady_run_takes_the_next_input_from_where_the_host_says() -> None:
    """Images of even and of odd runs lie apart, and one place keeps the image before."""
    mapped, _, programs = planned()
    assert programs.input_stride % 4096 == 0
    images = np.random.default_rng(2).integers(-128, 128, (3, *mapped.source.input.shape), np.int8)
    expected = golden.run(mapped.source, images)[mapped.source.output.name]
    first, steady = steps_of_stream(programs, images, network=mapped.source)
    cold = Step(program=programs.alone, inputs=images[:1])
    right = build(CONFIG).run_sequence([cold, first, steady])[-1]
    assert np.array_equal(right.outputs, expected)
    # with a first run of another image, the first output alone is that image's
    other = replace(first, inputs=images[2:])
    outputs = build(CONFIG).run_sequence([cold, other, replace(steady, network=None)])[-1].outputs
    assert np.array_equal(outputs, [expected[2], *expected[1:]])


def test_many_of_the_pairs_that_a_campaign_draws_are_streams() -> None:
    cases = list(chain.from_iterable(draw_cases(200, space, 1) for space in (TINY, EDGE)))
    plans = (map_realizable(case.config, case.network, case.batch) for case in cases)
    assert sum(stream_of(plan) is not None for plan in plans) > len(cases) / 10


@pytest.mark.rtl
def test_a_random_pair_runs_as_a_stream_behind_every_memory() -> None:
    cases = draw_cases_on(CONFIG, 12, 3)
    stream = [stream_of(map_realizable(CONFIG, case.network, case.batch)) for case in cases]
    case = next(case for case, planned in zip(cases, stream, strict=True) if planned is not None)
    other = next(case for case, planned in zip(cases, stream, strict=True) if planned is None)
    stalling = {"stalls": MemoryModel(stall_seed=case.image_seed)}
    outcome = run_case(case, others=stalling)
    assert outcome.passed
    assert outcome.stream_images == len(case.images) >= 2
    assert outcome.to_json()["stream_images"] == 2 * outcome.stream_images
    assert run_case(other).stream_images == 0
