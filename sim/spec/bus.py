"""Facts of the external buses that gateware, testbench and cycle model share."""

__all__ = ["ADDRESS_BITS", "BURST_BEATS", "DESCRIPTOR_PORT_BYTES", "PAGE_BYTES"]

ADDRESS_BITS = 32
"""Width of every address."""

BURST_BEATS = 256
"""Most beats of an AXI4 INCR burst (AMBA AXI4, A3.4.1)."""

PAGE_BYTES = 4096
"""Boundary that no AXI4 burst crosses (AMBA AXI4, A3.4.1)."""

DESCRIPTOR_PORT_BYTES = 8
"""Data width of the descriptor port."""
