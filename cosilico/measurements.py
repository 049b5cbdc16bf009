"""Measurements of an RTL run, as tables on the terminal and as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from cosilico.console import FILE_WIDTH, Column, fitted_table, output_console, print_line
from cosilico.profile import profile_of
from cosilico.profile_tables import print_profile
from cosilico.summary import accelerator_text
from cosilico.trace_files import measured_run
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.spec.design import Design
from sim.spec.engines import Engine
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.timing.calibration import DRAM_ERROR_LIMIT
from testbench.validation.simulation_result import SimulationResult

__all__ = ["layer_table", "print_results", "time_rows", "write_json"]


def print_results(design: Design, mapped: Mapped, results: Sequence[SimulationResult]) -> int:
    """Print the runs of a design, the answer first; return the differences from the reference and the model."""
    console = output_console()
    for index, result in enumerate(results):
        print_line(console, _heading(design, result))
        if result.accuracy is not None:
            console.print(
                f"accuracy {result.accuracy:.4f} in RTL, {result.golden_accuracy:.4f} golden"
            )
        console.print(_time_table(result, console.width))
        if index == 0:
            run = measured_run(mapped, result)
            prediction = predict_mapped(mapped)
            print_profile(console, profile_of(mapped, prediction, run.timeline))
        console.print(layer_table(result, console.width))
        print_line(console, _rate_line(result))
        if not isinstance(result.memory, FixedLatency):
            print_line(console, _error_line(result))
        compared = "cycle counts" if _all_cycles(result) else "durations of EXECUTE"
        console.print(
            f"{_counted(result.images, 'image')}, {result.descriptors:,} descriptors: "
            f"{result.mismatched_activations} activations and "
            f"{result.mismatched_cycles} {compared} differ",
            style="green" if result.passed else "red",
        )
    return sum(result.mismatched_activations + result.mismatched_cycles for result in results)


def write_json(path: Path, design: Design, results: Sequence[SimulationResult]) -> None:
    """Write all figures of the runs; ``-`` prints them."""
    document: dict[str, Any] = {
        "network": design.network.name,
        "accelerator": design.accelerator.to_json(),
        "milliseconds": _milliseconds(design, results[0].measured_cycles),
        "milliseconds_per_image": _milliseconds(design, results[0].cycles_per_image),
        "runs": [result.to_json() for result in results],
    }
    text = json.dumps(document, indent=1) + "\n"
    if str(path) == "-":
        print(text, end="")
    else:
        write_atomic(path, text)


def layer_table(result: SimulationResult, width: int = FILE_WIDTH) -> Table:
    """Predicted and measured cycles of every layer of a program, and from doorbell to done."""
    whole = "one image" if result.batch == 1 else f"a program of {result.batch} images"
    title = f"{result.simulator} {result.simulator_version}, {whole}"
    if result.engine is Engine.COCOTB:
        title += ", cocotb"
    if result.stall_seed is not None:
        title += f", random stalls of seed {result.stall_seed}"
    if result.memory != DETERMINISTIC:
        title += f", {result.memory} memory"
    columns = (
        Column("layer"),
        Column("kind", rank=3),
        Column("MACs", right=True, rank=2),
        Column("predicted", right=True),
        Column("measured", right=True),
        Column("utilization", right=True, rank=1),
    )
    rows = []
    for layer in result.layers:
        share = f"{100 * layer.utilization:.1f} %" if layer.macs else ""
        cycles = (f"{layer.predicted_cycles:,}", f"{layer.measured_cycles:,}")
        rows.append((layer.name, str(layer.kind), f"{layer.macs:,}", *cycles, share))
    total = (f"{result.predicted_cycles:,}", f"{result.measured_cycles:,}")
    rows.append(("total", "", f"{result.macs:,}", *total, f"{100 * result.utilization:.1f} %"))
    return fitted_table(width, columns, rows, title=title, sections=(len(rows) - 2,))


def time_rows(result: SimulationResult) -> list[tuple[str, int]]:
    """Where the first run's cycles go: EXECUTE's three states and the rest, then transfers."""
    counters = result.counters
    states = [
        ("EXECUTE busy", counters["execute_busy"]),
        ("EXECUTE waits for LOAD", counters["execute_wait_load"]),
        ("EXECUTE waits for STORE", counters["execute_wait_store"]),
    ]
    rest = result.measured_cycles - sum(cycles for _, cycles in states)
    return [
        *states,
        ("neither", rest),
        ("LOAD brings weights", result.weight_cycles),
        ("LOAD brings tiles", result.tile_cycles),
        ("STORE active", counters["store_active"]),
    ]


def _heading(design: Design, result: SimulationResult) -> str:
    config = design.accelerator
    per_image = ""
    if result.batch > 1:
        per_image = (
            f" for {result.batch} images: {result.cycles_per_image:,.0f} cycles, "
            f"{_milliseconds(design, result.cycles_per_image):.3f} ms per image"
        )
    filling = ""
    if result.cold_cycles != result.measured_cycles:
        filling = f"; {result.cold_cycles:,} cycles of the run that fills the weight store"
    if result.stream_cycles is not None:
        filling += f"; {result.stream_cycles:,} cycles of each image of a stream"
    return (
        f"{design.network.name} on {accelerator_text(config.to_json())}\n"
        f"{result.measured_cycles:,} cycles, "
        f"{_milliseconds(design, result.measured_cycles):.3f} ms at {config.clock_mhz} MHz"
        f"{per_image}{filling}\n"
        f"{1000 / _milliseconds(design, result.cycles_per_image):,.0f} inferences per second\n"
        f"utilization {100 * result.utilization:.1f} % of {result.macs_per_cycle:,} MACs per "
        f"cycle, {100 * result.busy_utilization:.1f} % while EXECUTE is busy"
    )


def _time_table(result: SimulationResult, width: int) -> Table:
    columns = (
        Column("where the time goes"),
        Column("cycles", right=True),
        Column("share", right=True, rank=1),
    )
    times = time_rows(result)
    rows = [
        (name, f"{cycles:,}", f"{100 * cycles / result.measured_cycles:.1f} %")
        for name, cycles in times
    ]
    # What EXECUTE does adds up to all cycles; transfers overlap it.
    states = [index for index, (name, _) in enumerate(times) if name == "neither"]
    return fitted_table(width, columns, rows, sections=states)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _all_cycles(result: SimulationResult) -> bool:
    """Whether every descriptor's cycles were compared, not only EXECUTE's durations."""
    return isinstance(result.memory, FixedLatency) and result.stall_seed is None


def _error_line(result: SimulationResult) -> str:
    return (
        f"predicted and measured cycles on the DRAM differ by {100 * result.cycles_error:.3f} %, "
        f"at most {100 * DRAM_ERROR_LIMIT:g} % are claimed"
    )


def _rate_line(result: SimulationResult) -> str:
    macs = result.cycles_per_s * result.macs / result.cycles_per_image
    return (
        f"{result.view} view of the datapath: {result.cycles_per_s:,.0f} cycles and "
        f"{macs:,.0f} of the network's MACs simulated per second"
    )


def _milliseconds(design: Design, cycles: float) -> float:
    return cycles / (design.accelerator.clock_mhz * 1000)
