"""Utilization of an FPGA by an accelerator: resources by block."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hwgen.synthesis.composition import instance_counts
from hwgen.synthesis.design import map_design
from hwgen.synthesis.resources import resources_of
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow
from sim.cost.fpga_resources import NO_RESOURCES, Resources
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["FpgaBlock", "UtilizationReport", "report_utilization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaBlock:
    """A module in a design on an FPGA.

    Parameters
    ----------
    module : str
        A memory's ends with its rows and bits.
    instances : int
    own : Resources
        Of one instance, without the modules below.
    """

    module: str
    instances: int
    own: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilizationReport:
    """Synthesis of an accelerator for an FPGA, neither placed nor routed.

    Parameters
    ----------
    accelerator : AcceleratorConfig
    family : FpgaFamily
    blocks : sequence of FpgaBlock
        Modules below before those around them.
    faults : tuple of str
        Loops in modules, nets with several drivers or none, latches.
    """

    accelerator: AcceleratorConfig
    family: FpgaFamily
    blocks: Sequence[FpgaBlock]
    faults: tuple[str, ...]

    @property
    def total(self) -> Resources:
        """Resources of the whole design."""
        return sum((block.own * block.instances for block in self.blocks), NO_RESOURCES)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {
            "accelerator": self.accelerator.to_json(),
            "family": str(self.family),
            **asdict(self.total),
            "faults": list(self.faults),
            "blocks": [
                {"module": block.module, "instances": block.instances, **asdict(block.own)}
                for block in self.blocks
            ],
        }


def report_utilization(
    config: AcceleratorConfig,
    family: FpgaFamily,
    *,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> UtilizationReport:
    """Map an accelerator to an FPGA's cells, each module once, and compose it.

    Parameters
    ----------
    config : AcceleratorConfig
    family : FpgaFamily
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    modules = map_design(config, FpgaFlow(family=family), jobs=jobs, progress=progress)
    counts = instance_counts(modules)
    return UtilizationReport(
        accelerator=config,
        family=family,
        blocks=[
            FpgaBlock(
                module=module.name,
                instances=counts[module.name],
                own=resources_of(module.cells, family),
            )
            for module in modules
        ],
        faults=tuple(
            f"{module.name}: {problem}" for module in modules for problem in module.problems
        ),
    )
