"""Measured timing constants: what ``cosilico calibrate`` writes and the cycle model reads."""

import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.dram import MEASURED
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic

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
"""Largest relative error of predicted cycles on the DRAM: a calibration beyond it is refused, and a run
that shows more is a difference."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DramCalibration:
    """Parameters of a DRAM, fitted to microbenchmarks, and how well they foretell other runs.

    Parameters
    ----------
    parameters : dict of str to int
        Every one of :data:`sim.dram.MEASURED` by its lower-case name.
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
        """Check that every parameter is there and no other."""
        _require_names("parameter", {p.name.lower() for p in MEASURED}, set(self.parameters))


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
        """Check that every constant is there and no other."""
        _require_names("constant", {c.name.lower() for c in Constant}, set(self.constants))

    @property
    def array(self) -> NDArray[np.int64]:
        """Constants in the order of :class:`Constant` : int64[n_constants]."""
        return np.array([self.constants[c.name.lower()] for c in Constant], np.int64)

    def require_hash(self, gateware_hash: str) -> None:
        """Raise :class:`StaleCalibrationError` if the gateware is another one by now."""
        if self.gateware_hash != gateware_hash:
            raise StaleCalibrationError(
                f"calibration was measured on gateware {self.gateware_hash[:12]}, "
                f"but the gateware is {gateware_hash[:12]}: run cosilico calibrate"
            )

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        content = {
            "schema": SCHEMA,
            "gateware_hash": self.gateware_hash,
            "simulator": self.simulator,
            "constants": self.constants,
        }
        return content if self.dram is None else content | {"dram": asdict(self.dram)}


def _require_names(kind: str, known: set[str], given: set[str]) -> None:
    for name in sorted(known ^ given):
        rule = "must be given" if name in known else f"is not a timing {kind}"
        raise ValueError(f"calibration {kind} {name!r} {rule}")


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
    try:
        return _parse(path.read_text())
    except OSError as error:
        raise DesignFileError(f"calibration file {path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DesignFileError(f"calibration file {path} is not valid: {error}") from None


@lru_cache(maxsize=1)
def default() -> Calibration:
    """The calibration that is shipped with this version of the gateware."""
    return _parse(resources.files("sim").joinpath(DEFAULT_FILE).read_text())


def _parse(text: str) -> Calibration:
    data = json.loads(text)
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema must be {SCHEMA}, not {data.get('schema')!r}")
    return Calibration(
        gateware_hash=str(data["gateware_hash"]),
        simulator=str(data["simulator"]),
        constants={str(name): int(value) for name, value in data["constants"].items()},
        dram=None if data.get("dram") is None else DramCalibration(**data["dram"]),
    )
