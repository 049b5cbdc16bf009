"""A design in a system on a chip: written, simulated, and its classes compared with the reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosilico import __version__
from cosilico.accelerators import accelerator_argument
from cosilico.folder import Contents, stage_folder
from cosilico.generation import require_single_output
from cosilico.images import ImageSet, images_for
from cosilico.inputs import input_files
from hwgen import verilog_files
from hwgen.driver.program_data import program_of
from hwgen.soc.compiler import riscv_compiler
from hwgen.soc.files import SystemFiles, write_system
from hwgen.soc.system_map import SystemConfig, check_rates
from sim.realizability import map_realizable
from sim.spec.design import Design, load
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.files import cache_root, write_atomic
from testbench.soc.classes import Classified, compare_classes, read_classes
from testbench.soc.run import SystemRun, run_system

__all__ = ["SERIAL_FILE", "SystemResult", "system_argument"]

SERIAL_FILE = "serial.txt"
"""Text that the serial line carried."""

_SETTING_UP_CYCLES = 2_000_000
_CYCLES_PER_BYTE = 100
"""Generous bounds of what firmware takes: copying a program, and moving or printing a byte."""

_CYCLES_PER_IMAGE = 1_000_000


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
    """

    config: SystemConfig
    firmware_bytes: int
    run: SystemRun
    classified: tuple[Classified, ...]
    labels: NDArray[np.int64] | None
    differences: tuple[str, ...]

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


def system_argument(
    path: Path,
    out: Path,
    *,
    accelerator: str | None,
    input_file: Path | None,
    count: int,
    clock_hz: int,
    baud: int,
    force: bool,
) -> SystemResult:
    """Make a system of a design file in a folder, run it, and compare.

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
    clock_hz, baud : int
        See :class:`hwgen.soc.system_map.SystemConfig`.
    force : bool
        Replace what an earlier call made in ``out``.

    Raises
    ------
    CosilicoError
        If a file is wrong, a rate cannot be had, or ``out`` is not such a folder.
    MachineError
        If a compiler is not there, or the system cannot be simulated.
    """
    try:
        check_rates(clock_hz, baud)
    except ValueError as error:
        raise CosilicoError(str(error)) from None
    design = load(path)
    if accelerator is not None:
        chosen = accelerator_argument(accelerator)
        design = Design(network=design.network, accelerator=chosen)
    images = images_for(path, design.network, input_file, count)
    contents = Contents(command="soc", identity={"network": design.network.name}, files=())
    inputs = input_files(str(path), accelerator, input_file)
    with stage_folder(out, contents, inputs=inputs, force=force) as staging:
        files = _write(staging, design, images, clock_hz=clock_hz, baud=baud)
        run = run_system(files, cache=cache_root(), cycles=_patience(files, images))
        write_atomic(staging / SERIAL_FILE, run.text)
    classified = _classified(run, files)
    return SystemResult(
        config=files.config,
        firmware_bytes=files.firmware_bytes,
        run=run,
        classified=tuple(classified),
        labels=images.y,
        differences=tuple(compare_classes(classified, design.network, images.x)),
    )


def _write(
    folder: Path, design: Design, images: ImageSet, *, clock_hz: int, baud: int
) -> SystemFiles:
    """Write the system into a folder."""
    require_single_output(design.network, "a system")
    compiler = riscv_compiler()
    mapped = map_realizable(design.accelerator, design.network, 1)
    return write_system(
        folder,
        design.accelerator,
        verilog_files.generate(design.accelerator, version=__version__),
        program_of(mapped),
        images.x,
        compiler=compiler,
        clock_hz=clock_hz,
        baud=baud,
    )


def _patience(files: SystemFiles, images: ImageSet) -> int:
    """Cycles after which a system that has not stopped will not."""
    moved = files.firmware_bytes + images.x.size
    return (
        _SETTING_UP_CYCLES
        + _CYCLES_PER_BYTE * moved
        + (_CYCLES_PER_IMAGE + 1000 * files.config.bit_cycles) * len(images.x)
    )


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
