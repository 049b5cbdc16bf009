"""A design in a system on a chip: written, simulated, and its classes compared with the reference."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosilico import __version__
from cosilico.accelerators import accelerator_argument
from cosilico.folder import Contents, stage_folder
from cosilico.images import ImageSet, images_for
from cosilico.inputs import input_files
from cosilico.progress import Report, progress_bar
from hwgen import verilog_files
from hwgen.driver.program_data import program_of
from hwgen.soc.bitstream import BOARD_PROGRAMS, Implementation, implement
from hwgen.soc.boards import BOARDS, Board
from hwgen.soc.compiler import riscv_compiler
from hwgen.soc.files import SystemFiles, write_system
from hwgen.soc.serial import FRAME_BITS
from hwgen.soc.system_map import SystemConfig, check_rates
from hwgen.synthesis.nextpnr import fpga_command
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.files import cache_root, write_atomic
from sim.spec.network import TensorSpec
from sim.timing import calibration as calibrations
from testbench.soc.classes import Classified, compare_classes, read_classes
from testbench.soc.run import SystemRun, run_system

__all__ = [
    "CLOCK_HZ",
    "SERIAL_FILE",
    "SystemResult",
    "make_system",
    "require_board",
    "system_argument",
]

SERIAL_FILE = "serial.txt"
"""Text that the serial line carried."""

_SETTING_UP_CYCLES = 2_000_000
_CYCLES_PER_BYTE = 500
_CYCLES_PER_IMAGE = 1_000_000
"""Generous bounds of what firmware takes: to begin, to copy, move or print a byte, and between images."""

_SLOWDOWN = 50
"""A generous bound of how much longer a run takes in a memory that the processor shares than is predicted."""

_LINE_BYTES = 64
_VALUE_BYTES = len(" -128")
"""Most bytes of an image's line before its values, and of a value."""

