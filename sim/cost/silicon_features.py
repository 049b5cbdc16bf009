"""Features of an accelerator by which the silicon of its modules grows."""

from collections.abc import Callable
from dataclasses import dataclass

from sim.spec.accelerator import REQUANTIZER_PHASES, TABLE_ROWS, AcceleratorConfig

__all__ = ["FEATURES", "Feature", "levels", "store_banks"]

_BUS = ("io_bandwidth_gbps", "clock_mhz")
_STORE = ("weight_store_kb", "simd_units")
_FILE = ("register_file_kb", "simd_units")
_BANK = ("local_memory_kb", "compute_lanes", "simd_units")


@dataclass(frozen=True, slots=True)
class Feature:
    """A number that follows from some fields of a configuration, not negative.

    Parameters
    ----------
    name : str
    meaning : str
    fields : tuple of str
        All that it depends on.
    value : callable
    """

    name: str
    meaning: str
    fields: tuple[str, ...]
    value: Callable[[AcceleratorConfig], float]


def levels(number: int) -> int:
    """Levels of multiplexers of two that choose one of so many."""
    return (number - 1).bit_length()


def store_banks(config: AcceleratorConfig) -> int:
    """Banks of the weight store: a power of two, as many as PE columns or more."""
    return 1 << levels(config.pes_x)


def _gather_shift_bits(config: AcceleratorConfig) -> int:
    """Multiplexers of two in the shifter that cuts a vector from the window and the newest beat."""
    chosen = config.vector_bytes + 2 * config.bus_bytes
    bits = 0
    for level in reversed(range(levels(chosen))):
        chosen = min(chosen, config.vector_bytes + (1 << level) - 1)
        bits += 8 * chosen
    return bits


def _store_choice_bits(config: AcceleratorConfig) -> int:
    """Multiplexers of two behind the banks of the weight store, for every PE column."""
    return config.pes_x * (store_banks(config) - 1) * 8 * config.row_bytes


def _grid_rows(config: AcceleratorConfig) -> int:
    """Rows that the grid takes in a cycle."""
    return config.pes_x if config.store_rows else 1


_FEATURES = (
    Feature("one", "what every instance has", (), lambda config: 1),
    Feature("vector_bits", "bits of a vector", ("simd_units",), lambda c: 8 * c.vector_bytes),
    Feature("row_bits", "bits of a register-file row", ("simd_units",), lambda c: 8 * c.row_bytes),
    Feature("lanes", "lanes of a PE", ("compute_lanes",), lambda c: c.compute_lanes),
    Feature(
        "lanes_bits",
        "bits of a vector of every lane of a PE",
        ("simd_units", "compute_lanes"),
        lambda c: 8 * c.vector_bytes * c.compute_lanes,
    ),
    Feature(
        "lanes_choice_bits",
        "multiplexers of two that choose a vector for every lane of a PE among those of all lanes",
        ("simd_units", "compute_lanes"),
        lambda c: 8 * c.vector_bytes * c.compute_lanes * levels(c.compute_lanes),
    ),
    Feature(
        "vector_shift_bits",
        "multiplexers of two that shift a vector by any number of its bytes",
        ("simd_units",),
        lambda c: 8 * c.vector_bytes * levels(c.vector_bytes),
    ),
    Feature(
        "row_bus_bits",
        "bits of a vector of every lane of a PE, where PEs of a row share a bus",
        ("simd_units", "compute_lanes", "pes_x"),
        lambda c: 8 * c.vector_bytes * c.compute_lanes * (c.pes_x > 1),
    ),
    Feature(
        "joined_bits",
        "bits of a vector, where a row has several PEs",
        ("simd_units", "pes_x"),
        lambda c: 8 * c.vector_bytes * (c.pes_x > 1),
    ),
    Feature(
        "union_bits",
        "ors of two that join a vector of every PE of a row",
        ("simd_units", "pes_x"),
        lambda c: 8 * c.vector_bytes * (c.pes_x - 1),
    ),
    Feature(
        "bank_address_bits",
        "bits of an address of a bank",
        _BANK,
        lambda c: max(1, levels(c.bank_depth)),
    ),
    Feature(
        "lanes_address_bits",
        "bits of the addresses of all banks of a PE",
        _BANK,
        lambda c: c.compute_lanes * max(1, levels(c.bank_depth)),
    ),
    Feature(
        "columns_address_bits",
        "bits of an address of a bank for every column of PEs",
        (*_BANK, "pes_x"),
        lambda c: c.pes_x * max(1, levels(c.bank_depth)),
    ),
    Feature(
        "file_address_bits",
        "bits of an address of a register file",
        _FILE,
        lambda c: max(1, levels(2 * c.weight_rows)),
    ),
    Feature(
        "row_address_bits",
        "bits of an address of a register file, of parameters or of an activation table",
        (*_FILE, "activation_table"),
        lambda c: levels(
            max(2 * c.weight_rows, 2 * REQUANTIZER_PHASES, TABLE_ROWS * c.activation_table)
        ),
    ),
    Feature(
        "table",
        "whether there are activation tables",
        ("activation_table",),
        lambda c: c.activation_table,
    ),
    Feature(
        "grid_sides", "columns and rows of PEs", ("pes_x", "pes_y"), lambda c: c.pes_x + c.pes_y
    ),
    Feature("grid_columns", "columns of PEs", ("pes_x",), lambda c: c.pes_x),
    Feature("pes", "PEs", ("pes_x", "pes_y"), lambda c: c.pes),
    Feature(
        "grid_lanes",
        "lanes of all PEs",
        ("pes_x", "pes_y", "compute_lanes"),
        lambda c: c.pes * c.compute_lanes,
    ),
    Feature(
        "grid_row_bits",
        "bits of all register-file rows that the grid takes in a cycle",
        (*_STORE, "pes_x"),
        lambda c: _grid_rows(c) * 8 * c.row_bytes,
    ),
    Feature(
        "grid_vector_bits",
        "bits of a vector of every row of PEs",
        ("simd_units", "pes_y"),
        lambda c: c.pes_y * 8 * c.vector_bytes,
    ),
    Feature("bus_bits", "bits of the bus", _BUS, lambda c: 8 * c.bus_bytes),
    Feature(
        "window_bits",
        "bits of the window from which vectors are gathered, and of a beat",
        (*_BUS, "simd_units"),
        lambda c: 8 * (c.vector_bytes + 2 * c.bus_bytes),
    ),
    Feature(
        "gather_shift_bits",
        "multiplexers of two that cut a vector from the window",
        (*_BUS, "simd_units"),
        _gather_shift_bits,
    ),
    Feature("store", "whether there is a weight store", _STORE, lambda c: c.store_rows > 0),
    Feature(
        "store_row_bits",
        "bits of a row of the weight store for every column of PEs",
        (*_STORE, "pes_x"),
        lambda c: c.pes_x * 8 * c.row_bytes * (c.store_rows > 0),
    ),
    Feature(
        "store_choice_bits",
        "multiplexers of two behind the banks of the weight store, for every column of PEs",
        ("simd_units", "pes_x"),
        _store_choice_bits,
    ),
    Feature(
        "store_address_bits",
        "bits of the addresses of all banks of the weight store",
        (*_STORE, "pes_x"),
        lambda c: store_banks(c) * levels(max(c.store_rows, 1)),
    ),
)

FEATURES = {feature.name: feature for feature in _FEATURES}
"""All features by name."""
