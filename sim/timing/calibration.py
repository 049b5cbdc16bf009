"""Measured timing constants: what ``cosilico calibrate`` writes and the cycle model reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic
from sim.spec.rules import Digest, Integer, Name, Number, shown
from sim.timing.dram import MEASURED

__all__ = [
    "DEFAULT_FILE",
    "DRAM_ERROR_LIMIT",
    "SCHEMA",
    "Calibration",
    "Constant",
    "DramCalibration",
    "default",
    "load",
    "save",
]

SCHEMA = 1
DEFAULT_FILE = "calibration.json"

DRAM_ERROR_LIMIT = 0.05
"""Largest relative error of predicted cycles on the DRAM.

A calibration beyond it is refused, and a run that shows more is a difference.
"""


class Constant(IntEnum):
    """Timing constants, in cycles unless said; docs/calibration.md defines each by its formula."""

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
        "refresh_interval": Integer(2048, 1 << 20),
        "refresh": Integer(0, 1 << 18),
    }
)
"""Range of every parameter of the DRAM that is measured.

A burst then has fewer pieces than :data:`sim.timing.dram.PIECES`: at most 128 column accesses, and between
two refreshes time for 8 of them at least, as a refresh takes a quarter of the interval at most.
"""


PORT_DELAYS = ("fetch_delay", "load_request", "store_address", "store_beat", "store_lag")
"""Parameters of the DRAM's calibration that are the accelerator's, whatever is behind its ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DramCalibration:
    """Parameters of a DRAM, fitted to microbenchmarks, and how well they foretell other runs.

    Parameters
    ----------
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
    dram : DramCalibration, optional
        For tier T3, measured with the same gateware.
    """

    gateware_hash: str
    simulator: str
    constants: dict[str, int]
    dram: DramCalibration | None = None

    def __post_init__(self) -> None:
        """Check that every constant is there, in its range, and no other."""
        _require_ranges("constant", CONSTANT_RULES, self.constants)

    @property
    def array(self) -> NDArray[np.int64]:
        """Constants in the order of :class:`Constant` : int64[n_constants]."""
        return np.array([self.constants[c.name.lower()] for c in Constant], np.int64)

    @property
    def port_delays(self) -> dict[str, int]:
        """Delays of the accelerator's ports in cycles, by the names of :class:`sim.timing.dram.DramParameter`.

        Raises
        ------
        DesignFileError
            If no DRAM was calibrated, with which they are measured.
        """
        if self.dram is None:
            raise DesignFileError(
                "calibration must have a dram section for a queued memory: run cosilico calibrate "
                "--memory dram"
            )
        return {name: self.dram.parameters[name] for name in PORT_DELAYS}

    def require_hash(self, gateware_hash: str) -> None:
        """Raise :class:`StaleCalibrationError` if the gateware has changed since."""
        if self.gateware_hash != gateware_hash:
            raise StaleCalibrationError(
                f"calibration was measured on gateware {self.gateware_hash[:12]}, "
                f"but the gateware is {gateware_hash[:12]}: run cosilico calibrate"
            )

    def to_json(self) -> dict[str, Any]:
        """Content of the calibration file, as a JSON object."""
        content = {
            "schema": SCHEMA,
            "gateware_hash": self.gateware_hash,
            "simulator": self.simulator,
            "constants": self.constants,
        }
        return content if self.dram is None else content | {"dram": asdict(self.dram)}


def _require_ranges(kind: str, rules: Mapping[str, Integer], given: Mapping[str, Any]) -> None:
    for name in sorted(rules.keys() ^ given.keys()):
        rule = "must be given" if name in rules else f"is not a timing {kind}"
        raise ValueError(f"calibration {kind} {shown(name)} {rule}")
    for name, limits in rules.items():
        limits.require(given[name], f"calibration {kind} {name!r}")


class _DramRecord(Record):
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
    dram: dict[str, Any] | None = None


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
    dram = None
    if record.dram is not None:
        dram = checked(_DramRecord, record.dram, f"{what}: calibration.dram")
    try:
        return Calibration(
            gateware_hash=record.gateware_hash,
            simulator=record.simulator,
            constants=record.constants,
            dram=None if dram is None else DramCalibration(**dict(dram)),
        )
    except ValueError as error:
        raise DesignFileError(f"{what}: {error}") from None
