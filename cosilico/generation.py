"""A design's Verilog and program as files."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cosilico.folder import Contents, stage_folder
from cosilico.inputs import network_files
from cosilico.run_folder import GENERATED_FILES, PROGRAM_FILE, PROGRAM_MANIFEST
from hwgen import program, verilog_files
from hwgen.placement import TensorPlacement
from sim.spec.design import Design, load
from sim.spec.files import write_atomic

__all__ = ["generate_design", "generate_to_folder"]


def generate_to_folder(
    design_path: Path, out: Path, batch: int = 1, *, force: bool = False
) -> list[Path]:
    """Generate a design file's hardware and program; return the paths of the files.

    They appear all or none, in a folder as :func:`cosilico.folder.open_folder` takes it.
    """
    design = load(design_path)
    contents = Contents(
        command="generate", identity={"design": design_path.name}, files=GENERATED_FILES
    )
    inputs = network_files(str(design_path))
    with stage_folder(out, contents, inputs=inputs, force=force) as staging:
        return [out / path.name for path in generate_design(design, staging, batch)]


def generate_design(design: Design, out: Path, batch: int = 1) -> list[Path]:
    """Write the Verilog with its manifest and the program with its own.

    ``program.bin`` is external memory from MEMORY_BASE on, for a program that computes ``batch``
    images; ``program.json`` says where the header, the first image's input and output lie, the
    others' behind them, and how the host unfolds the input, if at all.

    Raises
    ------
    NotRealizableError
        Before anything is written.
    """
    compiled = program.compile_design(design, batch)
    verilog_files.write(design.accelerator, out)
    write_atomic(out / PROGRAM_FILE, compiled.image)
    manifest = {
        "ownership": verilog_files.OWNERSHIP,
        "fingerprint": design.accelerator.fingerprint,
        "images": compiled.images,
        "memory_bytes": compiled.memory_bytes,
        "header_address": compiled.header_address,
        "descriptors": len(compiled.descriptors),
        "input": _placement(compiled.input),
        "output": _placement(compiled.output),
    }
    write_atomic(out / PROGRAM_MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return [out / name for name in GENERATED_FILES]


def _placement(placement: TensorPlacement) -> dict[str, Any]:
    """Return what a host must know to write or read a tensor."""
    known = {
        field.name: getattr(placement, field.name)
        for field in fields(placement)
        if field.name != "unfolding"
    }
    if placement.unfolding is None:
        return known | {"unfolding": None}
    layer = placement.unfolding.layer
    return known | {
        "unfolding": {
            "shape": placement.unfolding.shape,
            "zero_point": placement.unfolding.zero_point,
            "kernel": layer.kernel,
            "stride": layer.stride,
            "padding": asdict(layer.padding),
        }
    }
