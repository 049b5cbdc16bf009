"""The PE grid: PEs, lanes, SIMD units, requantizers, and the wires between them."""
