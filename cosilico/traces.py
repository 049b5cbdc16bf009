"""Calibration by traces from the command line: read, fit, judge, and write what was fitted."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.accelerators import accelerator_argument
from cosilico.folder import Contents, check_file, stage_folder
from cosilico.gateware import current_calibration
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from sim.arrays.schedule_columns import LAYER, QUEUE
from sim.arrays.tables import accelerator_row
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.design import Design
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.files import write_atomic
from sim.spec.queued_memory import QueuedMemory
from sim.spec.queued_memory_record import queued_toml
from sim.spec.rules import shown
from sim.timing.calibration import Calibration
from testbench.traces.determination import Determination, determine
from testbench.traces.evidence import Errors, errors_of, hold_out
from testbench.traces.fit import Estimate, fit
from testbench.traces.proposals import (
    MICROBENCHMARKS,
    Proposal,
    microbenchmark_program,
    microbenchmark_run,
    propose,
)
from testbench.traces.trace import Trace, read_trace, write_trace
from testbench.traces.traced_run import TracedRun, Walker
from testbench.validation.simulation_result import SimulationResult

__all__ = [
    "TraceFit",
    "calibrate_traces",
    "calibrate_traces_to_file",
    "schedule_digest",
    "trace_of",
    "traced_run",
]

LEAST_TRANSFERS = 24
"""LOADs and STOREs with known times without which there is nothing to fit."""

LIMIT = 0.1
"""Largest mean error on what was held out with which a fit is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFit:
    """A memory that was fitted to traces, and what is known of it.

    Parameters
    ----------
    memory : QueuedMemory
    config : AcceleratorConfig
    estimate : Estimate
    before, after : Errors
        Of what was held out, on the memory that the search began with and on the fitted one.
    determination : Determination
    proposals : list of Proposal
    silent : tuple of str
        What is open and would show in no microbenchmark.
    runs, descriptors : int
        Read, and how many descriptors they have.
    """

    memory: QueuedMemory
    config: AcceleratorConfig
    estimate: Estimate
    before: Errors
    after: Errors
    determination: Determination
    proposals: list[Proposal]
    silent: tuple[str, ...]
    runs: int
    descriptors: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "memory": self.memory.to_json(),
            "effects": list(self.estimate.effects),
            "loss": self.estimate.loss,
            "runs": self.runs,
            "descriptors": self.descriptors,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "determination": self.determination.to_json(),
            "proposals": [
                {"name": p.name, "determines": list(p.determines)} for p in self.proposals
            ],
            "silent": list(self.silent),
        }


def schedule_digest(mapped: Mapped) -> str:
    """SHA-256 of a schedule: two programs of the same one take the same time."""
    return hashlib.sha256(mapped.rows.astype("<i8").tobytes()).hexdigest()


def trace_of(design: Design, result: SimulationResult, network: str, seed: int) -> Trace:
    """Trace of the first run of a simulation.

    Parameters
    ----------
    design : Design
    result : SimulationResult
    network : str
        As the command line takes it; a path is kept as an absolute path.
    seed : int
        Of a named network's weights.
    """
    mapped = map_realizable(design.accelerator, design.network, result.batch)
    path = Path(network)
    return Trace(
        run=design.network.name,
        system=str(result.memory),
        accelerator=design.accelerator,
        network=str(path.resolve()) if path.exists() else network,
        seed=seed,
        images=result.batch,
        schedule_digest=schedule_digest(mapped),
        total_cycles=int(result.cycles[0]),
        queues=mapped.rows[:, QUEUE].copy(),
        start=result.start[0],
        end=result.end[0],
        issue_end=result.issue_end[0],
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
        rows, header, layers = mapped.rows, mapped.end, mapped.rows[:, LAYER]
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
    _require_enough(runs)
    config = configs[0]
    first = QueuedMemory(name=name, clock_mhz=config.clock_mhz, access_bytes=config.bus_bytes)
    fitted, judged = hold_out(runs)
    walker = Walker(calibration)
    before = errors_of(judged, first, walker)
    estimate = fit(fitted, calibration, first, report)
    memory = estimate.memory
    after = errors_of(judged, memory, walker)
    _require_fit(before, after, limit)
    determination = determine(fitted, memory, walker)
    proposals, silent = propose(config, memory, determination, walker)
    return TraceFit(
        memory=memory,
        config=config,
        estimate=estimate,
        before=before,
        after=after,
        determination=determination,
        proposals=proposals,
        silent=silent,
        runs=len(runs),
        descriptors=sum(len(run.rows) for run in runs),
    )


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


def _require_enough(runs: Sequence[TracedRun]) -> None:
    known = 0
    for run in runs:
        moved = run.rows[:, QUEUE] != Queue.EXECUTE
        known += int((moved & (run.start >= 0) & (run.end >= 0)).sum())
    if known < LEAST_TRANSFERS:
        raise CosilicoError(
            f"traces must have start and end of at least {LEAST_TRANSFERS} LOADs and STOREs, not {known}"
        )


def _require_fit(before: Errors, after: Errors, limit: float) -> None:
    if after.mean > limit:
        raise CosilicoError(
            f"mean error on held-out {after.of} must be at most {limit:.1%}, not {after.mean:.1%}"
        )
    if after.mean > before.mean:
        raise CosilicoError(
            f"mean error on held-out {after.of} must be less than before the fit, {before.mean:.1%}, "
            f"not {after.mean:.1%}"
        )


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
    contents = Contents(command="calibrate", identity=result.memory.name, files=files)
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
