"""Emitted Verilog, kept by configuration and by the sources that emitted it."""

import hashlib
from functools import partial
from importlib import metadata
from pathlib import Path

import hwgen
import sim.spec
from hwgen.emit import Emission, emit_modules
from hwgen.file_names import SINGLE_FILE
from hwgen.garbage import without_collection
from hwgen.module_names import ModuleNames
from hwgen.simulation_view import grid_view
from hwgen.verilog.module_text import ModuleText
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.views import View
from testbench.rtl.build_cache import cached_directory, content_key

__all__ = ["emit_once", "simulation_view_of"]


def _sources_hash() -> str:
    """Hash of everything that emission reads: gateware, vocabulary and Amaranth's version."""
    digest = hashlib.sha256(metadata.version("amaranth").encode())
    for package in (hwgen, sim.spec):
        root = Path(next(iter(package.__path__)))
        for path in sorted([path for end in ("py", "v", "j2") for path in root.rglob(f"*.{end}")]):
            digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


_SOURCES = _sources_hash()
"""Taken at import, as the code that runs is."""


def emit_once(config: AcceleratorConfig, root: Path, view: View = View.SYNTHESIS) -> str:
    """Return the accelerator's Verilog in a view, from ``root`` if it was emitted before.

    Whoever asks for the synthesis view has the simulation view kept as well, which is then almost free.
    """
    chosen = View(view)

    def make(directory: Path) -> None:
        with without_collection():
            emission = emit_modules(config, chosen)
            _write(directory, emission)
            if chosen is View.SYNTHESIS:
                other = partial(_write, emission=simulation_view_of(config, emission))
                cached_directory(root / "verilog", _key(config, View.SIMULATION), other)

    return (
        cached_directory(root / "verilog", _key(config, chosen), make) / SINGLE_FILE
    ).read_text()


def simulation_view_of(config: AcceleratorConfig, synthesis: Emission) -> Emission:
    """Return the emission of an accelerator's simulation view, given that of its synthesis view.

    They differ in the PE grid and what only it instantiates; the result has the text
    that :func:`hwgen.emit.emit_modules` returns for the simulation view.
    """
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


def _write(directory: Path, emission: Emission) -> None:
    (directory / SINGLE_FILE).write_text(emission.text)
