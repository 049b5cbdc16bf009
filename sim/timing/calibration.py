"""Measured timing constants: what ``cosilico calibrate`` writes and the cycle model reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.spec.archives import read_bytes
from sim.spec.documents import DOCUMENT_LIMIT_BYTES, Record, checked, parse_json
from sim.spec.dram import DramSystem
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.rules import Digest, Integer, Name, Number, shown
from sim.timing.dram import MEASURED

__all__ = [
    "DEFAULT_FILE",
    "DRAM_ERROR_LIMIT",
    "SCHEMA",
    "Calibration",
    "Constant",
    "DramCalibration",
    "MemoryColumn",
    "default",
    "load",
    "save",
]

SCHEMA = 2
DEFAULT_FILE = "calibration.json"

DRAM_ERROR_LIMIT = 0.05
"""Largest relative error of predicted cycles on the DRAM.

A calibration beyond it is refused, and a run that shows more is a difference.
"""


class Constant(IntEnum):
    """Timing constants, in cycles unless said; docs/reference/timing_constants.md defines each by its formula."""

    MEMORY_LATENCY = 0
    FETCH_DEPTH = 1
    QUEUE_DEPTH = 2
    READ_BURSTS = 3
    WRITE_BURSTS = 4
    TRANSFERS = 5
    FETCH_START = 6
    FETCH_REUSE = 7
    QUEUE_REUSE = 8
    TOKEN = 9
    LOAD_OVERHEAD = 10
    LOAD_NEXT = 11
    LOAD_REUSE = 12
    LOAD_ROOM = 13
    STORE_OVERHEAD = 14
    STORE_NEXT = 15
    STORE_REUSE = 16
    STORE_ROOM = 17
    DRAIN_CONV = 18
    DRAIN_DEPTHWISE = 19
    DRAIN_ADD = 20
    DRAIN_POOL = 21
    POOL_HOP = 22
    EXECUTE_NEXT = 23
    EXECUTE_AFTER_DRAIN = 24
    FINISH = 25
    LOAD_REQUEST = 26
    STORE_ADDRESS = 27
    STORE_BEAT = 28
    STORE_LAG = 29
    WEIGHT_STORE_NEXT = 30
    WEIGHT_STORE_FIRST = 31
    WEIGHT_STORE_TURN = 32


class MemoryColumn(IntEnum):
    """Places of the memory's values in the array that a walk reads, behind those of :class:`Constant`.

    The latency is in the place of MEMORY_LATENCY. 0 stands for what is not given: any number of
    bursts, the port's width, the accelerator's clock.
    """

    WRITE_LATENCY = len(Constant)
    OUTSTANDING = WRITE_LATENCY + 1
    WIDTH_BYTES = WRITE_LATENCY + 2
    CLOCK_MHZ = WRITE_LATENCY + 3
    BURST_GAP = WRITE_LATENCY + 4


_COUNT = Integer(1, 256)
_CYCLES = Integer(0, 4096)
_CLOCKS = Integer(0, 256)
_ERROR = Number(0, 1)
_COUNTS = (
    Constant.FETCH_DEPTH,
    Constant.QUEUE_DEPTH,
    Constant.READ_BURSTS,
    Constant.WRITE_BURSTS,
    Constant.TRANSFERS,
)

CONSTANT_RULES: Mapping[str, Integer] = MappingProxyType(
    {c.name.lower(): _COUNT if c in _COUNTS else _CYCLES for c in Constant}
)
"""Range of every timing constant."""

DRAM_RULES: Mapping[str, Integer] = MappingProxyType(
    {p.name.lower(): _CLOCKS for p in MEASURED}
    | {
        "column": Integer(1, 64),
        "column_long": Integer(1, 64),
        "refresh_interval": Integer(2048, 1 << 20),
        "refresh": Integer(0, 1 << 18),
    }
)
"""Range of every parameter of the DRAM that is measured.

