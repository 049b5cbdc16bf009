"""A system as a bitstream for a board: Yosys, nextpnr and ecppack."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen import yosys
from hwgen.gateware_hash import gateware_hash
from hwgen.soc.boards import Board
from hwgen.soc.files import FIRMWARE_HEX, SystemFiles
from hwgen.synthesis.nextpnr import Nextpnr, Route, fpga_command, run_fpga_program
from hwgen.synthesis.routing import RESOURCES
from sim.spec.errors import CosilicoError
from sim.spec.files import temporary_folder, write_atomic

__all__ = [
    "BITSTREAM",
    "BOARD_FOLDER",
    "BOARD_PROGRAMS",
    "IMPLEMENTATION",
    "Implementation",
    "implement",
]

BOARD_FOLDER = "board"
BITSTREAM = "system.bit"
BOARD_PROGRAMS = ("nextpnr-ecp5", "ecppack")
"""Programs that a bitstream takes, besides Yosys."""

IMPLEMENTATION = "implementation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """A system that has been placed and routed for a board.

    Parameters
    ----------
    board : Board
    tool : str
        Router, name and version.
    seed : int
        Of placement.
    route : Route
        Slowest path between registers, and resources.
    """

    board: Board
    tool: str
    seed: int
    route: Route

    @property
    def timing_met(self) -> bool:
        """Whether every path is fast enough for the board's clock."""
        return self.route.clock_mhz * 1e6 >= self.board.clock_hz

    @property
    def used(self) -> Mapping[str, tuple[int, int]]:
        """Resources that are taken, and how many there are, by the names of people."""
        return {
            name: (self.route.used.get(kind, 0), there) for kind, (name, there) in RESOURCES.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {
            "board": self.board.title,
            "device": " ".join(self.board.device),
            "gateware_hash": gateware_hash(),
            "tool": self.tool,
            "seed": self.seed,
            "clock_mhz": self.board.clock_hz / 1e6,
            "reached_mhz": round(self.route.clock_mhz, 2),
            "timing_met": self.timing_met,
            "slowest_path": list(self.route.path),
            "used": {name: list(amounts) for name, amounts in self.used.items()},
        }


def implement(
    files: SystemFiles,
    board: Board,
    *,
    seed: int = 1,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Implementation:
    """Synthesize, place and route a system, and write the bitstream into its folder ``board``.

    Firmware is in the bitstream: the board runs it when it has been loaded.

    Parameters
    ----------
    files : SystemFiles
        Of the board's clock.
    board : Board
    seed : int
        Of placement.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    ValueError
        If the system has another clock than the board.
    CosilicoError
        If nextpnr or ecppack is not there, or cannot place it: in its own words.
    """
    if files.config.clock_hz != board.clock_hz:
        raise ValueError(
            f"clock_hz must be that of the board, {board.clock_hz}, not {files.config.clock_hz}"
        )
    router, pack = Nextpnr.installed(), fpga_command(BOARD_PROGRAMS[1])
    folder = files.folder / BOARD_FOLDER
    folder.mkdir()
    sources, constraints = f"{board.name}.v", f"{board.name}.lpf"
    write_atomic(folder / sources, board.verilog)
    write_atomic(folder / constraints, board.constraints)
    with temporary_folder() as work:
        progress("synthesis", 0, 1)
        _synthesize(files, board, work)
        progress("synthesis", 1, 1)
        progress("placement and routing", 0, 1)
        (work / constraints).write_text(board.constraints, encoding="utf-8")
        # A third of the time that the other router takes
        placed = (
            *("--router", "router2", "--seed", str(seed)),
            *("--lpf", constraints, "--textcfg", "system.config"),
        )
        route = router.place(work / "netlist.json", (*board.device, *placed))
        progress("placement and routing", 1, 1)
        packed = ("--compress", "--input", "system.config", "--bit", BITSTREAM)
        run_fpga_program(pack, packed, folder=work)
        write_atomic(folder / BITSTREAM, (work / BITSTREAM).read_bytes())
    implementation = Implementation(board=board, tool=router.identity, seed=seed, route=route)
    text = json.dumps(implementation.to_json(), indent=2, ensure_ascii=False) + "\n"
    write_atomic(folder / IMPLEMENTATION, text)
    return implementation


def _synthesize(files: SystemFiles, board: Board, folder: Path) -> None:
    """Write the board's netlist into a folder; the firmware is in it."""
    firmware = files.folder / FIRMWARE_HEX
    text = files.text.replace(f'"{FIRMWARE_HEX}"', json.dumps(str(firmware.resolve())))
    if text == files.text:
        raise CosilicoError(f"the system must read {FIRMWARE_HEX}")
    (folder / "system.v").write_text(f"{text}\n{board.verilog}", encoding="utf-8")
    yosys.run(
        [
            f"read_verilog -defer {folder / 'system.v'}",
            f"synth_ecp5 -top {board.name} -json {folder / 'netlist.json'}",
        ]
    )
