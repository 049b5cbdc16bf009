"""Names of the files of generated hardware; known without the packages that generate it."""

__all__ = ["MANIFEST_FILE", "VERILOG_FILE"]

VERILOG_FILE = "cosilico_top.v"
"""Verilog of an accelerator, named like its top module."""

MANIFEST_FILE = "manifest.json"
"""Ports, registers, fingerprint and gateware of the Verilog."""
