"""A system as a folder: Verilog of all parts, firmware with its sources, and a description."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.driver.program_data import DriverProgram
from hwgen.file_names import FILE_LIST
from hwgen.soc.compiler import Compiler
from hwgen.soc.elf import memory_words
from hwgen.soc.firmware import EXECUTABLE, build_firmware, firmware_sources, ram_bytes
from hwgen.soc.processor import PROCESSOR_FILE, processor_source
from hwgen.soc.system_map import (
    RAM_BASE,
    REGISTERS_BASE,
    ROM_BASE,
    SERIAL_BASE,
    SystemConfig,
    power_of_two,
)
from hwgen.soc.verilog import SYSTEM_MODULE, system_verilog
from hwgen.verilog_files import OWNERSHIP, GeneratedVerilog
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic

__all__ = ["FIRMWARE_HEX", "RTL_FOLDER", "SYSTEM_FILE", "SystemFiles", "write_system"]

RTL_FOLDER = "rtl"
FIRMWARE_FOLDER = "firmware"
FIRMWARE_HEX = "firmware.hex"
"""File that the read-only memory reads, from the folder in which a simulator or synthesis runs."""

SYSTEM_FILE = "system.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFiles:
    """A system that has been written.

    Parameters
    ----------
    folder : Path
    config : SystemConfig
    verilog : tuple of Path
        Files in the order in which they can be read.
    firmware_bytes : int
        Of read-only memory that the firmware takes.
    """

    folder: Path
    config: SystemConfig
    verilog: tuple[Path, ...]
    firmware_bytes: int

    @property
    def text(self) -> str:
        """All Verilog as one text."""
        return "\n".join(path.read_text(encoding="utf-8") for path in self.verilog)


def write_system(
    folder: Path,
    accelerator: AcceleratorConfig,
    verilog: GeneratedVerilog,
    described: DriverProgram,
    images: NDArray[np.int8],
    *,
    compiler: Compiler,
    clock_hz: int,
    baud: int,
) -> SystemFiles:
    """Write a system whose firmware classifies images, and compile the firmware.

    Parameters
    ----------
    folder : Path
        Empty.
    accelerator : AcceleratorConfig
    verilog : GeneratedVerilog
        Of that accelerator, without ports ``trace_*``.
    described : DriverProgram
        Of a single image, for that accelerator.
    images : int8[N, height, width, channels]
    compiler : Compiler
    clock_hz, baud : int
        See :class:`~hwgen.soc.system_map.SystemConfig`.

    Raises
    ------
    ValueError
        If the program, the images or a rate cannot be.
    MachineError
        If the compiler refuses the firmware, or the processor is not installed.
    """
    sources = folder / FIRMWARE_FOLDER
    sources.mkdir(parents=True)
    for name, text in firmware_sources(described, images).items():
        write_atomic(sources / name, text)
    image = build_firmware(sources, compiler)
    write_atomic(folder / FIRMWARE_HEX, memory_words(image))
    config = SystemConfig(
        accelerator=accelerator,
        rom_bytes=power_of_two(len(image)),
        ram_bytes=ram_bytes(described),
        clock_hz=clock_hz,
        baud=baud,
    )
    texts = {name: verilog.files[name] for name in verilog.files[FILE_LIST].split()}
    texts |= {PROCESSOR_FILE: processor_source(), **system_verilog(config)}
    (folder / RTL_FOLDER).mkdir()
    for name, text in texts.items():
        write_atomic(folder / RTL_FOLDER / name, text)
    write_atomic(folder / RTL_FOLDER / FILE_LIST, "".join(f"{name}\n" for name in texts))
    description = _description(config, described, len(images), len(image), compiler)
    write_atomic(folder / SYSTEM_FILE, json.dumps(description, indent=2) + "\n")
    return SystemFiles(
        folder=folder,
        config=config,
        verilog=tuple(folder / RTL_FOLDER / name for name in texts),
        firmware_bytes=len(image),
    )


def _description(
    config: SystemConfig,
    described: DriverProgram,
    images: int,
    firmware_bytes: int,
    compiler: Compiler,
) -> dict[str, Any]:
    return {
        "ownership": OWNERSHIP,
        "top": SYSTEM_MODULE,
        "processor": "PicoRV32, RV32IM",
        "compiler": compiler.name,
        "firmware": f"{FIRMWARE_FOLDER}/{EXECUTABLE}",
        "firmware_bytes": firmware_bytes,
        "network": described.name,
        "images": images,
        "fingerprint": config.accelerator.fingerprint,
        "clock_hz": config.clock_hz,
        "baud": config.baud,
        "bit_cycles": config.bit_cycles,
        "memories": {
            "rom": {"address": ROM_BASE, "bytes": config.rom_bytes},
            "ram": {"address": RAM_BASE, "bytes": config.ram_bytes},
        },
        "registers": REGISTERS_BASE,
        "serial": SERIAL_BASE,
    }
