"""Every kind of difference between a run and what is known of it is counted once."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from sim.prediction import Prediction
from sim.spec.descriptor import Queue
from sim.spec.memories import DETERMINISTIC
from sim.spec.network import Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import TINY
from testbench.rtl.harness import RunResult
from testbench.validation.comparison import Comparison, compare

COUNTERS = (
    "cycles",
    "execute_busy",
    "execute_wait_load",
    "execute_wait_store",
    "load_active",
    "store_active",
    "read_beats",
    "write_beats",
)
SOURCE = TensorSpec(name="in", height=2, width=2, channels=3, scale=1.0, zero_point=0)
POOL = Layer(
    name="pool",
    kind=LayerKind.GLOBAL_AVERAGE_POOL,
    inputs=("in",),
    output=dataclasses.replace(SOURCE, name="pool", height=1, width=1),
)
NETWORK = Network(name="n", input=SOURCE, layers=(POOL,))
EXPECTED = {"in": np.zeros((2, 2, 2, 3), np.int8), "pool": np.full((2, 1, 1, 3), 7, np.int8)}
QUEUES = np.array([Queue.LOAD, Queue.EXECUTE, Queue.STORE], np.int64)
START, ISSUED, DONE = (np.array(x, np.int64) for x in ([0, 10, 30], [5, 25, 40], [9, 29, 49]))


@pytest.fixture
def prediction() -> Prediction:
    return Prediction(
        memory=DETERMINISTIC,
        images=1,
        total_cycles=60,
        cold_cycles=60,
        execute_busy=15,
        execute_wait_load=10,
        execute_wait_store=0,
        load_active=9,
        store_active=19,
        read_bytes=40,
        cold_execute_busy=15,
        cold_read_bytes=40,
        cold_store_bytes=0,
        store_bytes=0,
        write_bytes=8,
        descriptor_bytes=256,
        layers=(),
        utilization=0.5,
        spilled=(),
        queues=QUEUES,
        layer_indices=np.zeros(3, np.int64),
        start=START,
        issued=ISSUED,
        done=DONE,
    )


def run_of(prediction: Prediction, **changed: Any) -> RunResult:
    """Run of two images exactly as predicted; the second descriptor is EXECUTE's."""
    counters = {
        name: np.full(2, value, np.int64)
        for name, value in prediction.counters(TINY.default).items()
    }
    values: dict[str, Any] = {
        "outputs": EXPECTED["pool"].copy(),
        "activations": {0: EXPECTED["pool"].copy()},
        "cycles": counters["cycles"].copy(),
        "start": np.tile(START, (2, 1)),
        "end": np.tile(DONE, (2, 1)),
        "issue_end": np.tile(np.array([-1, 25, -1], np.int64), (2, 1)),
        "counters": counters,
        "status": np.zeros(2, np.int64),
        "stops": (None,) * 2,
        "wall_s": 1.0,
        "simulated_cycles": 120,
        "view": "simulation",
    }
    values["named_outputs"] = {"pool": values["outputs"]}
    return RunResult(**(values | changed))


def comparison(prediction: Prediction, run: RunResult, *, deterministic: bool = True) -> Comparison:
    return compare(TINY.default, NETWORK, prediction, run, EXPECTED, deterministic=deterministic)


def test_a_run_as_predicted_has_no_difference(prediction: Prediction) -> None:
    result = comparison(prediction, run_of(prediction))
    assert result.bit_differences == result.timing_differences == 0
    assert result.activations == 6
    assert result.descriptors == 6


def test_wrong_bits_count_by_layer_and_in_the_output(prediction: Prediction) -> None:
    run = run_of(prediction)
    run.activations[0][1, 0, 0, 2] += 1
    run.activations[0][0, 0, 0, 1] -= 1
    run.outputs[0] += 1
    run.outputs[1, 0, 0, 0] -= 1
    result = comparison(prediction, run)
    assert result.layer_bits == (2,)
    assert result.output_bits == 4
    assert result.bit_differences == 6


@pytest.mark.parametrize("name", ["start", "end"])
def test_a_late_transfer_counts_on_t1_only(prediction: Prediction, name: str) -> None:
    late = np.tile(START if name == "start" else DONE, (2, 1))
    late[1, 2] += 1
    run = run_of(prediction, **{name: late})
    assert comparison(prediction, run).descriptor_cycles == 1
    assert comparison(prediction, run, deterministic=False).timing_differences == 0


def test_a_longer_execute_counts_on_any_memory(prediction: Prediction) -> None:
    issue_end = np.tile(np.array([-1, 26, -1], np.int64), (2, 1))
    run = run_of(prediction, issue_end=issue_end)
    assert comparison(prediction, run).timing_differences == 4
    assert comparison(prediction, run, deterministic=False).timing_differences == 2


def test_a_shifted_execute_counts_on_t1_only(prediction: Prediction) -> None:
    run = run_of(prediction)
    for times in (run.start, run.end, run.issue_end):
        times[0, 1] += 3
    assert comparison(prediction, run).descriptor_cycles == 1
    assert comparison(prediction, run, deterministic=False).timing_differences == 0


def test_totals_and_counters_count(prediction: Prediction) -> None:
    run = run_of(prediction, cycles=np.array([60, 61], np.int64))
    assert comparison(prediction, run).totals == 1
    for name in COUNTERS:
        run = run_of(prediction)
        run.counters[name][0] += 1
        assert comparison(prediction, run).counters == 1, name
        assert comparison(prediction, run, deterministic=False).timing_differences == 0
