"""Names of the emitted modules, which tell the accelerators of one chip apart."""

import re
from dataclasses import dataclass

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["PREFIX", "ModuleNames", "check_prefix", "module_kind", "module_size"]

PREFIX = "cosilico_"
"""Beginning of all names, unless a user asks for another."""

_SIZE = re.compile(r"_(\d+x\d+)$")
"""Size in the name of a FIFO or a memory."""


def module_kind(name: str) -> str:
    """Kind of a module: its name without prefix and size. The fingerprint must be off already."""
    return _SIZE.sub("", name.removeprefix(PREFIX))


def module_size(name: str) -> str:
    """Size in a module's name, as ``512x8``; empty if it has none."""
    match = _SIZE.search(name)
    return "" if match is None else match[1]


def check_prefix(prefix: str) -> str:
    """Return a prefix that names can begin with.

    Raises
    ------
    ValueError
        If it is no identifier of Verilog.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", prefix, re.ASCII):
        raise ValueError(f"prefix must be a letter and then letters, digits or _, not {prefix!r}")
    return prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNames:
    """Names of the modules of one accelerator.

    Parameters
    ----------
    prefix : str
        Beginning of every name.
    suffix : str
        End of the name of every module whose text depends on the configuration; may be empty.
    """

    prefix: str = PREFIX
    suffix: str = ""

    @classmethod
    def of(cls, config: AcceleratorConfig, prefix: str = PREFIX) -> "ModuleNames":
        """Names that end with the fingerprint of the configuration, as its register reads."""
        return cls(prefix=check_prefix(prefix), suffix=f"_{config.fingerprint:08x}")

    def own(self, module: str) -> str:
        """Name of a module of this accelerator."""
        return f"{self.prefix}{module}{self.suffix}"

    def shared(self, module: str) -> str:
        """Name of a module whose text is the same for every configuration."""
        return f"{self.prefix}{module}"

    @property
    def top(self) -> str:
        """Name of the accelerator's top module."""
        return self.own("top")

    @property
    def grid(self) -> str:
        """Name of the PE grid, which the two views share."""
        return self.own("grid")

    @property
    def pe(self) -> str:
        """Name of a PE, below the grid in the synthesis view."""
        return self.own("pe")
