"""CACTI: area, time and energy of memory macros, from the sources of an installed package."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from hwgen.subprocesses import run_program, start_program
from sim.cost.sram_table import Macro, MemoryCells, Wire
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.files import cache_root

__all__ = [
    "HOT_K",
    "PACKAGE",
    "SETTINGS",
    "TRANSISTORS",
    "TYPICAL_K",
    "CactiError",
    "MacroRun",
    "build_cacti",
    "cacti_sources",
    "run_macro",
]

PACKAGE = "hwcomponents-cacti"
"""Package that holds CACTI's sources, MIT licence."""

HOT_K = 360
"""Temperature of times, energies and the hot leakage."""

TYPICAL_K = 300
"""Temperature of the typical leakage: about that of the typical corner of the standard cells."""

SETTINGS: Mapping[str, str] = {
    "UCA bank count": "1",
    "technology (u)": "0.045",
    "cache type": '"ram"',
    "access mode (normal, sequential, fast)": '"normal"',
    "design objective (weight delay, dynamic power, leakage power, cycle time, area)": "0:0:0:0:100",
    "deviate (delay, dynamic power, leakage power, cycle time, area)": "60:100000:100000:100000:100000",
    "Optimize ED or ED^2 (ED, ED^2, NONE):": '"NONE"',
    "Wire signaling (fullswing, lowswing, default)": '"Global_30"',
    "Wire inside mat": '"semi-global"',
    "Wire outside mat": '"semi-global"',
    "Interconnect projection": '"conservative"',
}
"""Settings for all macros, whatever their size, ports and cells: least area within 60 % of the least delay."""

_INDIFFERENT = """\
-associativity 1
-single ended read ports 0
-page size (bits) 8192
-burst length 8
-internal prefetch width 8
-tag size (b) "default"
-NUCAdesign objective (weight delay, dynamic power, leakage power, cycle time, area) 100:100:0:0:100
-NUCAdeviate (delay, dynamic power, leakage power, cycle time, area) 10:10000:10000:10000:10000
-Cache model (NUCA, UCA)  - "UCA"
-NUCA bank count 0
-Core count 1
-Cache level (L2/L3) - "L2"
-Add ECC - "false"
-Print level (DETAILED, CONCISE) - "DETAILED"
-Print input parameters - "false"
-Force cache config - "false"
-Ndwl 1
-Ndbl 1
-Nspd 0
-Ndcm 1
-Ndsam1 0
-Ndsam2 0
-Array Power Gating - "false"
-WL Power Gating - "false"
-CL Power Gating - "false"
-Bitline floating - "false"
-Interconnect Power Gating - "false"
-Power Gating Performance Loss 0.01
-dram_type "DDR3"
-io state "WRITE"
-addr_timing 1.0
-mem_density 4 Gb
-bus_freq 800 MHz
-duty_cycle 1.0
-activity_dq 1.0
-activity_ca 0.5
-num_dq 72
-num_dqs 18
-num_ca 25
-num_clk  2
-num_mem_dq 2
-mem_data_width 8
-rtt_value 10000
-ron_value 34
-tflight_value
-num_bobs 1
-capacity 80
-num_channels_per_bob 1
-first metric "Cost"
-second metric "Bandwidth"
-third metric "Energy"
-DIMM model "ALL"
-mirror_in_bob "F"
"""
"""Lines that CACTI wants to read and that change nothing of a memory without tags."""

TRANSISTORS = {
    MemoryCells.HIGH_PERFORMANCE: ("itrs-hp", "itrs-hp"),
    MemoryCells.LOW_OPERATING_POWER: ("itrs-lstp", "itrs-lop"),
    MemoryCells.LOW_STANDBY_POWER: ("itrs-lstp", "itrs-lstp"),
}
"""CACTI's transistors of a kind's cells and of its periphery."""

_FIGURES = {
    "access_ns": (r"Access time \(ns\): (\S+)", 1.0),
    "cycle_ns": (r"Cycle time \(ns\): +(\S+)", 1.0),
    "read_pj": (r"Total dynamic read energy per access \(nJ\): (\S+)", 1e3),
    "write_pj": (r"Total dynamic write energy per access \(nJ\): (\S+)", 1e3),
    "leakage_uw": (r"Total leakage power of a bank \(mW\): (\S+)", 1e3),
    "gate_uw": (r"Total gate leakage power of a bank \(mW\): (\S+)", 1e3),
    "height_um": (r"Cache height x width \(mm\): (\S+) x", 1e3),
    "width_um": (r"Cache height x width \(mm\): \S+ x (\S+)", 1e3),
    "wire_ns_per_mm": (r"30% Overhead.*?Delay - (\S+)", 1.0),
    "wire_pj_per_mm": (r"30% Overhead.*?PowerD - (\S+)", 1e3),
}
"""Where CACTI's report has a figure, and what turns its unit into ours."""

_DIGITS = 5
"""Significant digits that are kept."""


