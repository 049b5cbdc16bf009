"""A configuration's Verilog, mapped module by module."""

from collections.abc import Callable

from hwgen.emit import VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.synthesis.mapping import MappedModule, map_modules
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.targets import Flow
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["map_design"]


def map_design(
    config: AcceleratorConfig,
    flow: Flow,
    *,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> list[MappedModule]:
    """Map an accelerator without ports for traces; modules below a module come before it.

    Parameters
    ----------
    config : AcceleratorConfig
    flow : Flow
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    progress("Verilog", 0, 1)
    options = VerilogOptions(memories=flow.memories, trace=False)
    emission = kept_emission(config, options)
    sources = module_sources(emission, flow.memories)
    progress("Verilog", 1, 1)
    return map_modules(sources, flow, jobs=jobs, progress=progress)