A refresh takes a quarter of the interval at most, so that a burst always comes to its end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DramCalibration:
    """Parameters of a DRAM, fitted to microbenchmarks, and how well they foretell other runs.

    Parameters
    ----------
    digest : str
        Of the memory, :attr:`sim.spec.dram.DramSystem.digest`.
    parameters : dict of str to int
        Every one of :data:`sim.timing.dram.MEASURED` by its lower-case name.
    layers, networks : int
        Held-out layers and networks that were compared.
    mean, worst : float
        Relative error of the layers' cycles.
    network_mean, network_worst : float
        Of the networks' cycles.
    spearman : float
        Rank correlation of the layers' predicted and measured cycles.
    """

    digest: str
    parameters: dict[str, int]
    layers: int
    networks: int
    mean: float
    worst: float
    network_mean: float
    network_worst: float
    spearman: float

    def __post_init__(self) -> None:
        """Check that every parameter is there, in its range, and no other."""
        _require_ranges("parameter", DRAM_RULES, self.parameters)
        longest = self.parameters["refresh_interval"] // 4
        if self.parameters["refresh"] > longest:
            rule = f"must be at most a quarter of refresh_interval, {longest}"
            given = self.parameters["refresh"]
            raise ValueError(f"calibration parameter 'refresh' {rule}, not {given}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Constants and the gateware that they were measured on.

    Parameters
    ----------
    gateware_hash : str
        :func:`hwgen.gateware_hash.gateware_hash` at the time of the measurement.
    simulator : str
        Name and version.
    constants : dict of str to int
        Every :class:`Constant` by its lower-case name.
    drams : mapping of str to DramCalibration
        For tier T3, measured with the same gateware, by the memory's ``str``.
    """

    gateware_hash: str
    simulator: str
    constants: dict[str, int]
    drams: Mapping[str, DramCalibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that every constant is there, in its range, and no other."""
        _require_ranges("constant", CONSTANT_RULES, self.constants)

    @property
    def array(self) -> NDArray[np.int64]:
        """:meth:`walked` on the memory that the constants were measured on."""
        return self.walked(DETERMINISTIC)

    def walked(self, memory: FixedLatency) -> NDArray[np.int64]:
        """Array that the cycle model reads : int64[n_constants].

        Constants in the order of :class:`Constant`, then the memory's values in that of
        :class:`MemoryColumn`.
        """
        row = np.zeros(len(Constant) + len(MemoryColumn), np.int64)
        row[: len(Constant)] = [self.constants[name] for name in CONSTANT_RULES]
        latency = memory.latency or self.constants["memory_latency"]
        row[Constant.MEMORY_LATENCY] = latency
        row[MemoryColumn.WRITE_LATENCY] = memory.write_latency or latency
        row[MemoryColumn.OUTSTANDING] = memory.outstanding or 0
        row[MemoryColumn.WIDTH_BYTES] = memory.width_bytes or 0
        row[MemoryColumn.CLOCK_MHZ] = memory.clock_mhz or 0
        row[MemoryColumn.BURST_GAP] = memory.burst_gap
        return row

    def dram(self, system: DramSystem) -> DramCalibration:
        """Parameters of a DRAM.

        Raises
        ------
        DesignFileError
            If there are none, or they were fitted to another memory of that name.
        """
        command = f"run cosilico calibrate --memory {system}"
        fitted = self.drams.get(str(system))
        if fitted is None:
            given = ", ".join(self.drams) or "no DRAM"
            raise DesignFileError(f"calibration must have memory {system}, not {given}: {command}")
        if fitted.digest != system.digest:
            raise DesignFileError(
                f"calibration must have memory {system} {system.digest[:12]}, "
                f"not {fitted.digest[:12]}: {command}"
            )
        return fitted

    def require_hash(self, gateware_hash: str) -> None:
        """Raise :class:`StaleCalibrationError` if the gateware has changed since."""
        if self.gateware_hash != gateware_hash:
            raise StaleCalibrationError(
                f"calibration was measured on gateware {self.gateware_hash[:12]}, "
                f"but the gateware is {gateware_hash[:12]}: run cosilico calibrate"
            )

    def to_json(self) -> dict[str, Any]:
        """Content of the calibration file, as a JSON object."""
        return {
            "schema": SCHEMA,
            "gateware_hash": self.gateware_hash,
            "simulator": self.simulator,
            "constants": self.constants,
            "drams": {name: asdict(dram) for name, dram in self.drams.items()},
        }


def _require_ranges(kind: str, rules: Mapping[str, Integer], given: Mapping[str, Any]) -> None:
    for name in sorted(rules.keys() ^ given.keys()):
        rule = "must be given" if name in rules else f"is not a timing {kind}"
        raise ValueError(f"calibration {kind} {shown(name)} {rule}")
    for name, limits in rules.items():
        limits.require(given[name], f"calibration {kind} {name!r}")


class _DramRecord(Record):
    digest: Annotated[str, Digest()]
    parameters: dict[str, Any]
    layers: Annotated[int, Integer(0, 1_000_000)]
    networks: Annotated[int, Integer(0, 1_000_000)]
    mean: Annotated[float, _ERROR]
    worst: Annotated[float, _ERROR]
    network_mean: Annotated[float, _ERROR]
    network_worst: Annotated[float, _ERROR]
    spearman: Annotated[float, Number(-1, 1)]


class _CalibrationRecord(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    gateware_hash: Annotated[str, Digest()]
    simulator: Annotated[str, Name()]
    constants: dict[str, Any]
    drams: dict[str, Any] = Field(default_factory=dict)


def save(calibration: Calibration, path: Path) -> None:
    """Write a calibration file."""
    write_atomic(path, json.dumps(calibration.to_json(), indent=1) + "\n")


def load(path: Path) -> Calibration:
    """Read a calibration file.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    what = "calibration file"
    return _parse(read_bytes(path, what, DOCUMENT_LIMIT_BYTES), f"{what} {path}")


@lru_cache(maxsize=1)
def default() -> Calibration:
    """The calibration that is shipped with this version of the gateware."""
    return _parse(resources.files("sim.timing").joinpath(DEFAULT_FILE).read_bytes(), DEFAULT_FILE)


def _parse(content: bytes, what: str) -> Calibration:
    data = parse_json(content, what)
    if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
        raise DesignFileError(f"{what}: schema must be {SCHEMA}, not {shown(data['schema'])}")
    record = checked(_CalibrationRecord, data, f"{what}: calibration")
    drams = {
        name: checked(_DramRecord, dram, f"{what}: calibration.drams.{shown(name)[1:-1]}")
        for name, dram in record.drams.items()
    }
    try:
        return Calibration(
            gateware_hash=record.gateware_hash,
            simulator=record.simulator,
            constants=record.constants,
            drams={name: DramCalibration(**dict(dram)) for name, dram in drams.items()},
        )
    except ValueError as error:
        raise DesignFileError(f"{what}: {error}") from None
