"""Samples of silicon: what each module of an accelerator takes when it is mapped, kept in the cache."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwgen.gateware_hash import gateware_hash
from hwgen.module_names import module_kind, module_size
from hwgen.synthesis.cell_power import library_power
from hwgen.synthesis.composition import instance_counts
from hwgen.synthesis.design import map_design
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.mapping import CACHE_FOLDER, MappedModule
from hwgen.synthesis.resources import resources_of
from hwgen.synthesis.targets import FpgaFlow, StandardCellFlow
from sim.cost.silicon_fit import AREA, CLOCK, LEAKAGE
from sim.cost.silicon_origin import SiliconTarget
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root, write_atomic

__all__ = ["DesignSample", "ModuleSample", "TargetSamples", "cell_figures", "sample_design"]

_VERSION = "2"
"""Changes with what is kept."""

_FILE = "sample.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSample:
    """A module of a mapped accelerator.

    Parameters
    ----------
    kind : str
        Name without prefix and size.
    size : str
        Size in its name, as ``512x8``, or empty.
    instances : int
    figures : mapping of str to float
        Of one instance without the modules below: ``area_um2`` of standard cells, with ``leakage_uw`` and ``clock_pj``
        where the library has power, or resources of an FPGA.
    """

    kind: str
    size: str
    instances: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSample:
    """A mapped accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
    modules : sequence of ModuleSample
    """

    config: AcceleratorConfig
    modules: Sequence[ModuleSample]

    def total(self, figure: str) -> float:
        """Sum of a figure over all instances."""
        return sum(module.instances * module.figures[figure] for module in self.modules)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSamples(SiliconTarget):
    """Accelerators that were mapped to a target.

    Parameters
    ----------
    target, feature_nm, clock_mhz, flow
        As of :class:`~sim.cost.silicon_origin.SiliconTarget`.
    fitted, held_out : sequence of DesignSample
        Those to fit, and those by which the fit is judged.
    """

    fitted: Sequence[DesignSample]
    held_out: Sequence[DesignSample]


def sample_design(
    config: AcceleratorConfig,
    flow: StandardCellFlow | FpgaFlow,
    *,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> DesignSample:
    """Map an accelerator, or take what it takes from the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    flow : StandardCellFlow or FpgaFlow
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    file = _entry(config, flow) / _FILE
    if not file.is_file():
        modules = map_design(config, flow, jobs=jobs, progress=progress)
        counts = instance_counts(modules)
        samples = [
            ModuleSample(
                kind=module_kind(module.name),
                size=module_size(module.name),
                instances=counts[module.name],
                figures=_figures(module, flow),
            )
            for module in modules
        ]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps([asdict(sample) for sample in samples]) + "\n")
    record: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return DesignSample(config=config, modules=[ModuleSample(**module) for module in record])


def cell_figures(cells: Mapping[str, int], library: Library) -> dict[str, float]:
    """Area of so many cells of each kind; where the library has power, their leakage and the energy of their clock."""
    figures = {AREA: library.area_um2(cells)}
    power = library_power(library.path)
    if power is not None:
        figures[LEAKAGE] = power.cells_leakage_uw(cells)
        figures[CLOCK] = power.cells_clock_pj(cells, library)
    return figures


def _figures(module: MappedModule, flow: StandardCellFlow | FpgaFlow) -> dict[str, float]:
    if isinstance(flow, StandardCellFlow):
        return cell_figures(module.cells, flow.library)
    return asdict(resources_of(module.cells, flow.family))


def _entry(config: AcceleratorConfig, flow: StandardCellFlow | FpgaFlow) -> Path:
    """Entry of the cache for an accelerator of this gateware that is mapped by a flow."""
    accelerator = json.dumps(config.to_json(), sort_keys=True)
    parts = ("sample", _VERSION, gateware_hash(), flow.identity, accelerator)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return cache_root() / CACHE_FOLDER / digest[:24]
