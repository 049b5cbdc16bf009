"""A design's Verilog and program as files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosilico.folder import Contents, stage_folder
from cosilico.inputs import network_files
from cosilico.run_folder import (
    GENERATED_FILES,
    PROGRAM_FILE,
    PROGRAM_MANIFEST,
    generated_files,
)
from hwgen import verilog_files
from hwgen.placement import TensorPlacement
from hwgen.program import Program, compile_mapped
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.design import Design, load
from sim.spec.files import write_atomic
from testbench.standalone.cocotb_folder import write_cocotb_folder
from testbench.standalone.file_names import StandaloneTestbench
from testbench.standalone.subject import Subject
from testbench.standalone.verilog import write_verilog_testbench

__all__ = ["generate_design", "generate_to_folder"]


def generate_to_folder(
    design_path: Path,
    out: Path,
    batch: int = 1,
    *,
    testbench: StandaloneTestbench = StandaloneTestbench.NONE,
    force: bool = False,
) -> list[Path]:
    """Generate a design file's hardware, program and testbench; return the paths of the files.

    They appear all or none, in a folder as :func:`cosilico.folder.open_folder` takes it.
    """
    design = load(design_path)
    contents = Contents(
        command="generate",
        identity={"design": design_path.name},
        files=generated_files(testbench),
    )
    inputs = network_files(str(design_path))
    with stage_folder(out, contents, inputs=inputs, force=force) as staging:
        paths = generate_design(design, staging, batch, testbench=testbench)
        return [out / path.relative_to(staging) for path in paths]


def generate_design(
    design: Design,
    out: Path,
    batch: int = 1,
    *,
    testbench: StandaloneTestbench = StandaloneTestbench.NONE,
) -> list[Path]:
    """Write the Verilog with its manifest and the program with its own; return the paths.

    ``program.bin`` is external memory from MEMORY_BASE on, for a program that computes ``batch``
    images; ``program.json`` says where the header, the first image's input and output lie, the
    others' behind them, and where the header of runs is that find their weights in the weight store. With a ``testbench`` the
    folder also holds what runs the program on random activations and judges the run.

    Raises
    ------
    NotRealizableError
        Before anything is written.
    """
    mapped = map_realizable(design.accelerator, design.network, batch)
    compiled = compile_mapped(mapped)
    verilog_files.write(design.accelerator, out)
    write_atomic(out / PROGRAM_FILE, compiled.image)
    manifest = {
        "ownership": verilog_files.OWNERSHIP,
        "fingerprint": design.accelerator.fingerprint,
        "images": compiled.images,
        "memory_bytes": compiled.memory_bytes,
        "header_address": compiled.header_address,
        "warm_address": compiled.warm_address,
        "descriptors": len(compiled.descriptors),
        "input": _placement(compiled.input),
        "output": _placement(compiled.output),
    }
    write_atomic(out / PROGRAM_MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return [
        *_testbench(mapped, compiled, out, testbench),
        *(out / name for name in GENERATED_FILES),
    ]


def _testbench(
    mapped: Mapped, compiled: Program, out: Path, testbench: StandaloneTestbench
) -> list[Path]:
    """Write a testbench's files into the folder of Verilog and program."""
    if testbench is StandaloneTestbench.NONE:
        return []
    if testbench is StandaloneTestbench.COCOTB:
        return write_cocotb_folder(mapped, compiled, out)
    return write_verilog_testbench(Subject.of(mapped, program=compiled), out)


def _placement(placement: TensorPlacement) -> dict[str, Any]:
    """Return what a host must know to write or read a tensor."""
    return asdict(placement)
