"""Running a design file in RTL from the command line."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosilico.gateware import current_calibration
from cosilico.images import ImageSet, images_for, save_arrays
from cosilico.progress import Report, progress_bar
from sim.calibration import Calibration
from sim.realizability import require
from sim.spec.design import Design, load
from testbench.harness import Progress
from testbench.simulate import SimulationResult, simulate

__all__ = ["layer_table", "print_simulation", "simulate_design", "simulate_file"]


def simulate_file(
    design_path: Path,
    *,
    images: int | None = None,
    input_file: Path | None = None,
    output_file: Path | None = None,
    stall_seed: int | None = None,
    waves: bool = False,
    calibration_file: Path | None = None,
) -> SimulationResult:
    """Run a design file; write the outputs (``y``) and ``waves.vcd`` if asked for.

    Raises
    ------
    CosilicoError
        If a file is wrong, the design is not realizable or the calibration is stale.
    """
    design = load(design_path)
    require(design.accelerator, design.network)
    image_set = images_for(design_path, design.network, input_file, images)
    calibration = current_calibration(calibration_file)
    with progress_bar() as report:
        if waves:
            result = _with_waves(
                design_path.parent / "waves.vcd",
                lambda path: simulate_design(
                    design, image_set, calibration, report, stall_seed=stall_seed, waves=path
                ),
            )
        else:
            result = simulate_design(design, image_set, calibration, report, stall_seed=stall_seed)
    if output_file is not None:
        save_arrays(output_file, y=result.outputs, cycles=result.cycles)
    return result


def simulate_design(
    design: Design,
    images: ImageSet,
    calibration: Calibration,
    report: Report,
    *,
    stall_seed: int | None = None,
    waves: Path | None = None,
) -> SimulationResult:
    """Build and run a design in RTL and compare it with the reference and the model."""
    report("building", 0, 1)

    def progress(state: Progress) -> None:
        report("building", 1, 1)
        report("images in RTL", state.images_done, state.images)

    return simulate(
        design,
        inputs=images.x,
        labels=images.y,
        stalls=stall_seed,
        waves=waves,
        progress=progress,
        calibration=calibration,
    )


def print_simulation(result: SimulationResult, *, as_json: bool = False) -> int:
    """Print a result; return the number of differences from the reference and the model."""
    differences = result.mismatched_activations + result.mismatched_cycles
    if as_json:
        print(json.dumps(result.to_json(), indent=1))
        return differences
    console = Console()
    console.print(layer_table(result))
    if result.accuracy is not None:
        console.print(f"accuracy {result.accuracy:.4f} in RTL, {result.golden_accuracy:.4f} golden")
    console.print(
        f"{result.images} images: {result.mismatched_activations} activations and "
        f"{result.mismatched_cycles} cycle counts differ",
        style="red" if differences else "green",
    )
    return differences


def layer_table(result: SimulationResult) -> Table:
    """Predicted and measured cycles of every layer, and from doorbell to done."""
    title = f"{result.simulator} {result.simulator_version}, one image"
    if result.stall_seed is not None:
        title += f", random stalls of seed {result.stall_seed}"
    table = Table(title=title)
    for name in ("layer", "kind"):
        table.add_column(name, no_wrap=True)
    for name in ("MACs", "predicted", "measured", "utilization"):
        table.add_column(name, justify="right")
    for layer in result.layers:
        share = f"{100 * layer.utilization:.1f} %" if layer.macs else ""
        cycles = (f"{layer.predicted_cycles:,}", f"{layer.measured_cycles:,}")
        table.add_row(layer.name, layer.kind, f"{layer.macs:,}", *cycles, share)
    table.add_section()
    macs = f"{sum(layer.macs for layer in result.layers):,}"
    total = (f"{result.predicted_cycles:,}", f"{result.measured_cycles:,}")
    table.add_row("total", "", macs, *total, "")
    return table


def _with_waves(path: Path, run: Callable[[Path], SimulationResult]) -> SimulationResult:
    """Run with a temporary waveform file that takes its name when it is complete."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    temporary = Path(name)
    try:
        result = run(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return result
