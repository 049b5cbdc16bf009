"""Verilog that people read, from netlists in Yosys's format."""
