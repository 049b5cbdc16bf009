"""The accelerator template's parameters."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from sim.spec.errors import DesignFileError

__all__ = [
    "ADD_HOLD",
    "ADD_INTERVAL",
    "DOT_WIDTH",
    "MAX_ACCUMULATOR_ROWS",
    "RECORD_BYTES",
    "REQUANTIZER_LATENCY",
    "REQUANTIZER_PHASES",
    "STORE_DISTANCE",
    "TABLE_ROWS",
    "TABLE_ROW_ENTRIES",
    "WINDOW_VECTORS",
    "AcceleratorConfig",
]

DOT_WIDTH = 4
"""int8 products that one SIMD unit sums per cycle."""

REQUANTIZER_PHASES = 4
"""Cycles a lane's requantizer needs for one vector: its width is ``simd_units / 4``."""

REQUANTIZER_LATENCY = 6
"""Cycles from a value to its result, in a lane's requantizer."""

RECORD_BYTES = 10
"""Bytes of a channel's requantization record: bias 4, multiplier 4, left 1, right 1."""

ADD_INTERVAL = 2 * REQUANTIZER_PHASES + REQUANTIZER_LATENCY
"""Least initiation interval of ADD with up to 4 pixels: operand a, b, and their sum after b's results."""

ADD_HOLD = 3
"""Idle issue cycles after ADD: its last operand is still being requantized."""

STORE_DISTANCE = 21
"""Cycles from the first one after a set, but for CONV's skew, to that whose read would meet the set's first store."""

MAX_ACCUMULATOR_ROWS = 16
"""Most register-file rows of a lane that hold saved accumulators (A)."""

WINDOW_VECTORS = 64
"""Vectors in a lane's window ring, from which DEPTHWISE reads any four in a row per cycle."""

TABLE_ROW_ENTRIES = 4
"""Entries of an activation table in a row of it: what LOAD writes at once."""

TABLE_ROWS = 64
"""Rows of an activation table of 256 entries."""

