"""Running a design in RTL and comparing it with the reference and the model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwgen import verilator
from hwgen.program import Program, compile_mapped, queues_and_layers
from hwgen.stream_program import compile_stream
from sim import golden
from sim.model import predict_mapped, predict_stream
from sim.plan import Mapped
from sim.prediction import Prediction, cycles_by_layer
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, Queue
from sim.spec.design import Design
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, FixedLatency, MemorySystem
from sim.spec.queued_memory import QueuedMemory
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from sim.stream import Stream, stream_of
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration
from testbench.rtl import harness
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import INITIAL_SEED, Harness, Progress, RunResult, check_run
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.watchdog import program_descriptors
from testbench.rtl.wave_window import WaveSelection, WaveWindow, window_of
from testbench.validation.comparison import compare
from testbench.validation.image_shares import joined_shares, shared
from testbench.validation.simulation_result import LayerMeasurement, SimulationResult
from testbench.validation.store_runs import joined, steps_of
from testbench.validation.stream_runs import steps_of_stream

if TYPE_CHECKING:
    from testbench.cosimulation.simulation import CocotbSimulation

__all__ = ["measured_durations", "require_stream", "require_window", "simulate"]


def simulate(
    design: Design,
    *,
    images: int | None = None,
    batch: int = 1,
    inputs: NDArray[np.int8] | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    memory: MemorySystem = DETERMINISTIC,
    stalls: int | None = None,
    waves: Path | None = None,
    wave_format: WaveFormat = WaveFormat.VCD,
    selection: WaveSelection | None = None,
    progress: Callable[[Progress], None] | None = None,
    calibration: Calibration | None = None,
    build_root: Path | None = None,
    view: View = View.SIMULATION,
    engine: Engine = Engine.VERILATOR,
    initial_seed: int = INITIAL_SEED,
    mapped: Mapped | None = None,
    stream: bool = False,
    jobs: int = 1,
) -> SimulationResult:
    """Emit, build and run a design; compare every activation and every layer's cycles.

    Where weights stay in the weight store, a cold run of the first program's images comes before the
    runs of all images, and is compared as well. A stream of all images comes last.

    Parameters
    ----------
    design : Design
    images : int, optional
        How many images to run: the first of ``inputs``, or random images (by default, one program's).
    batch : int
        Images per program.
    inputs : int8[N, height, width, channels], optional
        Random values of seed 0 if not given.
    labels : int[N], optional
        Class of each input; accuracies are computed if given.
    memory : MemorySystem
        What lies behind the ports: T1, or the DRAM of T3, whose parameters the calibration must have.
    stalls : int, optional
        Seed of random AXI stalls (tier T2), on the deterministic memory only.
    waves : Path, optional
        Waveform file to write.
    wave_format : WaveFormat
        Its format; cocotb writes VCD.
    selection : WaveSelection, optional
        The part of the first warm run that ``waves`` shows; everything if not given.
    progress : callable, optional
        Called about four times a second while images run.
    calibration : Calibration, optional
        Timing constants of the prediction; those shipped if not given. Its memory latency is also
        that of the run.
    build_root : Path, optional
        Where simulations are kept; see :mod:`hwgen.build_cache`.
    view : str
        Of the datapath; see :func:`testbench.rtl.harness.build`.
    engine : Engine
        Bench around the accelerator: the C++ harness, or cocotb (:mod:`testbench.cosimulation.simulation`).
    initial_seed : int
        See :meth:`testbench.rtl.harness.Harness.run`.
    mapped : Mapped, optional
        The design's plan for ``batch`` images, where the caller has it.
    stream : bool
        Whether the images are run as a stream, too.
    jobs : int
        Accelerators of the C++ harness that share the images, each in a process. There is one alone where images see what
        those before have left: with stalls, on a DRAM, of a network with states, and where waves are written.

    Raises
    ------
    NotRealizableError
        If the design cannot be built.
    ValueError
        If ``inputs`` do not have the network's shape, or there are fewer than ``images``; or with
        stalls on a DRAM, or ``mapped`` is another design's or of another batch.
    DesignFileError
        If the calibration lacks a DRAM that is asked for.
    HarnessError
        If the run stops or reports a fault.
    CosilicoError
        If there can be no stream of the images, or the engine has none; or if the run has no such part as
        ``selection``.
    """
    calibration = calibration or calibrations.default()
    if mapped is None:
        mapped = map_realizable(design.accelerator, design.network, batch)
    _require_plan(mapped, design, batch)
    window = require_window(mapped, engine, wave_format, selection)
    program, planned, streamed = compile_mapped(mapped), None, None
    if stream:
        planned = require_stream(mapped, engine)
        streamed = compile_stream(mapped, planned)
        program = streamed.alone
    x = _inputs(design, images, inputs, batch)
    if labels is not None:
        if len(labels) < len(x):
            raise ValueError(f"labels must be at least {len(x)}, not {len(labels)}")
        labels = labels[: len(x)]
    behind = replace(_model(design.accelerator, memory, calibration), stall_seed=stalls)
    prediction = predict_mapped(mapped, calibration, memory=memory)
    if behind.deterministic:
        _require_shown(window, prediction.total_cycles)
    built: CocotbSimulation | Harness
    if engine is Engine.COCOTB:
        from testbench.cosimulation import simulation  # its libraries take long to import

        built = simulation.build(
            design.accelerator,
            memory=behind,
            program_bytes=program.memory_bytes,
            build_root=build_root,
            waves=waves is not None,
            view=view,
        )
    else:
        built = harness.build(
            design.accelerator,
            build_root=build_root,
            waves=None if waves is None else wave_format,
            view=view,
        )
    steps = steps_of(program, x, network=design.network, memory=behind)
    alone = len(steps)
    steps[-1] = replace(steps[-1], window=window)
    if streamed is not None:
        steps += steps_of_stream(streamed, x, network=design.network, memory=behind)
    if isinstance(built, Harness) and behind.deterministic and waves is None:
        sequences = shared(steps, alone - 1, 1 if design.network.states else jobs)
        shares = built.run_side_by_side(sequences, progress=progress, initial_seed=initial_seed)
        runs = joined_shares(shares, alone - 1)
    else:
        runs = built.run_sequence(steps, waves=waves, progress=progress, initial_seed=initial_seed)
    for run in runs:
        check_run(run)
    _require_shown(window, int(runs[alone - 1].cycles[0]))
    foretold = [predict_mapped(mapped, calibration, memory=memory, cold=True)] * (alone - 1)
    foretold.append(prediction)
    if planned is not None:
        foretold += predict_stream(planned, calibration, memory=memory)
    return _compare(design, program, foretold, runs, alone, x, labels, behind, engine, initial_seed)


def require_stream(mapped: Mapped, engine: Engine = Engine.VERILATOR) -> Stream:
    """Return the stream of a mapped network's images.

    Raises
    ------
    CosilicoError
        If there can be none, or the engine has none.
    """
    if engine is not Engine.VERILATOR:
        raise CosilicoError(f"engine must be verilator for a stream, not {str(engine)!r}")
    stream = stream_of(mapped)
    if stream is None:
        raise CosilicoError(
            f"network {mapped.source.name!r} must have an input that local memory holds beside all "
            "else and a convolution alone reads, an image per program, for a stream"
        )
    return stream


def _model(
    config: AcceleratorConfig, memory: MemorySystem, calibration: Calibration
) -> MemoryModel:
    """Memory of the harness."""
    if isinstance(memory, FixedLatency):
        return MemoryModel.of(memory, calibration.constants["memory_latency"])
    if isinstance(memory, QueuedMemory):
        raise CosilicoError(
            f"memory {memory.name!r} is fitted to traces and must be predicted, not run"
        )
    return MemoryModel(dram=dram_channel(config, memory))


def require_window(
    mapped: Mapped,
    engine: Engine = Engine.VERILATOR,
    wave_format: WaveFormat = WaveFormat.VCD,
    selection: WaveSelection | None = None,
) -> WaveWindow | None:
    """Return the part of a run that waveforms show, or None if they show everything.

    Raises
    ------
    CosilicoError
        If there is no such part, or the engine cannot write it.
    """
    if engine is not Engine.VERILATOR and (selection, wave_format) != (None, WaveFormat.VCD):
        raise CosilicoError(
            f"engine must be verilator for a part of the waves or another format than vcd, not {str(engine)!r}"
        )
    if selection is None:
        return None
    return window_of(selection, queues_and_layers(mapped.rows), mapped.source)


def _require_shown(window: WaveWindow | None, cycles: int) -> None:
    """Refuse a part that begins behind the end of the run."""
    if window is not None and window.cycles is not None and window.cycles[0] >= cycles:
        raise CosilicoError(
            f"cycles of waves must begin before cycle {cycles}, where the run ends, not with {window.cycles[0]}"
        )


def _require_plan(mapped: Mapped, design: Design, batch: int) -> None:
    if mapped.source is not design.network or mapped.config != design.accelerator:
        raise ValueError("mapped must be of the design that is simulated")
    if mapped.images != batch:
        raise ValueError(f"mapped must be of {batch} images, not {mapped.images!r}")


def measured_durations(program: Program, run: RunResult) -> NDArray[np.int64]:
    """Cycles from start to done of every EXECUTE descriptor, int64[runs, n_execute]."""
    chosen = np.array([queue == Queue.EXECUTE for queue, _ in program.descriptors])
    durations: NDArray[np.int64] = (run.end - run.start)[:, chosen]
    return durations


def _inputs(
    design: Design, images: int | None, inputs: NDArray[np.int8] | None, batch: int
) -> NDArray[np.int8]:
    shape = design.network.image_shape
    if images is not None and images < 1:
        raise ValueError(f"images must be positive, not {images!r}")
    if inputs is None:
        random = np.random.default_rng(0)
        return random.integers(-128, 128, (images or batch, *shape), dtype=np.int8)
    if inputs.dtype != np.int8 or inputs.shape[1:] != shape or not len(inputs):
        raise ValueError(
            f"inputs must be int8{[len(inputs), *shape]}, not {inputs.dtype}{list(inputs.shape)}"
        )
    if images is not None and images > len(inputs):
        raise ValueError(f"images must be at most {len(inputs)}, not {images!r}")
    return inputs[:images]


def _compare(
    design: Design,
    program: Program,
    predictions: Sequence[Prediction],
    runs: Sequence[RunResult],
    alone: int,
    x: NDArray[np.int8],
    labels: NDArray[np.integer[Any]] | None,
    memory: MemoryModel,
    engine: Engine,
    initial_seed: int,
) -> SimulationResult:
    """Compare the runs, each with its prediction: ``alone`` of them, the warm run last, then a stream's."""
    network, config = design.network, design.accelerator
    expected = golden.run(network, x)
    differing = joined(
        [
            compare(
                config,
                network,
                foretold,
                ran,
                {
                    name: values[: len(ran.outputs)]
                    for name, values in expected.items()
                    if foretold.execute_busy > 0
                },
                deterministic=memory.deterministic,
            )
            for foretold, ran in zip(predictions, runs, strict=True)
        ]
    )
    prediction, run = predictions[alone - 1], runs[alone - 1]
    streams = len(runs) > alone
    measured = _measured_layers(program, run, len(network.layers))
    layers = tuple(
        LayerMeasurement(
            name=layer.name,
            kind=str(layer.kind),
            macs=layer.macs,
            predicted_cycles=predicted.cycles,
            measured_cycles=int(measured[0, index]),
            utilization=program.images
            * layer.macs
            / (max(1, int(measured[0, index])) * config.macs),
            mismatched_activations=differing.layer_bits[index],
        )
        for index, (layer, predicted) in enumerate(
            zip(network.layers, prediction.layers, strict=True)
        )
    )
    weights, tiles = _load_cycles(program, run)
    return SimulationResult(
        simulator="verilator",
        simulator_version=verilator.version(),
        engine=engine,
        view=run.view,
        images=len(x),
        batch=program.images,
        macs=network.macs,
        macs_per_cycle=config.macs,
        accuracy=_accuracy(run.outputs, labels),
        golden_accuracy=_accuracy(expected[network.output.name], labels),
        mismatched_activations=differing.bit_differences,
        predicted_cycles=prediction.total_cycles,
        measured_cycles=int(run.cycles[0]),
        predicted_cold_cycles=predictions[0].total_cycles,
        cold_cycles=int(runs[0].cycles[0]),
        mismatched_cycles=differing.timing_differences,
        memory=prediction.memory,
        stall_seed=memory.stall_seed,
        initial_seed=initial_seed,
        descriptors=differing.descriptors,
        cycles_per_s=round(run.cycles_per_s, 1),
        weight_cycles=weights,
        tile_cycles=tiles,
        layers=layers,
        counters={name: int(values[0]) for name, values in run.counters.items()},
        outputs=run.outputs,
        named_outputs=run.named_outputs,
        cycles=run.cycles,
        execute_durations=measured_durations(program, run),
        start=run.start,
        end=run.end,
        issue_end=run.issue_end,
        predicted_stream_cycles=predictions[-1].total_cycles if streams else None,
        stream_cycles=int(runs[-1].cycles[0]) if streams else None,
    )


def _load_cycles(program: Program, run: RunResult) -> tuple[int, int]:
    """Cycles of the first run in which the oldest LOAD under way brings weights, and a tile."""
    descriptors = program_descriptors(program)
    loads = np.array([d["queue"] == Queue.LOAD for d in descriptors])
    tiles = np.array([d["kind"] == LoadKind.TILE for d in descriptors if d["queue"] == Queue.LOAD])
    start, end = run.start[0, loads], run.end[0, loads]
    if not end.size:
        return 0, 0
    cycles = end - np.maximum(start, np.concatenate((start[:1], end[:-1])))
    return int(cycles[~tiles].sum()), int(cycles[tiles].sum())


def _measured_layers(program: Program, run: RunResult, count: int) -> NDArray[np.int64]:
    """Measured cycles of every layer, int64[runs, layers]."""
    queues, layers = np.array(program.descriptors, np.int64).T
    return np.array([cycles_by_layer(queues, layers, done, count) for done in run.end], np.int64)


def _accuracy(outputs: NDArray[np.int8], labels: NDArray[np.integer[Any]] | None) -> float | None:
    if labels is None:
        return None
    return float(np.mean(outputs.reshape(len(outputs), -1).argmax(axis=1) == labels))
