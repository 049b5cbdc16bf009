"""A program as a host must know it, as JSON."""

from dataclasses import asdict
from typing import Any

from hwgen.program import Program
from hwgen.verilog_files import OWNERSHIP
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["program_manifest"]


def program_manifest(program: Program, config: AcceleratorConfig) -> dict[str, Any]:
    """Return the contents of ``program.json``."""
    states = {name: asdict(place) for name, place in program.states.items()}
    return {
        "ownership": OWNERSHIP,
        "fingerprint": config.fingerprint,
        "images": program.images,
        "memory_bytes": program.memory_bytes,
        "header_address": program.header_address,
        "warm_address": program.warm_address,
        "descriptors": len(program.descriptors),
        "input": asdict(program.input),
        "inputs": {name: asdict(place) for name, place in program.inputs.places.items()},
        "output": asdict(program.output),
        "outputs": {name: asdict(place) for name, place in program.outputs.places.items()},
        **({"states": states} if states else {}),
    }
