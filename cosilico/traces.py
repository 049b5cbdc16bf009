"""Calibration by traces from the command line: read, fit, judge, and write what was fitted."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cosilico.accelerators import accelerator_argument
from cosilico.folder import Contents, check_file, stage_folder
from cosilico.gateware import current_calibration
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from cosilico.timeline import Timeline
from sim.arrays.schedule_columns import LAYER, QUEUE
from sim.arrays.tables import accelerator_row
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.files import write_atomic
from sim.spec.memories import MemorySystem
from sim.spec.queued_memory_record import queued_toml
from sim.spec.rules import shown
from sim.timing.calibration import Calibration
from testbench.traces.calibrate import LIMIT, TraceFit, calibrate_runs
from testbench.traces.proposals import (
    MICROBENCHMARKS,
    microbenchmark_program,
    microbenchmark_run,
)
from testbench.traces.trace import UNKNOWN, Trace, read_trace, write_trace
from testbench.traces.traced_run import TracedRun

__all__ = [
    "calibrate_traces",
    "calibrate_traces_to_file",
    "schedule_digest",
    "trace_of",
    "traced_run",
]


def schedule_digest(mapped: Mapped) -> str:
    """SHA-256 of a schedule: two programs of the same one take the same time."""
    return hashlib.sha256(mapped.rows.astype("<i8").tobytes()).hexdigest()


def trace_of(
    mapped: Mapped, timeline: Timeline, memory: MemorySystem, network: str, seed: int
) -> Trace:
    """Trace of a run, as ``calibrate --trace`` reads it.

    Parameters
    ----------
    mapped : Mapped
        Of its program.
    timeline : Timeline
    memory : MemorySystem
        What lay behind the ports.
    network : str
        As the command line takes it; a path is kept as an absolute path.
    seed : int
        Of a named network's weights.
    """
    path = Path(network)
    executes = timeline.queues == Queue.EXECUTE
    return Trace(
        run=mapped.source.name,
        system=str(memory),
        accelerator=mapped.config,
        network=str(path.resolve()) if path.exists() else network,
        seed=seed,
        images=mapped.images,
        schedule_digest=schedule_digest(mapped),
        total_cycles=timeline.total_cycles,
        queues=timeline.queues,
        start=timeline.start,
        end=timeline.done,
        issue_end=np.where(executes, timeline.issued, UNKNOWN),
    )


def traced_run(trace: Trace, folder: Path, where: str) -> tuple[AcceleratorConfig, TracedRun]:
    """Put a trace beside the schedule of its program.

    Parameters
    ----------
    trace : Trace
    folder : Path
        What a path of a network is relative to.
    where : str
        Names the trace in errors.

    Raises
    ------
    CosilicoError
        If there is no such program, or the trace is of another.
    """
    config = trace.accelerator
    if isinstance(config, str):
        beside = folder / config
        config = accelerator_argument(str(beside) if beside.is_file() else config)
    if trace.microbenchmark is not None:
        if trace.microbenchmark not in MICROBENCHMARKS:
            known = ", ".join(MICROBENCHMARKS)
            raise DesignFileError(
                f"{where}: microbenchmark must be one of {known}, not {shown(trace.microbenchmark)}"
            )
        plain = microbenchmark_run(trace.microbenchmark, config)
        rows, header, layers = plain.rows, plain.header, plain.layers
    else:
        assert trace.network is not None
        beside = folder / trace.network
        network = network_argument(str(beside) if beside.exists() else trace.network, trace.seed)
        mapped = map_realizable(config, network, trace.images)
        if trace.schedule_digest not in (None, schedule_digest(mapped)):
            raise DesignFileError(f"{where} must be of the schedule that this version makes")
        header = mapped.header(cold=False)
        rows, layers = mapped.rows, mapped.rows[:, LAYER]
    if not np.array_equal(trace.queues, rows[:, QUEUE]):
        raise DesignFileError(
            f"{where} must have the {len(rows)} descriptors of its program in their order, "
            f"not {len(trace.queues)} others"
        )
    return config, TracedRun(
        name=trace.run,
        rows=rows,
        hw=accelerator_row(config),
        header=header,
        layers=layers.copy(),
        start=trace.start,
        end=trace.end,
        total=trace.total_cycles,
        chosen=np.ones(len(rows), np.bool_),
    )


def calibrate_traces(
    paths: Sequence[Path],
    calibration: Calibration,
    *,
    name: str = "fitted",
    limit: float = LIMIT,
    report: Report = lambda step, done, total: None,
) -> TraceFit:
    """Fit a memory to traces and judge it by those that took no part.

    Raises
    ------
    CosilicoError
        If a trace is wrong, there are too few descriptors, or the fit is none: its error is above
        ``limit``, or not below that of the memory that the search began with.
    """
    runs: list[TracedRun] = []
    configs: list[AcceleratorConfig] = []
    for path in paths:
        config, run = traced_run(read_trace(path), path.parent, f"trace {path}")
        configs.append(config)
        runs.append(run)
    clocks = {config.clock_mhz for config in configs}
    if len(clocks) > 1:
        given = " and ".join(map(str, sorted(clocks)))
        raise CosilicoError(f"traces must be of accelerators with one clock, not {given} MHz")
    return calibrate_runs(configs[0], runs, calibration, name=name, limit=limit, progress=report)


def calibrate_traces_to_file(
    paths: Sequence[Path],
    out: Path,
    *,
    name: str | None = None,
    limit: float = LIMIT,
    json_file: Path | None = None,
    proposals: Path | None = None,
    calibration_file: Path | None = None,
) -> None:
    """Fit a memory to traces; write it, the report and the proposed microbenchmarks.

    Parameters
    ----------
    paths : sequence of Path
        Traces.
    out : Path
        Memory file for ``--memory``.
    name : str, optional
        Of the memory; the file's stem if not given.
    limit : float
        Of the mean error.
    json_file : Path, optional
        For the report.
    proposals : Path, optional
        Folder for programs.
    calibration_file : Path, optional
        The accelerator's constants; those shipped if not given.

    Raises
    ------
    CosilicoError
        As :func:`calibrate_traces`; nothing is written then.
    """
    if out.suffix != ".toml":
        raise CosilicoError(f"--out must be a .toml file, which --memory reads, not {str(out)!r}")
    inputs = [*paths, *([calibration_file] if calibration_file else [])]
    check_file(out, "--out", inputs)
    if json_file is not None:
        check_file(json_file, "--json", [*inputs, out])
    calibration = current_calibration(calibration_file)
    with progress_bar() as report:
        result = calibrate_traces(
            paths, calibration, name=name or out.stem, limit=limit, report=report
        )
    if proposals is not None:
        _write_proposals(proposals, result, inputs)
    if json_file is not None:
        write_atomic(json_file, json.dumps(result.to_json(), indent=1) + "\n")
    write_atomic(out, queued_toml(result.memory, _summary(result)))
    for line in (f"{out}: {_summary(result)[0]}", *_summary(result)[1:], *_proposed(result)):
        print(line)


def _summary(result: TraceFit) -> list[str]:
    before, after = result.before, result.after
    determination = result.determination
    effects = ", ".join(result.estimate.effects) or "none"
    lines = [
        f"fitted to {result.runs} runs of {result.descriptors} descriptors; further effects: {effects}",
        f"mean error on {after.count} held-out {after.of}: {after.mean:.2%} ({after.low:.2%} … "
        f"{after.high:.2%}), worst {after.worst:.2%}; before {before.mean:.2%}",
        f"determined: {', '.join(determination.determined) or 'nothing'}",
    ]
    opened = [str(r) for r in determination.ranges if r.parameter in determination.open]
    lines += [
        f"open: {text}"
        for text in (*opened, *(f"{word}: another fits" for word in determination.words))
    ]
    lines += [f"only together: {trade}" for trade in determination.trades]
    return lines


def _proposed(result: TraceFit) -> list[str]:
    lines = [f"run {p.name} to determine {', '.join(p.determines)}" for p in result.proposals]
    if result.silent:
        lines.append(f"without effect on this accelerator: {', '.join(result.silent)}")
    return lines


def _write_proposals(folder: Path, result: TraceFit, inputs: Sequence[Path]) -> None:
    """Write each proposed microbenchmark: its memory image, how to run it, and a trace to fill in."""
    suffixes = (".bin", ".json", ".trace.json")
    names = [proposal.name for proposal in result.proposals]
    files = tuple(f"{name}{suffix}" for name in names for suffix in suffixes)
    contents = Contents(command="calibrate", identity={"memory": result.memory.name}, files=files)
    with stage_folder(folder, contents, inputs=inputs, force=folder.exists()) as staging:
        for proposal in result.proposals:
            program = microbenchmark_program(proposal.name, result.config)
            queues = np.array([queue for queue, _ in program.descriptors], np.int64)
            unknown = np.full(len(queues), -1, np.int64)
            empty = Trace(
                run=proposal.name,
                system=result.memory.name,
                accelerator=result.config,
                microbenchmark=proposal.name,
                queues=queues,
                start=unknown,
                end=unknown,
                issue_end=unknown,
            )
            document = {
                "determines": list(proposal.determines),
                "fingerprint": result.config.fingerprint,
                "header_address": program.header_address,
                "memory_bytes": program.memory_bytes,
            }
            write_atomic(staging / f"{proposal.name}.bin", program.image)
            write_atomic(staging / f"{proposal.name}.json", json.dumps(document, indent=1) + "\n")
            write_trace(staging / f"{proposal.name}.trace.json", empty)
