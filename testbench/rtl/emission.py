"""Emitted Verilog, kept by configuration and by the sources that emitted it."""

import hashlib
from importlib import metadata
from pathlib import Path

import hwgen
import sim.spec
from hwgen.emit import emit
from hwgen.file_names import SINGLE_FILE
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.views import View
from testbench.rtl.build_cache import cached_directory, content_key

__all__ = ["emit_once"]


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
    """Return the accelerator's Verilog in a view, from ``root`` if it was emitted before."""

    def make(directory: Path) -> None:
        (directory / SINGLE_FILE).write_text(emit(config, view))

    key = content_key(repr(config.to_json()), _SOURCES, view)
    return (cached_directory(root / "verilog", key, make) / SINGLE_FILE).read_text()