class CactiError(CosilicoError):
    """CACTI is not there, cannot be built, or finds no organization of a memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroRun:
    """CACTI's answer about a macro, and about the wires in its technology.

    Parameters
    ----------
    macro : Macro
    wire : Wire
        A repeated wire with 30 % more than the least delay.
    """

    macro: Macro
    wire: Wire


def cacti_sources(folder: Path | None = None) -> tuple[Path, str]:
    """Folder of CACTI's sources, and the name and version of what they are from.

    Parameters
    ----------
    folder : Path, optional
        Unpacked package ``hwcomponents_cacti``, in place of that which is installed.

    Raises
    ------
    CactiError
        If they are not there.
    """
    if folder is None:
        spec = find_spec("hwcomponents_cacti")
        if spec is None or spec.origin is None:
            raise CactiError(
                f"CACTI is needed: install cosilico[sram], or unpack {PACKAGE} and name its folder"
            )
        folder = Path(spec.origin).parent
    sources = folder / "cacti"
    if not (sources / "cacti.mk").is_file():
        raise CactiError(f"the folder of {PACKAGE} must hold cacti/cacti.mk, not so {folder}")
    return sources, f"{PACKAGE} {_version(folder)}"


def _version(folder: Path) -> str:
    """Version of the package that a folder belongs to."""
    for metadata in folder.parent.glob("hwcomponents_cacti-*.dist-info/METADATA"):
        stated = re.search(r"^Version: (\S+)$", metadata.read_text(encoding="utf-8"), re.MULTILINE)
        if stated:
            return stated[1]
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "of unknown version"


def build_cacti(folder: Path | None = None) -> tuple[Path, str]:
    """Build CACTI with make, once per version, in the cache.

    Returns
    -------
    program : Path
        Beside its technology files.
    origin : str
        Name and version of the package.

    Raises
    ------
    CactiError
        If the sources are not there or do not compile.
    """
    sources, origin = cacti_sources(folder)
    place = cache_root() / origin.replace(" ", "-")
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not (place / "cacti").is_file():
            with tempfile.TemporaryDirectory(dir=place.parent) as name:
                copy = Path(name) / "cacti"
                ignored = shutil.ignore_patterns("obj_*", "cacti")
                shutil.copytree(sources, copy, ignore=ignored)
                (copy / "obj_opt").mkdir()
                # what is printed does not depend on the number of threads
                made = run_program(
                    ["make", "-C", str(copy), "-f", "cacti.mk", "TAG=opt", "NTHREADS=2"]
                )
                if made.returncode or not (copy / "cacti").is_file():
                    last = (made.stderr.strip() or "no program").splitlines()[-1]
                    raise CactiError(f"CACTI cannot be built: {last}")
                copy.rename(place)
    return place / "cacti", origin


def run_macro(
    program: Path,
    *,
    width: int,
    rows: int,
    ports: int,
    cells: MemoryCells,
    settings: Mapping[str, str] = SETTINGS,
) -> MacroRun:
    """Ask CACTI for a macro of `rows` rows of `width` bits with a port for both ways or a port for each.

    Settings other than ``SETTINGS`` give macros to compare with.

    Raises
    ------
    CactiError
        If it finds no organization: a macro needs 32 rows and 64 bytes at least.
    """
    hot, typical = (
        _figures(program, _configuration(width, rows, ports, cells, kelvin, settings))
        for kelvin in (HOT_K, TYPICAL_K)
    )
    return MacroRun(
        macro=Macro(
            area_um2=_kept(hot["height_um"] * hot["width_um"]),
            access_ns=_kept(hot["access_ns"]),
            cycle_ns=_kept(hot["cycle_ns"]),
            read_pj=_kept(hot["read_pj"]),
            write_pj=_kept(hot["write_pj"]),
            leakage_uw=_kept(typical["leakage_uw"] + typical["gate_uw"]),
            hot_leakage_uw=_kept(hot["leakage_uw"] + hot["gate_uw"]),
        ),
        wire=Wire(ns_per_mm=_kept(hot["wire_ns_per_mm"]), pj_per_mm=_kept(hot["wire_pj_per_mm"])),
    )


def _configuration(
    width: int,
    rows: int,
    ports: int,
    cells: MemoryCells,
    kelvin: int,
    settings: Mapping[str, str] = SETTINGS,
) -> str:
    """Text of CACTI's configuration file."""
    both, single = (1, 0) if ports == 1 else (0, 1)
    cell, periphery = TRANSISTORS[cells]
    lines = [
        f"-size (bytes) {width * rows // 8}",
        f"-block size (bytes) {width // 8}",
        f"-output/input bus width {width}",
        f"-read-write port {both}",
        f"-exclusive read port {single}",
        f"-exclusive write port {single}",
        f"-operating temperature (K) {kelvin}",
        *(f'-{array} array cell type - "{cell}"' for array in ("Data", "Tag")),
        *(f'-{array} array peripheral type - "{periphery}"' for array in ("Data", "Tag")),
        *(f"-{name} {value}" for name, value in settings.items()),
    ]
    return "\n".join(lines) + "\n" + _INDIFFERENT


def _figures(program: Path, configuration: str) -> dict[str, float]:
    """Figures of CACTI's report."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "macro.cfg"
        file.write_text(configuration, encoding="utf-8")
        # It reads tech_params and writes its own files where it runs
        (Path(name) / "tech_params").symlink_to(program.parent / "tech_params")
        with start_program(
            [str(program), "-infile", str(file)], stdout=-1, stderr=-1, cwd=name
        ) as process:
            report, errors = process.communicate()
    if process.returncode < 0:
        raise MachineError(f"{program.name} was killed by signal {-process.returncode}")
    figures = {}
    for figure, (pattern, factor) in _FIGURES.items():
        value = re.search(pattern, report, re.DOTALL)
        if value is None:
            last = (report + errors).strip().splitlines()[-1:]
            raise CactiError(f"CACTI gives no {figure}: {' '.join(last)}")
        figures[figure] = factor * float(value[1])
    return figures


def _kept(value: float) -> float:
    """Value with the digits that are kept."""
    return float(f"{value:.{_DIGITS}g}")
