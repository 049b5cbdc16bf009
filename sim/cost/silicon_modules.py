"""Modules of an accelerator: how many there are, and the features by which the silicon of each grows.

Names are those of the emitted modules without prefix and size (``hwgen.module_names.module_kind``); a test counts
the modules of synthesized netlists. What is below a module counts by itself. A module's silicon is a sum of
features with coefficients that are fitted and not negative (:mod:`sim.cost.silicon_fit`); memories are in
:func:`silicon_memories`, what they and FIFOs grow by in :mod:`sim.cost.silicon_shapes`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from sim.cost.ram_shapes import MEMORIES, RamShape
from sim.spec.accelerator import AcceleratorConfig

__all__ = [
    "MODULES",
    "SiliconMemory",
    "SiliconModule",
    "macro_memories",
    "silicon_memories",
]

_PES = ("pes_x", "pes_y")
_LANES = (*_PES, "compute_lanes")
_UNITS = (*_LANES, "simd_units")
_PACED = ("io_bandwidth_gbps", "clock_mhz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconModule:
    """A kind of module, without the modules below it.

    Parameters
    ----------
    kind : str
    part : str
        Part of the area that has it.
    features : tuple of str
        Features that one instance grows by.
    fields : tuple of str
        Fields of a configuration that decide how many there are.
    number : callable
        Instances.
    """

    kind: str
    part: str
    features: tuple[str, ...] = ("one",)
    fields: tuple[str, ...] = ()
    number: Callable[[AcceleratorConfig], int] = lambda config: 1


def _unions(config: AcceleratorConfig) -> int:
    """Every row of PEs has a union of what is read, and where PEs share buses a union for every bank."""
    return config.pes_y * (1 + (config.compute_lanes if config.pes_x > 1 else 0))


def _pacers(config: AcceleratorConfig) -> int:
    earn, cost = config.pacing
    return 2 if earn < cost else 0


MODULES = (
    SiliconModule(
        kind="simd_unit",
        part="multiply_accumulate",
        fields=_UNITS,
        number=lambda c: c.pes * c.compute_lanes * c.simd_units,
    ),
    SiliconModule(
        kind="requantizer_unit",
        part="requantizers",
        features=("one", "table"),
        fields=_UNITS,
        number=lambda c: c.pes * c.compute_lanes * c.requantizer_width,
    ),
    SiliconModule(
        kind="lane",
        part="accumulators",
        features=("one", "vector_bits"),
        fields=_LANES,
        number=lambda c: c.pes * c.compute_lanes,
    ),
    SiliconModule(
        kind="pe",
        part="interconnect",
        features=(
            *("one", "lanes_bits", "lanes_choice_bits", "vector_shift_bits", "row_bus_bits"),
            "lanes_address_bits",
        ),
        fields=_PES,
        number=lambda c: c.pes,
    ),
    SiliconModule(
        kind="union",
        part="interconnect",
        features=("joined_bits", "union_bits"),
        fields=_LANES,
        number=_unions,
    ),
    SiliconModule(
        kind="distributor",
        part="interconnect",
        features=(
            *("one", "grid_row_bits", "vector_bits", "grid_vector_bits", "grid_lanes"),
            *("grid_sides", "columns_address_bits", "lanes", "row_address_bits", "table"),
        ),
    ),
    SiliconModule(kind="grid", part="interconnect"),
    SiliconModule(
        kind="load",
        part="bus",
        features=(
            *("one", "row_bits", "vector_bits", "bus_bits", "store", "store_row_bits"),
            *("row_address_bits", "table"),
        ),
    ),
    SiliconModule(kind="load_bursts", part="bus"),
    SiliconModule(
        kind="row_walker",
        part="bus",
        features=("one", "lanes", "grid_columns", "row_address_bits"),
    ),
    SiliconModule(kind="row_beats", part="bus"),
    SiliconModule(
        kind="gather",
        part="bus",
        features=("one", "vector_bits", "window_bits", "gather_shift_bits"),
    ),
    SiliconModule(kind="tile_walker", part="bus", features=("one", "lanes"), number=lambda c: 2),
    SiliconModule(kind="store", part="bus", features=("one", "vector_bits", "bus_bits")),
    SiliconModule(kind="store_bursts", part="bus", number=lambda c: 2),
    SiliconModule(kind="store_locator", part="bus"),
    SiliconModule(kind="pacer", part="bus", fields=_PACED, number=_pacers),
    SiliconModule(
        kind="weight_store",
        part="weight_store",
        features=("one", "store_choice_bits", "store_address_bits"),
        fields=("weight_store_kb", "simd_units"),
        number=lambda c: int(c.store_rows > 0),
    ),
    SiliconModule(
        kind="execute",
        part="control",
        features=(
            *("one", "lanes", "bank_address_bits", "grid_columns", "file_address_bits", "table"),
        ),
    ),
    SiliconModule(kind="csr", part="control"),
    SiliconModule(kind="life", part="control"),
    SiliconModule(kind="fetch", part="control"),
    SiliconModule(kind="sequencer", part="control"),
    SiliconModule(kind="top", part="control", features=("one", "table")),
)
"""Kinds of modules, but for memories and FIFOs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconMemory:
    """Memories of a kind, all alike in an accelerator.

    Parameters
    ----------
    name : str
        Of all FIFOs the part's.
    part : str
        Part of the area that has them.
    fifo : bool
        Whether each is a FIFO's, with a module ``fifo`` around it.
    fields, shape_fields : tuple of str
        Fields of a configuration that decide how many there are; that decide their size.
    shape : callable
        Size and number; a number of 0 where there is none.
    """

    name: str
    part: str
    fifo: bool
    fields: tuple[str, ...]
    shape_fields: tuple[str, ...]
    shape: Callable[[AcceleratorConfig], RamShape]

    def number(self, config: AcceleratorConfig) -> int:
        """Memories of an accelerator."""
        return self.shape(config).count


