"""Emitted Verilog, kept by configuration and by the sources that emitted it."""

import hashlib
import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hwgen
import sim.spec
from hwgen.build_cache import cached_directory, content_key, kept_directory
from hwgen.file_names import SINGLE_FILE
from hwgen.garbage import without_collection
from hwgen.module_names import ModuleNames
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root
from sim.spec.views import View

if TYPE_CHECKING:
    from hwgen.emit import Emission, VerilogOptions

__all__ = ["emit_once", "kept_emission", "simulation_view_of"]

_FOLDER = "verilog"
_EMISSION_FILE = "emission.json"


def _sources_hash() -> str:
    """Hash of everything that emission reads: gateware, vocabulary, and the versions of Amaranth and Yosys."""
    versions = (metadata.version("amaranth"), metadata.version("pyosys"))
    digest = hashlib.sha256("\0".join(versions).encode())
    for package in (hwgen, sim.spec):
        root = Path(next(iter(package.__path__)))
        for path in sorted([path for end in ("py", "v", "j2") for path in root.rglob(f"*.{end}")]):
            digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


_SOURCES = _sources_hash()
"""Taken at import, as the code that runs is."""


def emit_once(config: AcceleratorConfig, root: Path, view: View = View.SYNTHESIS) -> str:
    """Return the accelerator's Verilog in a view, from ``root`` if it was emitted before.

    The simulation view is made from the modules of the synthesis view where these are kept, which is then almost free.
    Amaranth is imported only where something is emitted.
    """
    chosen = View(view)

    def make(directory: Path) -> None:
        with without_collection():
            (directory / SINGLE_FILE).write_text(_emission(config, root, chosen).text)

    return (cached_directory(root / _FOLDER, _key(config, chosen), make) / SINGLE_FILE).read_text()


def _emission(config: AcceleratorConfig, root: Path, view: View) -> "Emission":
    """Modules of a view, emitted only if those of the synthesis view are not kept."""
    from hwgen.emit import VerilogOptions, emit_modules

    options = VerilogOptions()
    if view is View.SYNTHESIS:
        return kept_emission(config, options, root)
    kept = kept_directory(root / _FOLDER, _options_key(config, options))
    if kept is None:
        return emit_modules(config, view)
    return simulation_view_of(config, _read(kept))


def kept_emission(
    config: AcceleratorConfig, options: "VerilogOptions", root: Path | None = None
) -> "Emission":
    """Return the modules of an accelerator's synthesis view, from ``root`` if they were emitted before.

    They are those of :func:`hwgen.emit.emit_modules`, byte for byte.

    Parameters
    ----------
    config : AcceleratorConfig
    options : VerilogOptions
    root : Path, optional
        Where they are kept; see :func:`sim.spec.files.cache_root`.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    from hwgen.emit import emit_modules

    def make(directory: Path) -> None:
        with without_collection():
            emission = emit_modules(config, options=options)
        text = json.dumps(_encoded(emission))
        (directory / _EMISSION_FILE).write_text(text, encoding="utf-8")

    folder = (root or cache_root()) / _FOLDER
    return _read(cached_directory(folder, _options_key(config, options), make))


def simulation_view_of(config: AcceleratorConfig, synthesis: "Emission") -> "Emission":
    """Return the emission of an accelerator's simulation view, given that of its synthesis view.

    They differ in the PE grid and what only it instantiates; the result has the text
    that :func:`hwgen.emit.emit_modules` returns for the simulation view.
    """
    from hwgen.emit import Emission
    from hwgen.simulation_view import grid_view
    from hwgen.verilog.module_text import ModuleText

    grid = ModuleNames.of(config).grid
    modules = {module.name: module for module in synthesis.modules}
    text = grid_view(config, grid)
    modules[grid] = ModuleText(name=grid, text=text, instances=(), nets={})
    kept = {synthesis.top}
    for name in reversed(modules):  # each stands behind those that it instantiates
        if name in kept:
            kept.update(instance.module for instance in modules[name].instances)
    return Emission(
        top=synthesis.top,
        modules=tuple(module for name, module in modules.items() if name in kept),
        memories=tuple(memory for memory in synthesis.memories if memory.name in kept),
    )


def _key(config: AcceleratorConfig, view: View) -> str:
    return content_key(repr(config.to_json()), _SOURCES, view)


def _options_key(config: AcceleratorConfig, options: "VerilogOptions") -> str:
    return content_key(_key(config, View.SYNTHESIS), repr(options))


def _read(directory: Path) -> "Emission":
    return _decoded(json.loads((directory / _EMISSION_FILE).read_bytes()))


def _encoded(emission: "Emission") -> dict[str, Any]:
    return {
        "top": emission.top,
        "modules": [asdict(module) for module in emission.modules],
        "memories": [list(memory) for memory in emission.memories],
    }


def _decoded(record: dict[str, Any]) -> "Emission":
    from hwgen.emit import Emission
    from hwgen.memory_modules import MemoryModule
    from hwgen.verilog.module_text import InstanceText, ModuleText

    return Emission(
        top=record["top"],
        modules=tuple(
            ModuleText(
                name=module["name"],
                text=module["text"],
                instances=tuple(InstanceText(**instance) for instance in module["instances"]),
                nets=module["nets"],
            )
            for module in record["modules"]
        ),
        memories=tuple(MemoryModule(*memory) for memory in record["memories"]),
    )
