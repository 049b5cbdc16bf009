"""Verilog of an accelerator as files: one per module, a list of them, and a manifest."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwgen.emit import Emission, VerilogOptions
from hwgen.file_names import FILE_LIST, MANIFEST_FILE, SINGLE_FILE
from hwgen.gateware_hash import gateware_hash
from hwgen.kept_emissions import kept_emission
from hwgen.memory_modules import MEMORY_PRIMITIVES
from hwgen.ports import top_ports
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic

__all__ = ["OWNERSHIP", "GeneratedVerilog", "generate"]


OWNERSHIP = (
    "Generated with Cosilico. This file belongs to whoever ran the generator, to use and to sell "
    "under any terms; Cosilico's own licence does not extend to it."
)
"""Paragraph in every file that is generated from an accelerator."""


class GeneratedVerilog:
    """Files of an accelerator's Verilog, not yet written.

    Parameters
    ----------
    files : dict of str to str
        Texts by file name: the modules, the list of them, and the manifest as the last.
    top : str
        Name of the top module.
    """

    def __init__(self, files: dict[str, str], top: str) -> None:
        """Keep the files."""
        self.files = files
        self.top = top

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files; the manifest is the last."""
        return tuple(self.files)

    def write(self, directory: Path) -> list[Path]:
        """Write all files, each complete or not at all; return their paths."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            write_atomic(directory / name, text)
        return [directory / name for name in self.files]


def generate(
    config: AcceleratorConfig,
    options: VerilogOptions = VerilogOptions(trace=False),  # noqa: B008  # frozen
    *,
    version: str,
    single_file: bool = False,
) -> GeneratedVerilog:
    """Emit an accelerator as files; the same files for the same arguments.

    Parameters
    ----------
    config : AcceleratorConfig
    options : VerilogOptions
        Without traces if not given.
    version : str
        Of Cosilico, for the files' heads.
    single_file : bool
        Put all modules in one file.

    Raises
    ------
    NotRealizableError
        If it cannot be built.
    """
    emission = kept_emission(config, options)
    head = _head(config, version)
    shared = f"// Cosilico {version}\n//\n{_comment(OWNERSHIP)}\n"
    if single_file:
        files = {SINGLE_FILE: f"{head}\n{emission.text}"}
    else:
        files = {f"{part.name}.v": f"{shared}\n{part.text}" for part in emission.memories}
        files |= {f"{part.name}.v": f"{head}\n{part.text}" for part in emission.modules}
    described = manifest(config, emission, options, version, list(files))
    files[FILE_LIST] = "".join(f"{name}\n" for name in files)
    files[MANIFEST_FILE] = json.dumps(described, indent=2) + "\n"
    return GeneratedVerilog(files, emission.top)


def manifest(
    config: AcceleratorConfig,
    emission: Emission,
    options: VerilogOptions,
    version: str,
    files: list[str],
) -> dict[str, Any]:
    """Describe an emission.

    Returns
    -------
    dict
        ``ownership``, ``version``, ``fingerprint``, ``accelerator`` (all fields), ``top``,
        ``gateware_hash``, ``files``, ``ports`` (name, direction, bits, meaning) and ``memories`` (path
        below the top, module, ``width`` in bits, ``depth``).
    """
    return {
        "ownership": OWNERSHIP,
        "version": version,
        "fingerprint": config.fingerprint,
        "accelerator": config.to_json(),
        "top": emission.top,
        "gateware_hash": gateware_hash(),
        "files": files,
        "ports": [asdict(port) for port in top_ports(config, trace=options.trace)],
        "memories": list(_memories(emission)),
    }


def _memories(emission: Emission) -> Iterator[dict[str, Any]]:
    """Yield all memories below the top, in the order of the text."""
    modules = {module.name: module for module in emission.modules}

    def below(module: str, path: str) -> Iterator[dict[str, Any]]:
        for instance in modules[module].instances:
            if instance.kind in MEMORY_PRIMITIVES:
                yield {
                    "path": path + instance.name,
                    "module": instance.module,
                    "width": instance.parameters["WIDTH"],
                    "depth": instance.parameters["DEPTH"],
                }
            else:
                yield from below(instance.module, f"{path}{instance.name}.")

    return below(emission.top, "")


def _head(config: AcceleratorConfig, version: str) -> str:
    """Return the comment at the head of a module's file."""
    fields = ", ".join(f"{name} {value}" for name, value in config.to_json().items())
    lines = [
        f"Cosilico {version}, accelerator {config.fingerprint:08x}",
        fields,
        "",
        OWNERSHIP,
    ]
    return "\n".join(_comment(line) for line in lines) + "\n"


def _comment(text: str) -> str:
    """Return a text as comment lines of bounded length."""
    return "\n".join(f"// {line}".rstrip() for line in textwrap.wrap(text, 97) or [""])
