"""Whole networks in RTL against reference and model, calm and under random stalls."""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest

from hwgen.program import compile_design
from sim.model import predict
from sim.spec.design import Design
from sim.spec.errors import DesignFileError
from sim.spec.memories import DETERMINISTIC, DRAM
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from sim.spec.spaces import TINY
from sim.spec.views import View
from sim.timing import calibration
from sim.timing.calibration import DRAM_ERROR_LIMIT
from testbench.rtl import harness
from testbench.validation.simulate import simulate
from testbench.validation.simulation_result import SimulationResult

IMAGES = 3
STALL_SEEDS = 5


def tensor(name: str, height: int, width: int, channels: int) -> TensorSpec:
    """Return a tensor whose zero point depends on its name."""
    return TensorSpec(
        name=name,
        height=height,
        width=width,
        channels=channels,
        scale=0.1,
        zero_point=len(name) * 7 % 40 - 20,
    )


def weighted(
    name: str, kind: LayerKind, source: TensorSpec, channels: int, kernel: int, stride: int
) -> Layer:
    """Return a convolution of random weights with SAME padding (fully connected: none)."""
    rng = np.random.default_rng(len(name) + channels)
    depthwise = kind is LayerKind.DEPTHWISE
    whole = kind is LayerKind.FULLY_CONNECTED
    taps = source.shape[:2] if whole else (kernel, kernel)
    size, strides = source.shape[:2], (stride, stride)
    height, width = (1, 1) if whole else (-(-n // stride) for n in size)
    shape = (*taps, source.channels) if depthwise else (channels, *taps, source.channels)
    return Layer(
        name=name,
        kind=kind,
        inputs=(source.name,),
        output=tensor(name, height, width, channels),
        kernel=taps,
        stride=strides,
        padding=Padding() if whole else Padding.same(size, taps, strides),
        weights=rng.integers(-127, 128, shape).astype(np.int8),
        bias=rng.integers(-2000, 2000, channels).astype(np.int32),
        multiplier=rng.integers(1 << 30, (1 << 31) - 1, channels).astype(np.int32),
        shift=np.full(channels, -7 if depthwise else -9, np.int32),
    )


@functools.cache
def every_kind() -> Design:
    """Design with each layer kind once, on odd sizes and partial vectors."""
    source = tensor("input", 9, 7, 3)
    stem = weighted("stem", LayerKind.CONV, source, 12, 3, 2)
    expand = weighted("expand", LayerKind.CONV, stem.output, 20, 1, 1)
    filtered = weighted("filtered", LayerKind.DEPTHWISE, expand.output, 20, 5, 1)
    project = weighted("project", LayerKind.CONV, filtered.output, 12, 1, 1)
    residual = Layer(
        name="sum",
        kind=LayerKind.ADD,
        inputs=("stem", "project"),
        output=tensor("sum", 5, 4, 12),
        multiplier=np.array([1 << 30, 3 << 29, 1 << 30], np.int32),
        shift=np.array([0, -1, -19], np.int32),
        clamp=(-100, 90),
    )
    pool = Layer(
        name="pool",
        kind=LayerKind.GLOBAL_AVERAGE_POOL,
        inputs=("sum",),
        output=TensorSpec(
            name="pool",
            height=1,
            width=1,
            channels=12,
            scale=0.1,
            zero_point=residual.output.zero_point,
        ),
    )
    classes = weighted("classes", LayerKind.FULLY_CONNECTED, pool.output, 10, 1, 1)
    layers = (stem, expand, filtered, project, residual, pool, classes)
    return Design(
        network=Network(name="every kind", input=source, layers=layers), accelerator=TINY.default
    )


@functools.cache
def calm() -> SimulationResult:
    """Run of the design on the deterministic memory."""
    return simulate(every_kind(), images=IMAGES)


@pytest.mark.rtl
def test_the_repr_is_one_line() -> None:
    result = dataclasses.replace(calm(), measured_cycles=12345)
    assert repr(result) == (
        f"SimulationResult({IMAGES} images in simulation view, 12,345 cycles for 1 on deterministic "
        "memory, 0 activations and 0 cycle counts differ)"
    )
    stalled = dataclasses.replace(result, images=1, stall_seed=7, mismatched_activations=3)
    assert repr(stalled) == (
        "SimulationResult(1 image in simulation view, 12,345 cycles for 1 on deterministic memory "
        "with stalls 7, 3 activations and 0 cycle counts differ)"
    )


@pytest.mark.rtl
@pytest.mark.slow
def test_every_activation_and_every_cycle_is_as_predicted() -> None:
    """All layers of all images, bit by bit, and each layer's time."""
    result = calm()
    assert [layer.mismatched_activations for layer in result.layers] == [0] * 7
    assert result.mismatched_activations == 0
    for layer in result.layers:
        assert layer.measured_cycles == layer.predicted_cycles, layer.name
    assert result.measured_cycles == result.predicted_cycles
    assert result.mismatched_cycles == 0
    assert result.exact
    assert (result.cycles == result.measured_cycles).all()


@pytest.mark.rtl
@pytest.mark.slow
def test_every_descriptor_starts_and_ends_as_predicted() -> None:
    """The model is right for the right reason: each event of each queue, and each image alike."""
    design = every_kind()
    x = np.random.default_rng(3).integers(-128, 128, (2, 9, 7, 3)).astype(np.int8)
    run = harness.build(TINY.default).run(compile_design(design), x)
    prediction = predict(TINY.default, design.network)
    for image in range(2):
        assert run.start[image].tolist() == prediction.start.tolist()
        assert run.end[image].tolist() == prediction.done.tolist()


@pytest.mark.rtl
@pytest.mark.slow
def test_counters_are_as_predicted() -> None:
    """Busy, waiting and active cycles, and beats times the bus width."""
    counters = calm().counters
    prediction = predict(TINY.default, every_kind().network)
    for name in (
        "execute_busy",
        "execute_wait_load",
        "execute_wait_store",
        "load_active",
        "store_active",
    ):
        assert counters[name] == getattr(prediction, name), name
    assert counters["read_beats"] * TINY.default.bus_bytes == prediction.read_bytes
    assert counters["write_beats"] * TINY.default.bus_bytes == prediction.write_bytes


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(STALL_SEEDS))
def test_stalls_change_no_bit_and_no_execute_duration(seed: int) -> None:
    """They cost time and nothing else."""
    stalled = simulate(every_kind(), images=IMAGES, stalls=seed)
    assert stalled.mismatched_activations == 0
    assert (stalled.outputs == calm().outputs).all()
    assert (stalled.execute_durations == calm().execute_durations).all()
    assert (stalled.cycles > calm().cycles).all()
    assert stalled.mismatched_cycles == 0


@functools.cache
def behind_dram() -> SimulationResult:
    """Runs of the images on the memory of tier T3."""
    return simulate(every_kind(), images=IMAGES, memory=DRAM)


@pytest.mark.rtl
@pytest.mark.slow
def test_a_dram_is_predicted_within_the_bound() -> None:
    """Time moves; bits and durations of EXECUTE are those of the deterministic memory."""
    result = behind_dram()
    assert result.memory == DRAM
    assert result.passed
    assert result.cycles_error <= DRAM_ERROR_LIMIT
    assert (result.outputs == calm().outputs).all()
    assert (result.execute_durations == calm().execute_durations).all()
    assert (result.cycles != calm().cycles).all()
    assert calm().memory == DETERMINISTIC
    assert calm().cycles_error == 0


@pytest.mark.rtl
@pytest.mark.slow
def test_counters_behind_a_dram_are_as_predicted() -> None:
    """Traffic and EXECUTE's work to the number, the others within the bound."""
    prediction = predict(TINY.default, every_kind().network, memory=DRAM)
    assert prediction.memory == DRAM
    counters, predicted = behind_dram().counters, prediction.counters(TINY.default)
    for name in ("execute_busy", "read_beats", "write_beats"):
        assert counters[name] == predicted[name], name
    for name in ("execute_wait_load", "execute_wait_store", "load_active", "store_active"):
        error = abs(predicted[name] - counters[name])
        assert error <= DRAM_ERROR_LIMIT * behind_dram().measured_cycles, name


@pytest.mark.rtl
@pytest.mark.slow
def test_a_dram_beyond_the_bound_does_not_pass() -> None:
    """Bits and EXECUTE stay right, so the total alone must be noticed."""
    shipped = calibration.default()
    fitted = shipped.dram(DRAM)
    parameters = fitted.parameters | {"read_latency": 200}
    slow = dataclasses.replace(fitted, parameters=parameters)
    wrong = dataclasses.replace(shipped, drams={str(DRAM): slow})
    result = simulate(every_kind(), images=1, memory=DRAM, calibration=wrong)
    assert result.exact
    assert result.cycles_error > DRAM_ERROR_LIMIT
    assert not result.passed


def test_a_dram_needs_its_parameters() -> None:
    without = dataclasses.replace(calibration.default(), drams={})
    message = (
        r"^calibration must have memory lpddr4-3200, not no DRAM: "
        r"run cosilico calibrate --memory lpddr4-3200$"
    )
    with pytest.raises(DesignFileError, match=message):
        predict(TINY.default, every_kind().network, without, memory=DRAM)


def test_a_dram_does_not_stall_at_random() -> None:
    with pytest.raises(ValueError, match=r"^stall_seed must not be given with dram$"):
        simulate(every_kind(), memory=DRAM, stalls=1)


@pytest.mark.rtl
@pytest.mark.slow
def test_wrong_reference_is_noticed() -> None:
    """Accuracy is computed of RTL and reference; a label that is wrong counts."""
    labels = calm().outputs.reshape(IMAGES, -1).argmax(axis=1)
    labels[1] = (labels[1] + 1) % 10
    result = simulate(every_kind(), images=IMAGES, labels=labels)
    assert result.accuracy == result.golden_accuracy == pytest.approx(2 / 3)


@pytest.mark.rtl
@pytest.mark.slow
def test_result_is_the_documented_json() -> None:
    """What results.json promises under ``rtl`` is there."""
    document = json.loads(json.dumps(calm().to_json()))
    assert {
        "simulator",
        "simulator_version",
        "images",
        "accuracy",
        "golden_accuracy",
        "mismatched_activations",
        "predicted_cycles",
        "measured_cycles",
        "cycles_per_s",
        "layers",
    } <= document.keys()
    assert {
        "name",
        "kind",
        "macs",
        "predicted_cycles",
        "measured_cycles",
        "utilization",
    } <= document["layers"][0].keys()
    assert document["layers"][2]["kind"] == "depthwise"
    assert "outputs" not in document
    assert document["view"] == "simulation"
    assert document["macs"] == every_kind().network.macs
    assert 0 < document["utilization"] < document["busy_utilization"] < 1


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_waves_are_written(tmp_path: Path) -> None:
    """The VCD names the top-level ports, and watching changes nothing."""
    path = tmp_path / "waves.vcd"
    result = simulate(every_kind(), images=1, waves=path)
    assert result.mismatched_activations == 0
    assert result.measured_cycles == calm().measured_cycles
    with path.open() as file:
        header = file.read(200_000)
    assert "m_axi_araddr" in header
    assert "trace_execute_done" in header


@pytest.mark.rtl
@pytest.mark.slow
def test_load_time_is_told_apart_by_what_it_brings() -> None:
    """Weights and tiles are loaded one after the other; together they are LOAD's activity."""
    result = calm()
    active = result.counters["load_active"]
    assert 0 < result.tile_cycles < result.weight_cycles < active
    # A descriptor's start and end are not counted alike in trace and counter.
    assert abs(result.tile_cycles + result.weight_cycles - active) <= 0.02 * active


@pytest.mark.rtl
@pytest.mark.slow
def test_every_descriptor_counts() -> None:
    """A constant that only moves LOAD is noticed where the totals are not compared alone."""
    shipped = calibration.default()
    constants = shipped.constants | {"load_overhead": shipped.constants["load_overhead"] + 1}
    wrong = dataclasses.replace(shipped, constants=constants)
    result = simulate(every_kind(), images=1, calibration=wrong)
    assert result.mismatched_cycles > len(result.layers)
    assert result.descriptors > 2 * len(result.layers)


@pytest.mark.rtl
@pytest.mark.slow
def test_both_views_are_one_design() -> None:
    """Bits, cycles and counters agree; the result says which view it is of."""
    synthesis = simulate(every_kind(), images=IMAGES, view=View.SYNTHESIS)
    assert synthesis.view == View.SYNTHESIS
    assert synthesis.exact
    assert synthesis.counters == calm().counters
    assert (synthesis.outputs == calm().outputs).all()


def test_input_of_another_shape_is_refused() -> None:
    """Both shapes are named."""
    message = r"^inputs must be int8\[2, 9, 7, 3\], not int8\[2, 8, 8, 3\]$"
    with pytest.raises(ValueError, match=message):
        simulate(every_kind(), inputs=np.zeros((2, 8, 8, 3), np.int8))


def test_more_images_than_inputs_are_refused() -> None:
    """The number of inputs is named."""
    with pytest.raises(ValueError, match=r"^images must be at most 2, not 3$"):
        simulate(every_kind(), inputs=np.zeros((2, 9, 7, 3), np.int8), images=3)


def test_no_images_are_refused() -> None:
    """A run has at least one image."""
    with pytest.raises(ValueError, match=r"^images must be positive, not 0$"):
        simulate(every_kind(), images=0)


@pytest.mark.rtl
@pytest.mark.slow
def test_wrong_execute_durations_are_noticed_under_stalls_too() -> None:
    """Totals cannot be compared there, but what EXECUTE takes can."""
    shipped = calibration.default()
    constants = shipped.constants | {"drain_conv": shipped.constants["drain_conv"] + 1}
    wrong = dataclasses.replace(shipped, constants=constants)
    assert simulate(every_kind(), images=1, stalls=1).mismatched_cycles == 0
    assert simulate(every_kind(), images=1, stalls=1, calibration=wrong).mismatched_cycles > 0
