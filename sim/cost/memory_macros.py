"""An accelerator's memories as SRAM macros, by the part of the area that counts them."""

from dataclasses import dataclass

from sim.cost.ram_shapes import RamShape, memories
from sim.cost.sram import FLIP_FLOP_ROWS, Sram, memory_cells, sram
from sim.cost.sram_table import MemoryCells
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["MacroMemory", "memory_macros"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroMemory:
    """Memories of a size, all alike, made of macros.

    Parameters
    ----------
    shape : RamShape
        Width, rows, and how many of them the accelerator has.
    ports : int
    cells : MemoryCells
    figures : Sram
        Of each.
    """

    shape: RamShape
    ports: int
    cells: MemoryCells
    figures: Sram

    @property
    def area_mm2(self) -> float:
        """Area of all of them."""
        return self.shape.count * self.figures.area_um2 * 1e-6

    @property
    def leakage_mw(self) -> float:
        """Leakage of all of them at 300 K."""
        return self.shape.count * self.figures.leakage_uw * 1e-3


def memory_macros(
    config: AcceleratorConfig, cells: MemoryCells | None = None
) -> dict[str, tuple[MacroMemory, ...]]:
    """Memories of an accelerator that are made of macros; parts without any are left out.

    Parameters
    ----------
    config : AcceleratorConfig
    cells : MemoryCells, optional
        Without them those of :func:`sim.cost.sram.memory_cells` at the accelerator's clock.

    Raises
    ------
    ValueError
        If no cells are fast enough for the clock.
    """
    chosen = memory_cells(config.clock_mhz) if cells is None else cells
    made: dict[str, tuple[MacroMemory, ...]] = {}
    for part, shapes in memories(config).items():
        macros = tuple(
            MacroMemory(
                shape=shape,
                ports=shape.ports,
                cells=chosen,
                figures=sram(shape.width, shape.rows, ports=shape.ports, cells=chosen),
            )
            for shape in shapes
            if shape.rows > FLIP_FLOP_ROWS
        )
        if macros:
            made[part] = macros
    return made
