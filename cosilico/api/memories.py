"""Memories of the public API."""

from pathlib import Path

from cosilico.api import arguments
from sim.spec.memories import MemorySystem

__all__ = ["load_memory"]


def load_memory(source: MemorySystem | str | Path) -> MemorySystem:
    """Return the memory behind an accelerator's ports: by name, by values, or that of a file.

    Parameters
    ----------
    source : FixedLatency, DramSystem, str or Path
        "deterministic", "dram", a DRAM's name, values as "latency=40,outstanding=4", or a TOML file. A
        memory is returned as it is.

    Raises
    ------
    TypeError
        If it is no memory, text or path.
    CosilicoError
        If the text names no memory, or the file has none.
    """
    return arguments.memory(source)
