"""Runs of a system in Verilator."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from hwgen.build_cache import cached_directory, content_key
from hwgen.module_names import ModuleNames
from hwgen.soc.files import SystemFiles
from hwgen.soc.verilog import SYSTEM_MODULE
from hwgen.subprocesses import run_program
from sim.spec.errors import MachineError
from sim.spec.views import View
from testbench.rtl.verilate import BUILD_RECIPE, build_executable, toolchain_version

__all__ = ["SystemRun", "run_system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRun:
    """Run of a system.

    Parameters
    ----------
    text : str
        What the serial line carried.
    cycles : int
        From the first clock to the last.
    halted : bool
        The processor stopped by itself.
    fault : bool
        It accessed an address where nothing is.
    wrong_bits : int
        Start and stop bits of the serial line that were not what they must be.
    """

    text: str
    cycles: int
    halted: bool
    fault: bool
    wrong_bits: int

    @property
    def ended(self) -> bool:
        """Whether the firmware came to its end, and the line was clean."""
        return self.halted and not self.fault and not self.wrong_bits


def run_system(
    files: SystemFiles, *, cache: Path, cycles: int, seed: int = 1, inverted_bit: int = 0
) -> SystemRun:
    """Simulate a system until its processor stops.

    The shared memory, and all else that nothing sets, begins with random bits.

    Parameters
    ----------
    files : SystemFiles
    cache : Path
        Where the executable is kept; other firmware on the same system needs no other.
    cycles : int
        The most that are simulated.
    seed : int
        Of the random bits.
    inverted_bit : int
        Time, in bits of the serial line from the first clock on, at which the line is inverted for a bit;
        never if 0.

    Raises
    ------
    MachineError
        If it cannot be built or run.
    """
    executable = _executable(files, cache).resolve()
    result = run_program(
        [
            *("env", f"--chdir={files.folder}"),  # where the read-only memory's words are
            *(str(executable), str(cycles), str(seed), str(inverted_bit)),
        ]
    )
    words = result.stderr.split()
    if result.returncode != 0 or len(words) != 4:
        raise MachineError(f"simulation of the system failed: {result.stderr.strip()[-200:]}")
    ran, halted, fault, wrong = map(int, words)
    return SystemRun(
        text=result.stdout,
        cycles=ran,
        halted=bool(halted),
        fault=bool(fault),
        wrong_bits=wrong,
    )


def _executable(files: SystemFiles, cache: Path) -> Path:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = resources.files("testbench.soc") / "templates" / "system_bench.cpp.j2"
    main = environment.from_string(template.read_text(encoding="utf-8")).render(
        top=SYSTEM_MODULE, bit_cycles=files.config.bit_cycles
    )
    verilog = files.text
    names = ModuleNames.of(files.config.accelerator)

    def make(directory: Path) -> None:
        build_executable(
            directory,
            top=SYSTEM_MODULE,
            verilog=verilog,
            main=main,
            headers={},
            view=View.SYNTHESIS,
            grid=names.grid,
            pe=names.pe,
        )

    key = content_key(toolchain_version(), *BUILD_RECIPE, verilog, main)
    return cached_directory(cache / "system", key, make) / "harness"
