"""Running a network on an accelerator in RTL from the command line."""

import os
from pathlib import Path

from cosilico.accelerators import accelerator_argument
from cosilico.folder import check_apart, check_file
from cosilico.gateware import current_calibration
from cosilico.images import ImageSet, images_for, load_images, require_memory, save_arrays
from cosilico.imports import imported_images, is_imported, load_imported, save_outputs
from cosilico.inputs import input_files
from cosilico.networks import is_named
from cosilico.photographs import default_images, load_photograph, photograph_input
from cosilico.progress import Report, progress_bar
from cosilico.wave_files import WaveOptions
from sim.model import predict_mapped
from sim.networks.named import named_network
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, FixedLatency, MemorySystem
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from sim.timing.calibration import Calibration
from testbench.rtl.harness import Progress
from testbench.rtl.wave_window import WaveSelection
from testbench.validation.simulate import require_stream, require_window, simulate
from testbench.validation.simulation_result import SimulationResult

__all__ = ["parse_stalls", "simulate_argument", "simulate_design"]


def simulate_argument(
    network: str,
    *,
    accelerator: str | None = None,
    view: View = View.SIMULATION,
    engine: Engine = Engine.VERILATOR,
    seed: int = 0,
    images: int | None = None,
    batch: int = 1,
    input_file: Path | None = None,
    photograph: Path | None = None,
    output_file: Path | None = None,
    memory: MemorySystem = DETERMINISTIC,
    stalls: tuple[int, ...] = (),
    waves: WaveOptions | None = None,
    json_file: Path | None = None,
    trace_file: Path | None = None,
    calibration_file: Path | None = None,
    stream: bool = False,
    jobs: int | None = None,
) -> tuple[Design, Mapped, list[SimulationResult]]:
    """Run a design file or a named network; write the outputs and waveforms if asked for.

    Returns the design, its plan, and the results of its runs.

    Parameters
    ----------
    network : str
        A design file, or a named network or the folder of an imported network, which both
        need ``accelerator``.
    accelerator : str, optional
        See :func:`cosilico.accelerators.accelerator_argument`; the design's own if not given.
    view : View
        Of the datapath.
    engine : Engine
        Bench around the accelerator.
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
    memory : MemorySystem
        What lies behind the ports.
    stalls : tuple of int
        One run per seed, under random stalls of the deterministic memory; without any, one run.
    waves : WaveOptions, optional
        Waveforms to write of the first run, beside a design file, in an imported network's folder
        or in the present folder.
    json_file : Path, optional
        Where the caller will write figures: it is checked before anything runs.
    trace_file : Path, optional
        Where the caller will write a trace; checked here.
    calibration_file : Path, optional
    stream : bool
        Run the images as a stream, too.
    jobs : int, optional
        Processes; without it as many as there are processors.

    Raises
    ------
    CosilicoError
        If a file is wrong, the pair is not realizable or the calibration is stale.
    """
    if stalls and not isinstance(memory, FixedLatency):
        raise CosilicoError(
            f"simulate must be given either --stalls or --memory {memory}, not both"
        )
    named = is_named(network)
    imported = load_imported(network) if is_imported(network) else None
    folder = Path() if named else Path(network) if imported else Path(network).parent
    inputs = input_files(network, accelerator, input_file, photograph, calibration_file)
    if output_file is not None:
        check_file(output_file, "--output", inputs)
    if json_file is not None:
        check_file(json_file, "--json", inputs)
        check_apart(json_file, output_file, "--output")
    if trace_file is not None:
        check_file(
            trace_file, "--trace", [*inputs, *(path for path in (output_file, json_file) if path)]
        )
    if waves is not None:
        waves.check(folder)
    calibration = current_calibration(calibration_file)
    if imported is not None:
        given = _required_accelerator(network, accelerator)
        design = Design(network=imported.network, accelerator=given)
    else:
        design = _design(network, named, accelerator, seed)
    mapped = map_realizable(design.accelerator, design.network, batch)
    if stream:
        require_stream(mapped, engine)
    if input_file is not None and photograph is not None:
        raise CosilicoError("simulate must be given either --input or --image, not both")
    if imported is not None:
        if photograph is not None:
            raise CosilicoError("an imported network must be given --input, not --image")
        image_set = imported_images(imported, folder, input_file, images)
    elif photograph is not None and design.network.further_inputs:
        count = len(design.network.inputs)
        raise CosilicoError(f"--image must be for a network of one input, not of {count}")
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
    if waves is not None:
        require_window(mapped, engine, waves.format, waves.selection)
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
                    wave_format=waves.format if waves else WaveFormat.VCD,
                    selection=waves.selection if waves and path else None,
                    view=view,
                    engine=engine,
                    batch=batch,
                    mapped=mapped,
                    stream=stream,
                    jobs=jobs,
                )

            first = waves if index == 0 else None
            results.append(run(None) if first is None else first.write(folder, run))
    if output_file is not None and imported is not None:
        save_outputs(output_file, imported, results[-1])
    elif output_file is not None:
        further = dict(list(results[-1].named_outputs.items())[1:])
        save_arrays(
            output_file,
            y=results[-1].outputs,
            **{f"y.{name}": values for name, values in further.items()},
            cycles=results[-1].cycles,
        )
    return design, mapped, results


def simulate_design(
    design: Design,
    images: ImageSet,
    calibration: Calibration,
    report: Report,
    *,
    memory: MemorySystem = DETERMINISTIC,
    stall_seed: int | None = None,
    waves: Path | None = None,
    wave_format: WaveFormat = WaveFormat.VCD,
    selection: WaveSelection | None = None,
    view: View = View.SIMULATION,
    engine: Engine = Engine.VERILATOR,
    batch: int = 1,
    mapped: Mapped | None = None,
    stream: bool = False,
    jobs: int | None = None,
) -> SimulationResult:
    """Build and run a design in RTL and compare it with the reference and the model.

    The parameters are those of :func:`testbench.validation.simulate.simulate`; without ``jobs`` there are as many processes as
    processors.
    """
    if mapped is None:
        mapped = map_realizable(design.accelerator, design.network, batch)
    expected = predict_mapped(mapped, calibration, memory=memory).total_cycles
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
        wave_format=wave_format,
        selection=selection,
        progress=progress,
        calibration=calibration,
        view=view,
        engine=engine,
        mapped=mapped,
        stream=stream,
        jobs=jobs or len(os.sched_getaffinity(0)),
    )


def parse_stalls(text: str | None) -> tuple[int, ...]:
    """Seeds of ``--stalls``: numbers with commas between them.

    Raises
    ------
    CosilicoError
        If a seed is not a number of 0 or more.
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
