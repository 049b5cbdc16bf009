"""Silicon of an accelerator in standard cells: area by block, clock by module, faults."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwgen.synthesis.composition import instance_counts, with_below
from hwgen.synthesis.design import map_design
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.opensta import native_sta
from hwgen.synthesis.report import TimingReport, TimingRow, time_modules
from hwgen.synthesis.targets import StandardCellFlow
from sim.cost.external_interface import ExternalInterface, InterfacePrice, interface_price
from sim.cost.memory_macros import MacroMemory, memory_macros
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Block", "SiliconReport", "report_silicon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Logic of a module in a design; memories that are macros are not in it.

    Parameters
    ----------
    module : str
    instances : int
    cells, flip_flops : int
        Of one instance, without the modules below.
    own_um2 : float
        Area of one instance without the modules below.
    below_um2 : float
        Area of the modules below one instance.
    """

    module: str
    instances: int
    cells: int
    flip_flops: int
    own_um2: float
    below_um2: float

    @property
    def total_mm2(self) -> float:
        """Area of all instances without the modules below."""
        return self.instances * self.own_um2 * 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconReport:
    """Synthesis of an accelerator in standard cells.

    Parameters
    ----------
    accelerator : AcceleratorConfig
    blocks : sequence of Block
        Modules below before those around them.
    memories : mapping of str to tuple of MacroMemory
        Macros by the part of the area that has them.
    scale : float
        Area of a macro of the library's technology in that of 45 nm.
    timing : TimingReport
    interface : InterfacePrice, optional
        External interface, at 45 nm; it is beside the area.
    """

    accelerator: AcceleratorConfig
    blocks: Sequence[Block]
    memories: Mapping[str, tuple[MacroMemory, ...]]
    scale: float
    timing: TimingReport
    interface: InterfacePrice | None = None

    @property
    def logic_mm2(self) -> float:
        """Area of all cells, memories of flip-flops among them."""
        return sum(block.total_mm2 for block in self.blocks)

    @property
    def memory_mm2(self) -> float:
        """Area of all macros."""
        return sum(self.part_mm2(part) for part in self.memories)

    @property
    def area_mm2(self) -> float:
        """Area of cells and macros, without placement's gaps, clock tree and pads."""
        return self.logic_mm2 + self.memory_mm2

    @property
    def critical(self) -> TimingRow:
        """Slowest whole path."""
        return min((row for row in self.timing.rows if row.judged), key=lambda row: row.slack_ns)

    def part_mm2(self, part: str) -> float:
        """Area of the macros of a part."""
        return self.scale * sum(memory.area_mm2 for memory in self.memories[part])

    def clock_mhz(self, module: str) -> float | None:
        """Highest clock of the whole paths that a module is the smallest around; None without any."""
        rows = [row for row in self.timing.rows if row.judged and row.module == module]
        return min((row.clock_mhz for row in rows), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {
            "accelerator": self.accelerator.to_json(),
            "area_mm2": round(self.area_mm2, 6),
            "logic_mm2": round(self.logic_mm2, 6),
            "memory_mm2": round(self.memory_mm2, 6),
            "interface_mm2": None if self.interface is None else round(self.interface.area_mm2, 6),
            "fmax_mhz": round(self.critical.clock_mhz, 1),
            "faults": list(self.timing.faults),
            "blocks": [
                {
                    "module": block.module,
                    "instances": block.instances,
                    "cells": block.cells,
                    "flip_flops": block.flip_flops,
                    "own_um2": round(block.own_um2, 3),
                    "below_um2": round(block.below_um2, 3),
                }
                for block in self.blocks
            ],
            "memories": [
                {
                    "part": part,
                    "width": memory.shape.width,
                    "rows": memory.shape.rows,
                    "ports": memory.ports,
                    "number": memory.shape.count,
                    "cells": str(memory.cells),
                    "area_mm2": round(self.scale * memory.area_mm2, 6),
                }
                for part, memories in self.memories.items()
                for memory in memories
            ],
            "timing": self.timing.to_json(),
        }


def report_silicon(
    config: AcceleratorConfig,
    flow: StandardCellFlow,
    *,
    interface: ExternalInterface | None = None,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> SiliconReport:
    """Map an accelerator to standard cells, each module once, and compose it.

    Parameters
    ----------
    config : AcceleratorConfig
    flow : StandardCellFlow
    interface : ExternalInterface, optional
        Whose price is stated beside the area.
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    memories = memory_macros(config, flow.memory_cells)
    modules = map_design(config, flow, jobs=jobs, progress=progress)
    return SiliconReport(
        accelerator=config,
        blocks=_blocks(modules, flow.library),
        memories=memories,
        scale=flow.memory_scale**2,
        timing=time_modules(modules, flow, progress, opensta=bool(native_sta())),
        interface=None
        if interface is None
        else interface_price(interface, config.io_bandwidth_gbps),
    )


def _blocks(modules: Sequence[MappedModule], library: Library) -> list[Block]:
    counts = instance_counts(modules)
    areas = with_below(modules, lambda module: library.area_um2(module.cells))
    return [
        Block(
            module=module.name,
            instances=counts[module.name],
            cells=sum(module.cells.values()),
            flip_flops=sum(
                number for kind, number in module.cells.items() if library.cells[kind].setups
            ),
            own_um2=library.area_um2(module.cells),
            below_um2=areas[module.name] - library.area_um2(module.cells),
        )
        for module in modules
    ]
