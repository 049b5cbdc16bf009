"""Accelerators of the tests: a small machine whose fields a test changes, and those with a name."""

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["NARROW_BUS", "SMALLEST", "STORED", "TABLED", "TWO_PES", "WAVES", "small_accelerator"]


def small_accelerator(
    pes_y: int = 1,
    pes_x: int = 1,
    *,
    simd_units: int = 4,
    compute_lanes: int = 1,
    local_memory_kb: int = 4,
    register_file_kb: int = 1,
    io_bandwidth_gbps: float = 0.8,
    clock_mhz: int = 200,
    weight_store_kb: int = 0,
    activation_table: int = 0,
) -> AcceleratorConfig:
    """Return an accelerator: the smallest grid of the narrowest lanes, where nothing else is given.

    Parameters
    ----------
    pes_y, pes_x : int
        Rows and columns of the PE grid.
    simd_units, compute_lanes, local_memory_kb, register_file_kb : int
    io_bandwidth_gbps : float
        The default is a bus of 4 bytes that moves a beat in every cycle.
    clock_mhz : int
    weight_store_kb, activation_table : int
    """
    return AcceleratorConfig(
        pes_x=pes_x,
        pes_y=pes_y,
        simd_units=simd_units,
        compute_lanes=compute_lanes,
        local_memory_kb=local_memory_kb,
        register_file_kb=register_file_kb,
        io_bandwidth_gbps=io_bandwidth_gbps,
        clock_mhz=clock_mhz,
        weight_store_kb=weight_store_kb,
        activation_table=activation_table,
    )


SMALLEST = small_accelerator()
"""One PE with one lane of four units."""

TWO_PES = small_accelerator(1, 2)
"""A row of two PEs: halos between neighbours."""

NARROW_BUS = small_accelerator(2, 1, compute_lanes=2, io_bandwidth_gbps=0.4)
"""A column of two PEs with two lanes each, and a bus of 2 bytes: half a register-file row of four."""

STORED = small_accelerator(
    2, 2, simd_units=8, compute_lanes=2, local_memory_kb=32, register_file_kb=2, weight_store_kb=4
)
"""A square of PEs with a weight store."""

TABLED = small_accelerator(
    2, 2, simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=2, activation_table=1
)
"""A square of PEs with activation tables."""

WAVES = small_accelerator(
    2, 1, simd_units=8, compute_lanes=2, local_memory_kb=8, register_file_kb=4, io_bandwidth_gbps=1.6,
    weight_store_kb=16,
)  # fmt: skip
"""The accelerator of the handwritten example with a weight store: all tests of waveforms share its builds."""