_OPTIONAL = ("weight_store_kb", "activation_table")
"""Fields that may be 0, which builds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorConfig:
    """One point of the accelerator template (parameter names of NAHAS, Table 2).

    Parameters
    ----------
    pes_x : int
        Columns of the PE grid, 1 … 8.
    pes_y : int
        Rows of the PE grid, 1 … 8.
    simd_units : int
        SIMD units per lane (S), each a 4-way int8 dot product into int32: a power of two in 4 … 128.
        A vector is S bytes.
    compute_lanes : int
        Lanes per PE (L), 1, 2, 4 or 8; also the number of local-memory banks.
    local_memory_kb : int
        Activation memory per PE, KiB; its L banks must have 2 … 262,144 vectors each.
    register_file_kb : int
        Register file per lane, KiB: saved accumulators, and two halves of weights, of which either is
        loaded while the other computes.
    io_bandwidth_gbps : float
        External memory bandwidth in each direction, GB/s (1e9 bytes), a multiple of 0.001. The bus is
        the narrowest that carries it at the clock, and at most 4·S and 128 bytes wide.
    clock_mhz : int
        Clock frequency, MHz, at most 10,000: turns cycles into time and the bandwidth into bytes per
        cycle. All accelerators of a space have the same.
    weight_store_kb : int
        Weight store beside LOAD, KiB, of rows as wide as a register file's: weights that stay on the
        chip from one run of a program to the next. 0 builds none.
    activation_table : int
        1 builds a table of 256 entries behind every requantizer, for activations that are no clamps; 0 none.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or not positive. Whether the point can be built is
        the question of :func:`sim.realizability.check`, not of this class.
    """

    pes_x: int
    pes_y: int
    simd_units: int
    compute_lanes: int
    local_memory_kb: int
    register_file_kb: int
    io_bandwidth_gbps: float
    clock_mhz: int
    weight_store_kb: int = 0
    activation_table: int = 0

    def __post_init__(self) -> None:
        """Check every field's kind and sign."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "io_bandwidth_gbps":
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise TypeError(f"{field.name} must be a number, not {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{field.name} must be an integer, not {value!r}")
            if field.name == "activation_table" and value not in (0, 1):
                raise ValueError(f"{field.name} must be 0 or 1, not {value!r}")
            if field.name == "weight_store_kb" and not 0 <= value < 1 << 32:
                raise ValueError(f"{field.name} must be 0 or positive, not {value!r}")
            if field.name not in _OPTIONAL and not 0 < value < 1 << 32:
                raise ValueError(f"{field.name} must be positive, not {value!r}")
        if abs(self.io_bandwidth_gbps * 1000 - self._megabytes_per_s) > 1e-6:
            raise ValueError(
                f"io_bandwidth_gbps must be a multiple of 0.001, not {self.io_bandwidth_gbps!r}"
            )

    @property
    def pes(self) -> int:
        """PEs in the grid."""
        return self.pes_x * self.pes_y

    @property
    def macs(self) -> int:
        """Multiply-accumulates per cycle of the whole grid."""
        return self.pes * self.compute_lanes * self.simd_units * DOT_WIDTH

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector: one pixel's S consecutive channels."""
        return self.simd_units

    @property
    def row_bytes(self) -> int:
        """Bytes of a register-file row: 4 reduction elements of S outputs."""
        return DOT_WIDTH * self.simd_units

    @property
    def bank_depth(self) -> int:
        """Vectors per local-memory bank (L banks per PE)."""
        return self.local_memory_kb * 1024 // (self.compute_lanes * self.vector_bytes)

    @property
    def register_file_rows(self) -> int:
        """Rows of a lane's register file."""
        return self.register_file_kb * 1024 // self.row_bytes

    @property
    def accumulator_rows(self) -> int:
        """Register-file rows of a lane that hold saved accumulators (A), S int32 values each."""
        return max(1, min(MAX_ACCUMULATOR_ROWS, self.register_file_rows // 4))

    @property
    def weight_rows(self) -> int:
        """Register-file rows in one of a lane's two weight halves."""
        return (self.register_file_rows - self.accumulator_rows) // 2

    @property
    def store_rows(self) -> int:
        """Rows of the weight store, each as wide as a register-file row; 0 without a store."""
        return self.weight_store_kb * 1024 // self.row_bytes

    @property
    def requantizer_width(self) -> int:
        """Values that a lane requantizes per cycle (R)."""
        return self.simd_units // REQUANTIZER_PHASES

    @property
    def _megabytes_per_s(self) -> int:
        return round(self.io_bandwidth_gbps * 1000)

    @property
    def bytes_per_cycle(self) -> Fraction:
        """External bandwidth in bytes per clock cycle, exact."""
        return Fraction(self._megabytes_per_s, self.clock_mhz)

    @property
    def bus_bytes(self) -> int:
        """AXI4 data width in bytes: the smallest power of two at least ``bytes_per_cycle``."""
        cycles = -(-self._megabytes_per_s // self.clock_mhz)
        return 1 << (cycles - 1).bit_length()

    @property
    def pacing(self) -> tuple[int, int]:
        """(earn, cost): credits that a direction earns per cycle and that a beat costs.

        Their ratio is the share of cycles in which a beat may move, in lowest terms.
        """
        share = self.bytes_per_cycle / self.bus_bytes
        return share.numerator, share.denominator

    @property
    def fingerprint(self) -> int:
        """32-bit hash of :meth:`to_json`; stands in a CSR and in every program's header."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the configuration as a JSON object.

        ``weight_store_kb`` and ``activation_table`` are left out where there is none: such an accelerator has the
        record, and the fingerprint, that it had before there were any.
        """
        record = asdict(self) | {"io_bandwidth_gbps": float(self.io_bandwidth_gbps)}
        return {name: value for name, value in record.items() if value or name not in _OPTIONAL}

    @classmethod
    def from_json(cls, data: Any) -> "AcceleratorConfig":
        """Build from what :meth:`to_json` made; files go through ``accelerator_record.accelerator_of``."""
        if not isinstance(data, dict):
            raise DesignFileError(f"accelerator must be an object, not {data!r}")
        known = {field.name for field in fields(cls)}
        data = {**dict.fromkeys(_OPTIONAL, 0), **data}
        for name in data:
            if name not in known:
                raise DesignFileError(f"accelerator has no field {name!r}")
        for name in sorted(known):
            if name not in data:
                raise DesignFileError(f"accelerator.{name} must be given")
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise DesignFileError(f"accelerator.{error}") from None
