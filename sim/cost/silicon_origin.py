"""Where mapped silicon is from: the gateware, tool and draw, and the target that it is mapped to; also as parts of files."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import Field

from sim.spec.documents import Record
from sim.spec.rules import Digest, Integer, Name, Number

__all__ = [
    "SCHEMA",
    "OriginRecord",
    "SiliconOrigin",
    "SiliconTarget",
    "TargetRecord",
    "origin_fields",
    "target_fields",
]

SCHEMA = 1
"""Version of files of samples and of fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconOrigin:
    """Gateware that was synthesized, by what, and how accelerators were drawn.

    Parameters
    ----------
    gateware_hash : str
        Gateware that was synthesized.
    tool : str
        Name and version.
    spaces : sequence of str
        Spaces that accelerators were drawn from.
    seed : int
    """

    gateware_hash: str
    tool: str
    spaces: Sequence[str]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconTarget:
    """Target of a mapping: standard cells at a clock, or an FPGA family.

    Parameters
    ----------
    target : str
        Name of the standard cells' library, or of an FPGA family.
    feature_nm : float
        Feature size of standard cells; 0 of an FPGA.
    clock_mhz : float
        Clock that mapping aimed at; 0 of an FPGA.
    flow : str
        Digest of cells, commands and tool.
    """

    target: str
    feature_nm: float
    clock_mhz: float
    flow: str


class OriginRecord(Record):
    """Fields of a file that :class:`SiliconOrigin` has, and its schema."""

    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    gateware_hash: Annotated[str, Digest()]
    tool: Annotated[str, Name()]
    spaces: list[Annotated[str, Name()]]
    seed: Annotated[int, Integer(0, 1 << 31)]


class TargetRecord(Record):
    """Fields of a file that :class:`SiliconTarget` has."""

    target: Annotated[str, Name()]
    feature_nm: Annotated[float, Number(0, 1e6)]
    clock_mhz: Annotated[float, Number(0, 1e6)]
    flow: Annotated[str, Digest()]


def origin_fields(source: SiliconOrigin | OriginRecord) -> dict[str, Any]:
    """Fields of :class:`SiliconOrigin`, of an object or of a file's record."""
    return {field.name: getattr(source, field.name) for field in fields(SiliconOrigin)}


def target_fields(source: SiliconTarget | TargetRecord) -> dict[str, Any]:
    """Fields of :class:`SiliconTarget`, of an object or of a file's record."""
    return {field.name: getattr(source, field.name) for field in fields(SiliconTarget)}
