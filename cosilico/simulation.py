"""Running a network on an accelerator in RTL from the command line."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from cosilico.accelerators import accelerator_argument
from cosilico.gateware import current_calibration
from cosilico.images import ImageSet, images_for, load_images, require_memory, save_arrays
from cosilico.imports import imported_images, is_imported, load_imported, save_outputs
from cosilico.networks import is_named
from cosilico.photographs import default_images, load_photograph, photograph_input
from cosilico.progress import Report, progress_bar
from sim.calibration import Calibration
from sim.model import Memory, predict
from sim.networks import named_network
from sim.realizability import require
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load
from sim.spec.errors import CosilicoError
from testbench.harness import Progress
from testbench.simulate import SimulationResult, simulate

__all__ = ["parse_stalls", "simulate_argument", "simulate_design"]


def simulate_argument(
    network: str,
    *,
    accelerator: str | None = None,
    view: str = "simulation",
    seed: int = 0,
    images: int | None = None,
    batch: int = 1,
    input_file: Path | None = None,
    photograph: Path | None = None,
    output_file: Path | None = None,
    memory: Memory = Memory.DETERMINISTIC,
    stalls: tuple[int, ...] = (),
    waves: bool = False,
    calibration_file: Path | None = None,
) -> tuple[Design, list[SimulationResult]]:
    """Run a design file or a named network; write the outputs and ``waves.vcd`` if asked for.

    Parameters
    ----------
    network : str
        A design file, or the name of a network or folder of an imported one, which then need
        ``accelerator``.
    accelerator : str, optional
        See :func:`cosilico.accelerators.accelerator_argument`; the design's own if not given.
    view : str
        Of the datapath: "synthesis" or "simulation".
    seed : int
        Of a named network's weights.
    images : int, optional
        How many, of those that there are.
    batch : int
        Images per program.
    input_file : Path, optional
        npz file of images; for an imported network in its model's own type and layout.
    photograph : Path, optional
        Picture to run instead. A named network runs :func:`cosilico.photographs.default_images` by
        default.
    output_file : Path, optional
        npz file for outputs and cycles of the last run (see :func:`cosilico.imports.save_outputs`).
    memory : Memory
        What lies behind the ports.
    stalls : tuple of int
        One run per seed, under random stalls of the deterministic memory; without any, one run.
    waves : bool
        Write ``waves.vcd`` of the first run, beside a design file, in an imported network's folder
        or in the present one.
    calibration_file : Path, optional

    Raises
    ------
    CosilicoError
        If a file is wrong, the pair is not realizable or the calibration is stale.
    """
    if stalls and memory is not Memory.DETERMINISTIC:
        raise CosilicoError(
            f"simulate must be given either --stalls or --memory {memory}, not both"
        )
    named = is_named(network)
    imported = load_imported(network) if is_imported(network) else None
    folder = Path() if named else Path(network) if imported else Path(network).parent
    if imported is not None:
        given = _required_accelerator(network, accelerator)
        design = Design(network=imported.network, accelerator=given)
    else:
        design = _design(network, named, accelerator, seed)
    require(design.accelerator, design.network, batch)
    if input_file is not None and photograph is not None:
        raise CosilicoError("simulate must be given either --input or --image, not both")
    if imported is not None:
        if photograph is not None:
            raise CosilicoError("an imported network must be given --input, not --image")
        image_set = imported_images(imported, folder, input_file, images)
    elif photograph is not None:
        pixels = load_photograph(photograph)
        image_set = ImageSet(photograph_input(pixels, design.network.input)).first(images)
    elif named and input_file is None:
        image_set = default_images(design.network.input).first(images)
    elif named:
        assert input_file is not None
        image_set = load_images(input_file, design.network).first(images)
    else:
        image_set = images_for(Path(network), design.network, input_file, images)
    require_memory(design.network, len(image_set.x))
    calibration = current_calibration(calibration_file)
    results = []
    with progress_bar() as report:
        for index, stall_seed in enumerate(stalls or (None,)):

            def run(path: Path | None, stall_seed: int | None = stall_seed) -> SimulationResult:
                return simulate_design(
                    design,
                    image_set,
                    calibration,
                    report,
                    memory=memory,
                    stall_seed=stall_seed,
                    waves=path,
                    view=view,
                    batch=batch,
                )

            first_waves = waves and index == 0
            results.append(_with_waves(folder / "waves.vcd", run) if first_waves else run(None))
    if output_file is not None and imported is not None:
        save_outputs(output_file, imported, results[-1])
    elif output_file is not None:
        save_arrays(output_file, y=results[-1].outputs, cycles=results[-1].cycles)
    return design, results


def simulate_design(
    design: Design,
    images: ImageSet,
    calibration: Calibration,
    report: Report,
    *,
    memory: Memory = Memory.DETERMINISTIC,
    stall_seed: int | None = None,
    waves: Path | None = None,
    view: str = "simulation",
    batch: int = 1,
) -> SimulationResult:
    """Build and run a design in RTL and compare it with the reference and the model."""
    prediction = predict(
        design.accelerator, design.network, calibration, images=batch, memory=memory
    )
    expected = prediction.total_cycles
    step = "cycles in RTL" if stall_seed is None else f"cycles in RTL, stalls {stall_seed}"
    report("building", 0, 1)

    def progress(state: Progress) -> None:
        report("building", 1, 1)
        # Stalls and register accesses come on top of what is expected.
        total = max(state.cycles, expected * state.runs)
        report(step, total if state.runs_done == state.runs else state.cycles, total)

    return simulate(
        design,
        batch=batch,
        inputs=images.x,
        labels=images.y,
        memory=memory,
        stalls=stall_seed,
        waves=waves,
        progress=progress,
        calibration=calibration,
        view=view,
    )


def parse_stalls(text: str | None) -> tuple[int, ...]:
    """Seeds of ``--stalls``: numbers with commas between them.

    Raises
    ------
    CosilicoError
        If one is not a number of 0 or more.
    """
    words = [] if text is None else text.split(",")
    for word in words:
        if not (word.isascii() and word.isdigit()):
            raise CosilicoError(f"stalls must be seeds of 0 or more, as in 1,2,3, not {text!r}")
    return tuple(map(int, words))


def _design(network: str, named: bool, accelerator: str | None, seed: int) -> Design:
    if named:
        config = _required_accelerator(network, accelerator)
        return Design(network=named_network(network, seed), accelerator=config)
    design = load(Path(network))
    if accelerator is None:
        return design
    return Design(network=design.network, accelerator=accelerator_argument(accelerator))


def _required_accelerator(network: str, accelerator: str | None) -> AcceleratorConfig:
    if accelerator is None:
        raise CosilicoError(f"network {network!r} must be given an --accelerator")
    return accelerator_argument(accelerator)


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
