"""Hardware spaces: the values that each field of the accelerator may take."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.limits import NO_LIMITS, Limits

__all__ = ["EDGE", "HARDWARE_SPACES", "NAHAS", "SPACE_NAMES", "TINY", "HardwareSpace"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardwareSpace:
    """A grid of accelerators, indexed field by field or by one flat index (last field fastest).

    Parameters
    ----------
    name : str
    clock_mhz : int
        The same for all points.
    values : mapping of field name to values
        In the order of the accelerator's fields; a field that is not there is the default's, the clock
        always.
    default : AcceleratorConfig
        The point that a search has to beat; its area is the budget.
    area_budget : float or None
        Largest area in mm², in the place of the default's.
    limits : Limits
        FPGA that accelerators have to fit and their highest power; any other is not realizable.

    Raises
    ------
    ValueError
        If a field has no values or they do not rise, or the default is not a point of the space.
    """

    name: str
    clock_mhz: int
    values: Mapping[str, tuple[int, ...] | tuple[float, ...]]
    default: AcceleratorConfig
    area_budget: float | None = None
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        """Check the values, and that the default is a point of the space."""
        for name, values in self.values.items():
            if not values or any(a >= b for a, b in itertools.pairwise(values)):
                raise ValueError(f"values.{name} must be a rising list, not {list(values)!r}")
        try:
            self.indices(self.default)
        except ValueError as error:
            raise ValueError(f"default.{error}") from None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return tuple(len(values) for values in self.values.values())

    def __len__(self) -> int:
        """Return the number of points."""
        return math.prod(self.sizes)

    def __iter__(self) -> Iterator[AcceleratorConfig]:
        """All points in the order of the flat index."""
        for indices in itertools.product(*map(range, self.sizes)):
            yield self.config(indices)

    def config(self, indices: Sequence[int]) -> AcceleratorConfig:
        """Return the point with the given index of every field's value."""
        chosen: dict[str, Any] = {
            name: values[int(index)]
            for (name, values), index in zip(self.values.items(), indices, strict=True)
        }
        return replace(self.default, clock_mhz=self.clock_mhz, **chosen)

    def indices(self, config: AcceleratorConfig) -> tuple[int, ...]:
        """Index of every field's value.

        Raises
        ------
        ValueError
            If the configuration is not a point of the space.
        """
        if config.clock_mhz != self.clock_mhz:
            raise ValueError(f"clock_mhz must be {self.clock_mhz}, not {config.clock_mhz!r}")
        positions = []
        for name in {field.name for field in fields(config)} - {"clock_mhz", *self.values}:
            value, only = getattr(config, name), getattr(self.default, name)
            if value != only:
                raise ValueError(f"{name} must be one of {[only]}, not {value!r}")
        for name, values in self.values.items():
            value = getattr(config, name)
            if value not in values:
                raise ValueError(f"{name} must be one of {list(values)}, not {value!r}")
            positions.append(values.index(value))
        return tuple(positions)

    def flat_index(self, config: AcceleratorConfig) -> int:
        """Position of the configuration in the order of iteration."""
        flat = 0
        for index, size in zip(self.indices(config), self.sizes, strict=True):
            flat = flat * size + index
        return flat

    def at(self, flat_index: int) -> AcceleratorConfig:
        """Return the point at a flat index."""
        if not 0 <= flat_index < len(self):
            raise IndexError(f"flat_index must be in 0 … {len(self) - 1}, not {flat_index}")
        indices = []
        for size in reversed(self.sizes):
            flat_index, index = divmod(flat_index, size)
            indices.append(index)
        return self.config(indices[::-1])

    def to_json(self) -> dict[str, Any]:
        """Return everything that a search in the space depends on as a JSON object."""
        budget: dict[str, Any] = {}
        if self.area_budget is not None:
            budget["area_budget"] = self.area_budget
        budget |= self.limits.to_json()
        return {
            "name": self.name,
            "clock_mhz": self.clock_mhz,
            "values": {name: list(values) for name, values in self.values.items()},
            "default": self.default.to_json(),
            **budget,
        }


TINY = HardwareSpace(
    name="tiny",
    clock_mhz=200,
    values=MappingProxyType(
        {
            "pes_x": (1, 2, 3, 4),
            "pes_y": (1, 2, 3, 4),
            "simd_units": (4, 8, 16, 32),
            "compute_lanes": (1, 2, 4),
            "local_memory_kb": (4, 8, 16, 32, 64),
            "register_file_kb": (1, 2, 4, 8, 16),
            "io_bandwidth_gbps": (0.4, 0.8, 1.6, 3.2),
            "weight_store_kb": (0, 16, 32, 64, 128, 256),
        }
    ),
    default=AcceleratorConfig(
        pes_x=2,
        pes_y=2,
        simd_units=8,
        compute_lanes=2,
        local_memory_kb=16,
        register_file_kb=4,
        io_bandwidth_gbps=0.8,
        clock_mhz=200,
    ),
)
"""Microcontroller class: 115,200 points, 16 … 8,192 MACs; the default has 64 KiB of local memory."""

NAHAS = HardwareSpace(
    name="nahas",
    clock_mhz=800,
    values=MappingProxyType(
        {
            "pes_x": (1, 2, 4, 6, 8),
            "pes_y": (1, 2, 4, 6, 8),
            "simd_units": (16, 32, 64, 128),
            "compute_lanes": (1, 2, 4, 8),
            "local_memory_kb": (512, 1024, 2048, 3072, 4096),
            "register_file_kb": (8, 16, 32, 64, 128),
            "io_bandwidth_gbps": (5.0, 10.0, 15.0, 20.0, 25.0),
        }
    ),
    default=AcceleratorConfig(
        pes_x=4,
        pes_y=4,
        simd_units=64,
        compute_lanes=4,
        local_memory_kb=2048,
        register_file_kb=32,
        io_bandwidth_gbps=20.0,
        clock_mhz=800,
    ),
)
"""The 50,000 points of NAHAS, Table 2; the default is its baseline."""

EDGE = HardwareSpace(
    name="edge",
    clock_mhz=NAHAS.clock_mhz,
    values=MappingProxyType(
        {
            **NAHAS.values,
            "pes_x": (1, 2, 4, 6, 7, 8),
            "pes_y": (1, 2, 4, 6, 7, 8),
            "local_memory_kb": (128, 256, 512, 1024, 1536, 2048, 3072, 4096),
            "weight_store_kb": (0, 1024, 2048, 4096, 8192),
        }
    ),
    default=replace(NAHAS.default, local_memory_kb=1536, weight_store_kb=8192),
)
"""NAHAS's points with a weight store, smaller local memories and grids of 7: 576,000.

The default has the 32 MiB of NAHAS's baseline, 24 of them local memories (docs/adr/0024-default-memories.md).
"""

HARDWARE_SPACES: Mapping[str, HardwareSpace] = MappingProxyType({"tiny": TINY, "edge": EDGE})
"""Spaces that the template is validated over, by name."""

SPACE_NAMES: Mapping[str, HardwareSpace] = MappingProxyType({**HARDWARE_SPACES, "nahas": NAHAS})
"""Spaces by every name that a user may give."""
