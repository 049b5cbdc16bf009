"""Trace files of ``simulate`` and ``predict``, in either format."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosilico.timeline import Timeline, timeline_of
from cosilico.trace_events import write_trace_events
from sim.plan import Mapped
from sim.prediction import Prediction
from sim.spec.memories import MemorySystem
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration

if TYPE_CHECKING:
    from testbench.validation.simulation_result import SimulationResult

__all__ = ["TracedProgram", "measured_run", "predicted_run", "write_run_trace"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TracedProgram:
    """A program with the times of a run of it.

    Parameters
    ----------
    mapped : Mapped
    timeline : Timeline
    memory : MemorySystem
        What lay behind the ports.
    """

    mapped: Mapped
    timeline: Timeline
    memory: MemorySystem


def measured_run(
    mapped: Mapped, result: "SimulationResult", *, calibration: Calibration | None = None
) -> TracedProgram:
    """Return the first run of a simulation of a program."""
    timeline = timeline_of(
        mapped,
        source="measured",
        start=result.start[0],
        issued=result.issue_end[0],
        done=result.end[0],
        total_cycles=int(result.cycles[0]),
        token_cycles=_token_cycles(calibration),
    )
    return TracedProgram(mapped=mapped, timeline=timeline, memory=result.memory)


def predicted_run(
    mapped: Mapped, known: Prediction, *, calibration: Calibration | None = None
) -> TracedProgram:
    """Return the predicted run of a program."""
    timeline = timeline_of(
        mapped,
        source="predicted",
        start=known.start,
        issued=known.issued,
        done=known.done,
        total_cycles=known.total_cycles,
        token_cycles=_token_cycles(calibration),
    )
    return TracedProgram(mapped=mapped, timeline=timeline, memory=known.memory)


def write_run_trace(path: Path, form: str, run: TracedProgram, network: str, seed: int) -> None:
    """Write a run as a trace.

    Parameters
    ----------
    path : Path
    form : "descriptors" or "perfetto"
        What ``calibrate --trace`` reads, or trace events.
    run : TracedProgram
    network : str
        As the command line takes it.
    seed : int
        Of a named network's weights.
    """
    if form == "perfetto":
        write_trace_events(path, run.timeline, run.mapped.source.name)
        return
    from cosilico.traces import trace_of
    from testbench.traces.trace import write_trace

    write_trace(path, trace_of(run.mapped, run.timeline, run.memory, network, seed))


def _token_cycles(calibration: Calibration | None) -> int:
    return (calibration or calibrations.default()).constants["token"]
