"""Ports of the memory beside the accelerator: fast_memory.sv declares them, all else follows."""

import re
from dataclasses import dataclass

__all__ = ["MemoryPort", "memory_ports"]

_DECLARATION = re.compile(r"(input|output)(?: reg)?(?: (\[[^\]]+\]))? (\w+)\s*,?\s*(?://.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPort:
    """A port of the memory's module.

    Parameters
    ----------
    direction : str
        "input" or "output".
    range : str
        ``[high:low]`` of a vector; empty for a bit.
    name : str
    """

    direction: str
    range: str
    name: str

    @property
    def is_axi(self) -> bool:
        """Whether it is the accelerator's, and not the bench's."""
        return self.name.startswith("m_axi_")

    def declared(self, kind: str) -> str:
        """Declaration as ``kind``, such as ``output bit``, with the name."""
        return " ".join(part for part in (kind, self.range, self.name) if part)


def memory_ports(source: str) -> tuple[MemoryPort, ...]:
    """Ports of a module's source, whose list has one to a line, in their order.

    Raises
    ------
    ValueError
        If a line of the list is no declaration.
    """
    _, _, rest = source.partition("\n) (\n")
    listed, _, _ = rest.partition("\n);\n")
    ports = []
    for line in listed.splitlines():
        match = _DECLARATION.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"port must be declared in a line of its own, not {line.strip()!r}")
        direction, width, name = match.groups()
        ports.append(MemoryPort(direction=direction, range=width or "", name=name))
    return tuple(ports)
