"""Firmware of a system: the driver, a network's program, images, and what prints their classes."""

import math
from importlib import resources
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray

from hwgen.driver.program_data import DriverProgram, program_source
from hwgen.driver.sources import driver_sources
from hwgen.soc.compiler import Compiler, compile_firmware
from hwgen.soc.elf import stored_bytes
from hwgen.soc.system_map import (
    INTERRUPT,
    RAM_BASE,
    REGION_BITS,
    REGISTERS_BASE,
    ROM_BASE,
    SERIAL_BASE,
    power_of_two,
)
from hwgen.verilog_files import OWNERSHIP
from sim.spec.bus import PAGE_BYTES

__all__ = ["EXECUTABLE", "build_firmware", "firmware_sources", "ram_bytes"]

EXECUTABLE = "firmware.elf"

STACK_BYTES = 2048
"""For the deepest calls: the driver's, and a network's outputs."""

_DATA_BYTES = PAGE_BYTES
"""Room for the stack, outputs, and whatever a compiler keeps in writable memory."""

_LINKER_SCRIPT = "link.ld"
_TEMPLATES = ("main.c", "start.S", "system.h", _LINKER_SCRIPT)


def ram_bytes(described: DriverProgram) -> int:
    """Return the size of the shared memory that firmware with a program needs: a power of two."""
    needed = -(-described.program.memory_bytes // PAGE_BYTES) * PAGE_BYTES
    return power_of_two(needed + _outputs(described) + _DATA_BYTES)


def firmware_sources(described: DriverProgram, images: NDArray[np.int8]) -> dict[str, str]:
    """Return the firmware's sources by name.

    Parameters
    ----------
    described : DriverProgram
        Of a single image.
    images : int8[N, height, width, channels]
        What it classifies, an image at least; of several inputs int8[N, values].

    Raises
    ------
    ValueError
        If the program computes several images at once, or the images are not its input's.
    """
    places = list(described.program.inputs.places.values())
    values = sum(math.prod(place.shape) for place in places)
    shape = places[0].shape if len(places) == 1 else (values,)
    if described.program.images != 1:
        raise ValueError(f"program must compute 1 image, not {described.program.images}")
    if images.dtype != np.int8 or images.shape[1:] != shape or not len(images):
        raise ValueError(
            f"images must be int8 of shape (N, {', '.join(map(str, shape))}), "
            f"not {images.dtype} of shape {images.shape}"
        )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    folder = resources.files("hwgen.soc") / "templates"
    fields = {
        "ownership": OWNERSHIP,
        "rom_base": ROM_BASE,
        "most_rom_bytes": 1 << REGION_BITS,
        "ram_base": RAM_BASE,
        "ram_bytes": ram_bytes(described),
        "serial_base": SERIAL_BASE,
        "registers_base": REGISTERS_BASE,
        "interrupt": INTERRUPT,
        "page_bytes": PAGE_BYTES,
        "stack_bytes": STACK_BYTES + _outputs(described),
        "memory_bytes": described.program.memory_bytes,
        "outputs": _outputs(described),
        "classes": math.prod(described.program.output.shape),
        "count": len(images),
        "image_bytes": math.prod(shape),
    }
    return {
        **driver_sources(),
        **program_source(described),
        "images.c": _images(images),
        **{
            name: environment.from_string(
                (folder / f"{name}.j2").read_text(encoding="utf-8")
            ).render(fields)
            for name in _TEMPLATES
        },
    }


def build_firmware(folder: Path, compiler: Compiler) -> bytes:
    """Compile the sources in a folder into :data:`EXECUTABLE` there; return the read-only memory's content.

    Raises
    ------
    CompilerError
        If the compiler refuses them.
    """
    sources = sorted(path for path in folder.iterdir() if path.suffix in {".c", ".S"})
    target = folder / EXECUTABLE
    compile_firmware(compiler, sources, folder / _LINKER_SCRIPT, target)
    return stored_bytes(target.read_bytes(), ROM_BASE, ROM_BASE + (1 << REGION_BITS))


def _outputs(described: DriverProgram) -> int:
    return sum(math.prod(place.shape) for place in described.program.outputs.places.values())


def _images(images: NDArray[np.int8]) -> str:
    """Return the images as data of C."""
    rows = "".join(
        f"    {{{', '.join(map(str, image.reshape(-1).tolist()))}}},\n" for image in images
    )
    return (
        f"/* {OWNERSHIP} */\n\n"
        '#include "system.h"\n\n'
        f"const int8_t system_images[SYSTEM_IMAGES][SYSTEM_IMAGE_BYTES] = {{\n{rows}}};\n"
    )
