"""The folder of a run: names of all its files, and how it is opened."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from cosilico.folder import Contents, open_folder
from hwgen.file_names import FILE_LIST, MANIFEST_FILE, SINGLE_FILE
from testbench.standalone.file_names import (
    COCOTB_FILES,
    VERILOG_TESTBENCH_FILES,
    StandaloneTestbench,
)

__all__ = [
    "DEFAULT",
    "DESIGN_FILES",
    "GENERATED_FILES",
    "PROGRAM_FILE",
    "PROGRAM_FILES",
    "PROGRAM_MANIFEST",
    "PROVENANCE_FILE",
    "REPORT_FILE",
    "RESULTS_FILE",
    "RUN_FILES",
    "SEARCHED_FILES",
    "SIDES",
    "STAGES",
    "TESTBENCH_FILES",
    "TIMELINE_FILE",
    "VERILOG",
    "open_run",
]

DESIGN_FILES = ("weights.npz", "test.npz", "design.json")
SEARCHED_FILES = ("evaluations.jsonl", "search.json", *DESIGN_FILES)

PROGRAM_FILE = "program.bin"
PROGRAM_MANIFEST = "program.json"
PROGRAM_FILES = (PROGRAM_FILE, PROGRAM_MANIFEST)
GENERATED_FILES = (SINGLE_FILE, FILE_LIST, MANIFEST_FILE, *PROGRAM_FILES)
"""Files of a run's hardware, whose modules are in one file, as names of modules are not known ahead."""

TESTBENCH_FILES = {
    StandaloneTestbench.NONE: (),
    StandaloneTestbench.VERILOG: VERILOG_TESTBENCH_FILES,
    StandaloneTestbench.COCOTB: COCOTB_FILES,
}

RESULTS_FILE = "results.json"
REPORT_FILE = "report.html"

TIMELINE_FILE = "timeline.json"
"""Start and end of every descriptor of a design's first run in RTL."""

PROVENANCE_FILE = "provenance.json"

VERILOG = "verilog"
"""Folder of generated files."""

DEFAULT = "default"
"""Folder of the default accelerator's design."""

STAGES = "stages"
"""Folder of the stages that are done."""

SIDES = ("rtl", "rtl_default")
"""Both designs of a run: on the accelerator that was searched, and on the default."""

RUN_FILES = (
    "checkpoint.pt",
    "agent.npz",
    *SEARCHED_FILES,
    *("calibration.json", "enumeration.npz"),
    *(f"{DEFAULT}/{name}" for name in DESIGN_FILES),
    *(f"{folder}{VERILOG}/{name}" for folder in ("", f"{DEFAULT}/") for name in GENERATED_FILES),
    *(f"{STAGES}/{name}.json" for name in ("calibration", "search", "enumerate", "workload")),
    *(f"{STAGES}/{stage}_{side}.json" for stage in ("generate", "simulate") for side in SIDES),
    *(f"{folder}{TIMELINE_FILE}" for folder in ("", f"{DEFAULT}/")),
    *(PROVENANCE_FILE, RESULTS_FILE, REPORT_FILE),
)
"""All files of a run, and of a search, which is its first part."""


def open_run(
    out: Path,
    identity: Mapping[str, str],
    inputs: Iterable[Path],
    *,
    resume: bool,
    force: bool,
) -> AbstractContextManager[Path]:
    """Lock the folder of a run or of its search; see :func:`cosilico.folder.open_folder`."""
    contents = Contents(command="run", identity=identity, files=RUN_FILES, resumable=True)
    return open_folder(out, contents, inputs=inputs, resume=resume, force=force)
