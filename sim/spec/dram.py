"""DRAMs behind the accelerator's ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sim.spec.errors import DesignFileError
from sim.spec.rules import shown

__all__ = ["DRAM_PRESETS", "DramSystem", "dram_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DramSystem:
    """DRAM with its controller, named by its standard and speed.

    Parameters
    ----------
    name : str
        Of :data:`DRAM_PRESETS`, in capitals.
    """

    name: str

    def __str__(self) -> str:
        """Return the name in small letters, which ``--memory`` takes."""
        return self.name.lower()

    def to_json(self) -> dict[str, Any]:
        """Return the record that :func:`dram_of` reads."""
        return {"kind": "dram", "name": self.name}


DRAM_PRESETS: Mapping[str, DramSystem] = MappingProxyType(
    {"lpddr4-3200": DramSystem(name="LPDDR4-3200")}
)
"""DRAMs that have a name; ``dram`` stands for the first."""


def dram_of(data: Mapping[str, Any], where: str) -> DramSystem:
    """DRAM of a JSON or TOML object whose ``kind`` is ``dram``.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value.
    """
    for name in data.keys() - {"kind", "name"}:
        raise DesignFileError(f"{where} has no field {shown(name)}")
    known = {system.name: system for system in DRAM_PRESETS.values()}
    if data.get("name") not in known:
        rule = f"one of {', '.join(known)}"
        raise DesignFileError(f"{where}.name must be {rule}, not {shown(data.get('name'))}")
    return known[data["name"]]