CLOCK_HZ = 25_000_000
"""Clock of a system for no board."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SystemResult:
    """Classes that the firmware of a system printed.

    Parameters
    ----------
    config : SystemConfig
    firmware_bytes : int
        Of read-only memory that the firmware takes.
    run : SystemRun
    classified : tuple of Classified
    labels : int64[N], optional
        True classes, where they are known.
    differences : tuple of str
        Lines that say what differs from the integer reference.
    implementation : Implementation, optional
        The system on a board, if a board was named and nothing differs.
    """

    config: SystemConfig
    firmware_bytes: int
    run: SystemRun
    classified: tuple[Classified, ...]
    labels: NDArray[np.int64] | None
    differences: tuple[str, ...]
    implementation: Implementation | None = None

    @property
    def too_slow(self) -> bool:
        """Whether a board was asked for, and its clock is not reached."""
        return self.implementation is not None and not self.implementation.timing_met

    @property
    def right(self) -> int | None:
        """Images whose class is their label, None where no labels are known."""
        if self.labels is None:
            return None
        pairs = zip(self.classified, self.labels.tolist(), strict=True)
        return sum(1 for image, label in pairs if image.label == label)

    @property
    def lines(self) -> Iterator[str]:
        """Lines for people: the system, its images, and what differs."""
        config = self.config
        yield (
            f"PicoRV32 at {config.clock_hz / 1e6:g} MHz, {config.rom_bytes // 1024} KiB of read-only memory "
            f"({self.firmware_bytes:,} bytes of firmware), {config.ram_bytes // 1024} KiB shared with accelerator "
            f"{config.accelerator.fingerprint:08x}"
        )
        labels = [None] * len(self.classified) if self.labels is None else self.labels.tolist()
        for image, label in zip(self.classified, labels, strict=True):
            true = "" if label is None else f" (label {label})"
            yield f"image {image.image}: class {image.label}{true}, {image.cycles:,} cycles"
        yield from self.differences
        verdict = "differ from" if self.differences else "equal"
        right = "" if self.right is None else f"; {self.right} are the labels"
        yield (
            f"{len(self.classified)} classes and their outputs {verdict} the reference{right}; "
            f"{self.run.cycles:,} cycles of the system"
        )
        if self.implementation is not None:
            yield from _implementation_lines(self.implementation)


def system_argument(
    path: Path,
    out: Path,
    *,
    accelerator: str | None,
    input_file: Path | None,
    count: int,
    clock_hz: int | None,
    baud: int,
    board: str | None,
    seed: int,
    force: bool,
) -> SystemResult:
    """Make a system of a design file in a folder, run it, compare, and make a bitstream where a board is named.

    Parameters
    ----------
    path : Path
        A design file; ``test.npz`` beside it has images, else they are random.
    out : Path
    accelerator : str, optional
        See :func:`cosilico.accelerators.accelerator_argument`; the design's own if not given.
    input_file : Path, optional
        npz file of images instead.
    count : int
        Images that the firmware classifies.
    clock_hz : int, optional
        Of the whole system; the board's if not given.
    baud : int
        See :class:`hwgen.soc.system_map.SystemConfig`.
    board : str, optional
        Name of a board.
    seed : int
        Of placement.
    force : bool
        Replace what an earlier call made in ``out``.

    Raises
    ------
    CosilicoError
        If a file is wrong, a rate cannot be had, ``out`` is not such a folder, or the board does not hold the system.
    MachineError
        If a compiler is not there, or the system cannot be simulated.
    """
    target = _named_board(board)
    if clock_hz is None:
        clock_hz = CLOCK_HZ if target is None else target.clock_hz
    if target is not None and clock_hz != target.clock_hz:
        raise CosilicoError(
            f"--clock-mhz must be that of {target.name}, {target.clock_hz / 1e6:g}, not {clock_hz / 1e6:g}"
        )
    try:
        check_rates(clock_hz, baud)
    except ValueError as error:
        raise CosilicoError(str(error)) from None
    design = load(path)
    if accelerator is not None:
        chosen = accelerator_argument(accelerator)
        design = Design(network=design.network, accelerator=chosen)
    images = images_for(path, design.network, input_file, count)
    with progress_bar() as progress:
        return make_system(
            design,
            images,
            out,
            inputs=input_files(str(path), accelerator, input_file),
            clock_hz=clock_hz,
            baud=baud,
            board=target,
            seed=seed,
            force=force,
            progress=progress,
        )


def make_system(
    design: Design,
    images: ImageSet,
    out: Path,
    *,
    inputs: Sequence[Path],
    clock_hz: int,
    baud: int,
    board: Board | None,
    seed: int,
    force: bool,
    progress: Report,
) -> SystemResult:
    """Make a system of a design in a folder, run it, compare, and make a bitstream where a board is named.

    Parameters
    ----------
    design : Design
    images : ImageSet
        What the firmware classifies.
    out : Path
    inputs : sequence of Path
        Files that were read, which must not be replaced.
    clock_hz, baud, seed, force
        As of :func:`system_argument`; the rates are checked already.
    board : Board, optional
    progress : callable
        Called with the name of a step of the board's tools, how much of it is done and how much there is.
    """
    contents = Contents(command="soc", identity={"network": design.network.name}, files=())
    with stage_folder(out, contents, inputs=inputs, force=force) as staging:
        mapped = map_realizable(design.accelerator, design.network, 1)
        files = _write(staging, mapped, images, clock_hz=clock_hz, baud=baud)
        patience = _patience(files, mapped, len(images.x))
        run = run_system(files, cache=cache_root(), cycles=patience)
        write_atomic(staging / SERIAL_FILE, run.text)
        classified = _classified(run, files)
        differences = tuple(compare_classes(classified, design.network, images.x))
        implementation = None
        if board is not None and not differences:
            implementation = implement(files, board, seed=seed, progress=progress)
    return SystemResult(
        config=files.config,
        firmware_bytes=files.firmware_bytes,
        run=run,
        classified=tuple(classified),
        labels=images.y,
        differences=differences,
        implementation=implementation,
    )


def _named_board(name: str | None) -> Board | None:
    if name is not None and name not in BOARDS:
        raise CosilicoError(f"--board must be {' or '.join(BOARDS)}, not {name!r}")
    return None if name is None else require_board(BOARDS[name])


def require_board(board: Board) -> Board:
    """Return a board, and see to it that its programs are there before anything is built.

    Raises
    ------
    MachineError
        If a program is missing.
    """
    for program in BOARD_PROGRAMS:
        fpga_command(program)
    return board


def _implementation_lines(implementation: Implementation) -> Iterator[str]:
    """Lines for people: what the board holds, how fast it could be, and whether that is enough."""
    board = implementation.board
    taken = ", ".join(
        f"{used:,} of {there:,} {name}" for name, (used, there) in implementation.used.items()
    )
    yield f"{board.title}: {taken}"
    met = "met" if implementation.timing_met else "missed"
    yield (
        f"{implementation.route.clock_mhz:.1f} MHz are reached; the clock of {board.clock_hz / 1e6:g} MHz is {met}"
        f" ({implementation.tool})"
    )


def _write(
    folder: Path, mapped: Mapped, images: ImageSet, *, clock_hz: int, baud: int
) -> SystemFiles:
    """Write the system into a folder."""
    compiler = riscv_compiler()  # before all that takes longer
    return write_system(
        folder,
        mapped.config,
        verilog_files.generate(mapped.config, version=__version__),
        program_of(mapped),
        images.x,
        compiler=compiler,
        clock_hz=clock_hz,
        baud=baud,
    )


def _patience(files: SystemFiles, mapped: Mapped, images: int) -> int:
    """Cycles after which a system that has not stopped will not."""
    network = mapped.source
    results = [network.tensors[name] for name in network.outputs]
    moved = sum(_bytes(tensor, mapped.config) for tensor in (*network.inputs, *results))
    printed = _LINE_BYTES + _VALUE_BYTES * sum(math.prod(tensor.shape) for tensor in results)
    predicted = predict_mapped(mapped, calibrations.default(), cold=True).total_cycles
    per_image = (
        _CYCLES_PER_IMAGE
        + _CYCLES_PER_BYTE * (moved + printed)
        + FRAME_BITS * files.config.bit_cycles * printed
        + _SLOWDOWN * predicted
    )
    return _SETTING_UP_CYCLES + _CYCLES_PER_BYTE * files.firmware_bytes + per_image * images


def _bytes(tensor: TensorSpec, config: AcceleratorConfig) -> int:
    """Most bytes that a tensor takes in memory, gaps of concatenations aside."""
    groups = -(-tensor.channels // config.vector_bytes)
    pixel_bytes = max(config.vector_bytes, config.bus_bytes)
    return tensor.height * tensor.width * groups * pixel_bytes


def _classified(run: SystemRun, files: SystemFiles) -> list[Classified]:
    """Read what was printed, if the firmware came to its end."""
    if not run.ended:
        last = run.text.strip().splitlines()[-1:] or ["nothing"]
        raise MachineError(
            f"firmware must come to its end, not stop after {run.cycles} cycles with {last[0]!r}"
        )
    try:
        return read_classes(run.text, files.config.accelerator.fingerprint)
    except ValueError as error:
        raise MachineError(f"serial line: {error}") from None
