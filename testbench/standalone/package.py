"""Package of an accelerator and a network: all that an engineer needs to put it into a system."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from hwgen.driver.program_data import DriverProgram, program_source
from hwgen.driver.sources import driver_sources
from hwgen.file_names import FILE_LIST
from hwgen.verilog_files import OWNERSHIP, GeneratedVerilog
from sim.plan import Mapped
from testbench.standalone.driver_bench import DriverTest
from testbench.standalone.subject import Subject
from testbench.standalone.template_texts import template
from testbench.standalone.verilog import verilog_testbench_files

__all__ = ["simulation_files", "software_files"]


def software_files(described: DriverProgram) -> dict[str, str | bytes]:
    """Return the folder ``sw``: driver, and the program as C and as binary files."""
    segments = {f"{name}.bin": data for name, (_, data) in described.segments.items()}
    return {
        **driver_sources(),
        **program_source(described),
        "program.bin": described.program.image,
        **segments,
    }


def simulation_files(
    mapped: Mapped, described: DriverProgram, verilog: GeneratedVerilog, *, traces: bool
) -> dict[str, str | bytes]:
    """Return the folder ``sim``: testbenches with a Makefile, and what they compare with."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    makefile = environment.from_string(template("package.mk.j2")).render(
        ownership=OWNERSHIP, traces=traces, file_list=FILE_LIST, top=verilog.top
    )
    files: dict[str, str | bytes] = {"Makefile": makefile}
    files |= DriverTest.of(mapped, described).files
    if traces:
        files |= verilog_testbench_files(Subject.of(mapped, program=described.program))
    return files
