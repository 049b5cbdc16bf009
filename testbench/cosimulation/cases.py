"""Runs of modules of cocotb tests in a built bench."""

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cocotb_tools.config
import find_libpython
from cocotb_tools.check_results import get_results

from sim.spec.errors import MachineError
from testbench.rtl.execution import execute
from testbench.rtl.run_result import Progress

__all__ = ["LOG_FILE", "CaseResults", "run_module"]

LOG_FILE = "log"
"""Words of the simulation and of cocotb, in the folder of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResults:
    """End of a simulation that ran a module of tests.

    Parameters
    ----------
    run, failed : int
        Tests that ran, and of these how many failed; both 0 if the simulation ended before its time.
    exit_status : int
        Of the simulation.
    words : str
        What it said on standard error, or else its last line.
    """

    run: int
    failed: int
    exit_status: int
    words: str

    @property
    def passed(self) -> bool:
        """Some test ran, none failed, and the simulation came to its end."""
        return self.run > 0 and self.failed == 0 and self.exit_status == 0


def run_module(
    executable: Path,
    top: str,
    module: str,
    folder: Path,
    *,
    arguments: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
    test_filter: str | None = None,
    runs: int = 1,
    progress: Callable[[Progress], None] | None = None,
    log_level: str = "INFO",
) -> CaseResults:
    """Run a module's tests, all in one simulation.

    Parameters
    ----------
    executable : Path
        As :mod:`testbench.cosimulation.builds` builds it.
    top : str
        Top module.
    module : str
        Name by which Python imports the module, on this process's path or in ``folder``.
    folder : Path
        Where the simulation runs. It holds ``results.xml`` and ``log`` afterwards.
    arguments : tuple of str
        Further arguments of the simulation.
    variables : dict, optional
        Further environment variables.
    test_filter : str, optional
        Regular expression that the tests' full names must contain.
    runs : int
        How many runs progress is reported of.
    progress : callable, optional
        Called for every line "progress <runs done> <cycles>".
    log_level : str
        Of cocotb's log.

    Raises
    ------
    MachineError
        If the simulation cannot be started, or Python has no shared library.
    """
    results = (folder / "results.xml").absolute()
    environment = dict(os.environ)
    for name in ("COCOTB_TEST_FILTER", "COCOTB_TESTCASE"):
        environment.pop(name, None)
    environment |= {
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_LOG_LEVEL": log_level,
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "GPI_USERS": ";".join((_libpython(), cocotb_tools.config.pygpi_entry_point())),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(
            [str(folder.absolute()), *(path for path in sys.path if path)]
        ),
        "TOPLEVEL_LANG": "verilog",
        **(variables or {}),
    }
    if test_filter is not None:
        environment["COCOTB_TEST_FILTER"] = test_filter
    with (folder / LOG_FILE).open("w", encoding="utf-8") as log:
        ended = execute(
            [str(executable.absolute()), *arguments],
            runs,
            progress,
            folder=folder,
            environment=environment,
            log=log,
        )
    counts = get_results(results) if results.exists() else (0, 0)
    return CaseResults(run=counts[0], failed=counts[1], exit_status=ended.code, words=ended.words)


@functools.cache
def _libpython() -> str:
    path = find_libpython.find_libpython()
    if path is None:
        raise MachineError("Python must have a shared library for cocotb, not none")
    return str(path)
