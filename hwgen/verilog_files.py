"""Verilog of an accelerator as files: the text, and a manifest that describes it."""

import json
import re
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from hwgen.emit import TOP_MODULE, emit
from hwgen.file_names import MANIFEST_FILE, VERILOG_FILE
from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.primitives.single_port_ram import SINGLE_PORT_MODULE
from hwgen.gateware.primitives.unique import MODULE_PREFIX
from hwgen.gateware_hash import gateware_hash
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic

__all__ = ["OWNERSHIP", "manifest", "write"]


OWNERSHIP = (
    "Generated with Cosilico. This file belongs to whoever ran the generator, to use and to sell "
    "under any terms; Cosilico's own licence does not extend to it."
)
"""Paragraph in every file that is generated from an accelerator."""

_RAM_MODULES = (f"{MODULE_PREFIX}ram", SINGLE_PORT_MODULE)
_MODULE = re.compile(r"^module (\w+)\s*[(#].*?^endmodule", re.DOTALL | re.MULTILINE)
_INSTANCE = re.compile(
    rf"^  ({MODULE_PREFIX}\w+) (?:#\((.*?)\) )?\\?(\S+) +?\(", re.DOTALL | re.MULTILINE
)
_PARAMETER = re.compile(r"\.(\w+)\(32'd(\d+)\)")


def write(config: AcceleratorConfig, directory: Path) -> Path:
    """Write ``cosilico_top.v`` and ``manifest.json``; return the Verilog's path.

    Each file appears complete or not at all.

    Raises
    ------
    NotRealizableError
        Before anything is written.
    """
    text = emit(config)
    path = directory / VERILOG_FILE
    write_atomic(path, f"// {OWNERSHIP}\n\n{text}")
    described = json.dumps(manifest(config, text), indent=2)
    write_atomic(directory / MANIFEST_FILE, described + "\n")
    return path


def manifest(config: AcceleratorConfig, text: str) -> dict[str, Any]:
    """Describe what `text`, emitted for `config`, holds.

    Returns
    -------
    dict
        ``ownership``, ``fingerprint``, ``accelerator`` (all fields), ``top``, ``gateware_hash``,
        ``ports`` (name, direction, bits) and ``memories`` (path below the top, ``width`` in bits,
        ``depth``) of the RAM primitives.
    """
    ports = [
        {
            "name": name,
            "direction": "input" if member.flow == In else "output",
            "bits": Shape.cast(member.shape).width,
        }
        for name, member in accelerator_signature(config).members.items()
    ]
    clocking = [{"name": name, "direction": "input", "bits": 1} for name in ("clk", "rst")]
    return {
        "ownership": OWNERSHIP,
        "fingerprint": config.fingerprint,
        "accelerator": config.to_json(),
        "top": TOP_MODULE,
        "gateware_hash": gateware_hash(),
        "ports": clocking + ports,
        "memories": _memories(text),
    }


def _memories(text: str) -> list[dict[str, Any]]:
    """List all RAM primitives below the top, in the order of the text."""
    instances = {
        module[1]: [(cell[1], cell[2] or "", cell[3]) for cell in _INSTANCE.finditer(module[0])]
        for module in _MODULE.finditer(text)
    }

    def below(module: str, path: str) -> list[dict[str, Any]]:
        memories = []
        for kind, parameters, name in instances[module]:
            if kind in _RAM_MODULES:
                values = {key: int(value) for key, value in _PARAMETER.findall(parameters)}
                memories.append(
                    {"path": path + name, "width": values["WIDTH"], "depth": values["DEPTH"]}
                )
            else:
                memories += below(kind, f"{path}{name}.")
        return memories

    return below(TOP_MODULE, "")
