"""Modules of an accelerator, each placed and routed on an ECP5 between registers of its own."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwgen import yosys
from hwgen.emit import VerilogOptions
from hwgen.gateware_hash import gateware_hash
from hwgen.kept_emissions import kept_emission
from hwgen.memory_modules import MemoryStyle
from hwgen.module_names import PREFIX
from hwgen.synthesis.harness import HARNESS, harness_text
from hwgen.synthesis.nextpnr import AIM_MHZ, DEVICE, Nextpnr, Route
from hwgen.synthesis.sources import ModuleSource, module_sources
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import cache_root, temporary_folder, write_atomic

__all__ = ["EACH", "RESOURCES", "RoutedModule", "RoutingReport", "report_routing"]

EACH = "each"
"""Stands for all modules but the memories."""

RESOURCES: Mapping[str, tuple[str, int]] = {
    "TRELLIS_COMB": ("LUT", 83_640),
    "TRELLIS_FF": ("FF", 83_640),
    "MULT18X18D": ("DSP", 156),
    "DP16KD": ("BRAM", 208),
}
"""Resources of an LFE5U-85F by nextpnr's names: what people call them, and how many there are."""

CACHE_FOLDER = "routing"
"""Folder of the cache with a file for every route."""

_VERSION = "1"
"""Changes with what is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedModule:
    """A module with all modules below it, routed once per seed.

    Parameters
    ----------
    module : str
        Without the prefix.
    routes : mapping of int to Route
        By seed; none if the module does not fit.
    lacking : str
        Resources that it needs more of than there are; empty if it fits.
    """

    module: str
    routes: Mapping[int, Route]
    lacking: str = ""

    @property
    def best(self) -> Route | None:
        """Route of the highest clock, None if the module does not fit."""
        return max(self.routes.values(), key=lambda route: route.clock_mhz, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the module's routes as a JSON object."""
        return {
            "module": self.module,
            "lacking": self.lacking,
            "routes": {str(seed): asdict(route) for seed, route in self.routes.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReport:
    """Modules of an accelerator, placed and routed.

    Parameters
    ----------
    accelerator : AcceleratorConfig
    gateware_hash : str
        Gateware that was routed.
    tool : str
        Name and version of the router.
    modules : sequence of RoutedModule
        Modules below before those around them.
    """

    accelerator: AcceleratorConfig
    gateware_hash: str
    tool: str
    modules: Sequence[RoutedModule]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {
            "accelerator": self.accelerator.to_json(),
            "gateware_hash": self.gateware_hash,
            "tool": self.tool,
            "device": " ".join(DEVICE),
            "aim_mhz": AIM_MHZ,
            "modules": [module.to_json() for module in self.modules],
        }


def report_routing(
    config: AcceleratorConfig,
    names: Sequence[str],
    *,
    seeds: Sequence[int] = (1,),
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> RoutingReport:
    """Place and route modules of an accelerator on an ECP5, each on its own with all that is below it.

    What was routed before, for any accelerator, is taken from the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    names : sequence of str
        Modules without the prefix, ``top`` for the whole accelerator; or EACH.
    seeds : sequence of int
        Of placement.
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    CosilicoError
        If there is no such module, or nextpnr is not there or fails.
    """
    router = Nextpnr.installed()
    progress("Verilog", 0, 1)
    options = VerilogOptions(memories=MemoryStyle.FPGA, trace=False)
    emission = kept_emission(config, options)
    sources = {
        source.name.removeprefix(PREFIX): source
        for source in module_sources(emission, MemoryStyle.FPGA)
    }
    progress("Verilog", 1, 1)
    known = [name for name, source in sources.items() if not source.parameters]
    chosen = known if list(names) == [EACH] else names
    for name in chosen:
        if name not in known:
            raise CosilicoError(
                f"--route must be {EACH} or one of {', '.join(known)}, not {name!r}"
            )
    routed: dict[str, RoutedModule] = {}
    progress("routing", 0, len(chosen))
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        running = [pool.submit(_route, sources, name, router, seeds) for name in chosen]
        try:
            for future in as_completed(running):
                module = future.result()
                routed[module.module] = module
                progress("routing", len(routed), len(chosen))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return RoutingReport(
        accelerator=config,
        gateware_hash=gateware_hash(),
        tool=router.identity,
        modules=[routed[name] for name in known if name in routed],
    )


def _route(
    sources: Mapping[str, ModuleSource], name: str, router: Nextpnr, seeds: Sequence[int]
) -> RoutedModule:
    """Route a module with each seed that is not in the cache."""
    flow = FpgaFlow(family=FpgaFamily.ECP5)
    source = sources[name]
    text = _text(sources, name)
    text += harness_text(source.module, text)
    key = "\0".join((_VERSION, flow.identity, router.identity, *DEVICE, str(AIM_MHZ), text))
    entry = cache_root() / CACHE_FOLDER / hashlib.sha256(key.encode()).hexdigest()[:24]
    files = {seed: entry / f"{seed}.json" for seed in seeds}
    if not all(file.is_file() for file in files.values()):
        with temporary_folder() as folder:
            lacking = _synthesize(text, flow, folder)
            if lacking:
                return RoutedModule(module=name, routes={}, lacking=lacking)
            for seed, file in files.items():
                if not file.is_file():
                    route = router.route(folder / "netlist.json", seed)
                    entry.mkdir(parents=True, exist_ok=True)
                    write_atomic(file, json.dumps(asdict(route)) + "\n")
    return RoutedModule(module=name, routes={seed: _read(file) for seed, file in files.items()})


def _read(file: Path) -> Route:
    """Read a route from the cache."""
    record = json.loads(file.read_text(encoding="utf-8"))
    return Route(**{**record, "path": tuple(record["path"])})


def _text(sources: Mapping[str, ModuleSource], name: str) -> str:
    """Text of a module and of all below it, each once."""
    needed, texts = {PREFIX + name}, []
    for source in reversed(list(sources.values())):
        if source.name in needed:
            needed.update(source.children)
            texts.append(source.text)
    return "\n".join(dict.fromkeys(reversed(texts))) + "\n"


def _synthesize(text: str, flow: FpgaFlow, folder: Path) -> str:
    """Map a harness to the FPGA's cells in a folder; return the resources that it lacks."""
    (folder / "harness.v").write_text(text, encoding="utf-8")
    netlist = folder / "netlist.json"
    yosys.run(
        [
            f"read_verilog {folder / 'harness.v'}",
            f"hierarchy -check -top {HARNESS}",
            "proc",
            "flatten -noscopeinfo",
            *flow.commands(HARNESS, folder),
            f"write_json {netlist}",
        ]
    )
    cells = json.loads(netlist.read_text(encoding="utf-8"))["modules"][HARNESS]["cells"]
    needed = dict.fromkeys(RESOURCES, 0)
    for cell in cells.values():
        kind, number = _PLACES.get(cell["type"], (cell["type"], 1))
        if kind in needed:
            needed[kind] += number
    return ", ".join(
        f"{needed[kind]:,} of {there:,} {name}"
        for kind, (name, there) in RESOURCES.items()
        if needed[kind] > there
    )


_PLACES = {
    "LUT4": ("TRELLIS_COMB", 1),
    "CCU2C": ("TRELLIS_COMB", 2),
    "TRELLIS_DPR16X4": ("TRELLIS_COMB", 4),
}
"""Resources of Yosys's cells that have another name in nextpnr."""
