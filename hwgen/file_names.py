"""Names of the files of an accelerator's Verilog; known without what writes them."""

__all__ = ["FILE_LIST", "MANIFEST_FILE", "SINGLE_FILE"]

FILE_LIST = "cosilico.f"
"""List of all files of Verilog, one per module, for any tool's option ``-f``; instantiated modules first."""

SINGLE_FILE = "cosilico.v"
"""All modules in a file, where that is asked for."""

MANIFEST_FILE = "manifest.json"
"""Configuration, ports and memories of the files, as JSON."""