_SHAPES: tuple[tuple[str, int, tuple[str, ...], tuple[str, ...]], ...] = (
    ("requantizers", 1, (*_UNITS, "activation_table"), ("activation_table",)),
    ("parameter_memory", 1, _LANES, ("simd_units",)),
    ("register_files", 2, _LANES, ("simd_units", "register_file_kb")),
    ("window_rings", 1, _LANES, ("simd_units",)),
    ("local_memory", 1, _LANES, ("simd_units", "compute_lanes", "local_memory_kb")),
    (
        *("weight_store", 1),
        ("pes_x", "weight_store_kb", "simd_units"),
        ("simd_units", "pes_x", "weight_store_kb"),
    ),
    ("bus", 1, (), ("simd_units",)),
    ("control", 8, (), ("activation_table",)),
)
"""Part, kinds of memories in it, fields of their number and of their size."""

_FIFOS = ("bus", "control")
_NAMES = {("register_files", 1): "saved_accumulators"}
"""Names of memories that are not the only kind in their part."""


@cache
def silicon_memories() -> Sequence[SiliconMemory]:
    """Memories of accelerators, those of :func:`sim.cost.ram_shapes.memories`."""
    return [
        SiliconMemory(
            name=_NAMES.get((part, index), part),
            part=part,
            fifo=part in _FIFOS,
            fields=fields,
            shape_fields=shape_fields,
            shape=partial(_shape, part, index),
        )
        for part, number, fields, shape_fields in _SHAPES
        for index in range(number)
    ]


@cache
def macro_memories() -> tuple[str, ...]:
    """Names of the memories that may be macros."""
    return tuple(memory.name for memory in silicon_memories() if not memory.fifo)


def _shape(part: str, index: int, config: AcceleratorConfig) -> RamShape:
    shapes = MEMORIES[part](config)
    return shapes[index] if shapes else RamShape(width=1, rows=1, count=0)
