"""Targets of synthesis: what Yosys does to a module for standard cells and for FPGAs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from hwgen.memory_modules import MemoryStyle
from hwgen.synthesis.liberty import Library, default_liberty
from sim.cost.sram import memory_cells
from sim.cost.sram_table import MemoryCells
from sim.spec.errors import CosilicoError

__all__ = ["Flow", "FpgaFamily", "FpgaFlow", "StandardCellFlow", "Target", "target_liberty"]

ABC_SCRIPT = "abc.script"
"""File beside a module's text with what abc is to do."""

_OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Where Debian's package ``qflow-tech-osu018`` puts its cells."""

_ABC = "strash; dch -f; map -B 0.9 -D {ps}; topo; buffer -c -N 8; upsize -D {ps}; dnsize -D {ps}"
"""Mapping for speed: passes that share more logic, as dc2, would undo the adders' parallel prefixes."""


class Target(StrEnum):
    """Cells that a design can be synthesized for."""

    NANGATE45 = "nangate45"
    """Nangate's open library of cells at 45 nm, typical corner, of the extra ``synthesis``."""
    OSU018 = "osu018"
    """Cells of Oklahoma State University for TSMC 0.18 µm, of Debian's ``qflow-tech-osu018``."""
    ECP5 = "ecp5"
    """Lattice's FPGAs, without placement."""
    XILINX = "xilinx"
    """Xilinx's FPGAs of the seventh series, without placement."""

    @property
    def feature_nm(self) -> int:
        """Feature size of the cells."""
        return 180 if self is Target.OSU018 else 45


class FpgaFamily(StrEnum):
    """Families of FPGAs that Yosys maps to."""

    ECP5 = "ecp5"
    XILINX = "xilinx"


class Flow(Protocol):
    """Way of a module from its text to its netlist."""

    @property
    def memories(self) -> MemoryStyle:
        """Memories of the emitted text."""

    @property
    def identity(self) -> str:
        """Digest of everything besides a module's text that decides its netlist."""

    @property
    def files(self) -> Mapping[str, str]:
        """Files that the commands read, by name."""

    def commands(self, module: str, folder: Path) -> list[str]:
        """Commands for an elaborated module with its files in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardCellFlow:
    """Mapping to standard cells for a clock; memories of many rows are macros, others flip-flops.

    Parameters
    ----------
    library : Library
    clock_mhz : float
        What the mapping aims at.
    feature_nm : float
        Of the library. Macros are those of 45 nm, times the square of the ratio in area, the ratio in time.
    """

    library: Library
    clock_mhz: float
    feature_nm: float = 45

    @property
    def memory_scale(self) -> float:
        """Length in the library's technology in that of the macros."""
        return self.feature_nm / 45

    @property
    def memory_cells(self) -> MemoryCells:
        """Transistors of the macros: those that leak least of which every macro holds the clock.

        Raises
        ------
        CosilicoError
            If none do.
        """
        try:
            return memory_cells(self.clock_mhz * self.memory_scale)
        except ValueError as error:
            raise CosilicoError(str(error)) from None

    @property
    def memories(self) -> MemoryStyle:
        """Macros stay out of the netlists."""
        return MemoryStyle.MACRO

    @property
    def identity(self) -> str:
        """Digest of the tool, the cells and the commands."""
        cells = hashlib.sha256(self.library.path.read_bytes()).hexdigest()
        return _digest(cells, *self.files.values(), *self._commands("", "", ""))

    @property
    def files(self) -> Mapping[str, str]:
        """Script of abc."""
        return {ABC_SCRIPT: _ABC.format(ps=round(1e6 / self.clock_mhz))}

    def commands(self, module: str, folder: Path) -> list[str]:
        """Return the commands for a module."""
        return self._commands(module, str(folder / ABC_SCRIPT), str(self.library.path))

    def _commands(self, module: str, script: str, liberty: str) -> list[str]:
        return [
            f"synth -top {module} -run coarse: -noabc -booth -extra-map +/choices/kogge-stone.v",
            f"dfflibmap -liberty {liberty}",
            f"abc -liberty {liberty} -script {script}",
            "opt_clean -purge",
            f"read_liberty -lib -ignore_miss_func {liberty}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaFlow:
    """Mapping to an FPGA's cells; memories are block RAM, distributed RAM or flip-flops, as Yosys chooses.

    Parameters
    ----------
    family : FpgaFamily
    """

    family: FpgaFamily

    @property
    def memories(self) -> MemoryStyle:
        """All memories are arrays."""
        return MemoryStyle.FPGA

    @property
    def identity(self) -> str:
        """Digest of the tool and the commands."""
        return _digest(*self.commands("", Path()))

    @property
    def files(self) -> Mapping[str, str]:
        """No files."""
        return {}

    def commands(self, module: str, folder: Path) -> list[str]:
        """Return the commands for a module, without pads and clock buffers."""
        del folder
        if self.family is FpgaFamily.ECP5:
            return [f"synth_ecp5 -top {module}"]
        return [f"synth_xilinx -family xc7 -noiopad -noclkbuf -top {module}"]


def target_liberty(target: Target) -> Path:
    """Liberty file of a target of standard cells, where it is installed.

    Raises
    ------
    CosilicoError
        If it is not.
    """
    if target is Target.OSU018:
        if not _OSU018.is_file():
            raise CosilicoError(
                f"target osu018 must have {_OSU018} of Debian's qflow-tech-osu018, or --liberty"
            )
        return _OSU018
    return default_liberty()


def _digest(*parts: str) -> str:
    text = "\0".join((f"pyosys {version('pyosys')}", *parts))
    return hashlib.sha256(text.encode()).hexdigest()
