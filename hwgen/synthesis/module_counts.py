"""How many modules of each kind and size an accelerator has, as the fitted silicon counts them."""

from collections import Counter

from hwgen.synthesis.samples import DesignSample
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_modules import MODULES, silicon_memories
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY, FPGA_MEMORIES
from sim.cost.sram import FLIP_FLOP_ROWS
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["module_counts", "require_counts"]


def module_counts(config: AcceleratorConfig, *, fpga: bool) -> Counter[tuple[str, str]]:
    """Modules of an accelerator by kind and size, with standard cells or on an FPGA; no macros."""
    counts: Counter[tuple[str, str]] = Counter()
    for module in MODULES:
        counts[module.kind, ""] += module.number(config)
    for memory in silicon_memories():
        shape = memory.shape(config)
        if memory.fifo:
            counts[FIFO, f"{shape.width}x{shape.rows}"] += shape.count
        kind = _memory_kind(shape, fpga=fpga)
        if kind is not None:
            counts[kind, f"{shape.rows}x{shape.width}"] += shape.count
    return +counts


def require_counts(sample: DesignSample, *, fpga: bool) -> None:
    """Check that a mapped accelerator has the modules that are counted.

    Raises
    ------
    RuntimeError
        If it has others: the table of modules is not this gateware's.
    """
    counted = module_counts(sample.config, fpga=fpga)
    mapped: Counter[tuple[str, str]] = Counter()
    for module in sample.modules:
        mapped[module.kind, module.size] += module.instances
    for kind, size in sorted((counted - mapped) | (mapped - counted)):
        raise RuntimeError(
            f"modules {kind!r} {size} must be counted {mapped[kind, size]} times, as they are in the "
            f"netlist of {sample.config}, not {counted[kind, size]}"
        )


def _memory_kind(shape: RamShape, *, fpga: bool) -> str | None:
    """Kind of a memory's module; None for a macro."""
    if fpga:
        return FPGA_MEMORIES[shape.ports - 1]
    return FLIP_FLOP_MEMORY if shape.rows <= FLIP_FLOP_ROWS else None
