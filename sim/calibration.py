"""Measured timing constants: what ``cosilico calibrate`` writes and the cycle model reads."""

import json
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic

__all__ = ["DEFAULT_FILE", "SCHEMA", "Calibration", "Constant", "default", "load", "save"]

SCHEMA = 1
DEFAULT_FILE = "calibration.json"


class Constant(IntEnum):
    """Timing constants, in cycles unless said; docs/calibration.md defines each by its formula."""

    MEMORY_LATENCY = 0
    FETCH_DEPTH = 1
    QUEUE_DEPTH = 2
    READ_BURSTS = 3
    FETCH_START = 4
    FETCH_REUSE = 5
    QUEUE_REUSE = 6
    TOKEN = 7
    LOAD_OVERHEAD = 8
    LOAD_NEXT = 9
    LOAD_REUSE = 10
    STORE_OVERHEAD = 11
    STORE_NEXT = 12
    STORE_BURST = 13
    HOLD_CONV = 14
    HOLD_DEPTHWISE = 15
    HOLD_ADD = 16
    HOLD_POOL = 17
    DRAIN_CONV = 18
    DRAIN_DEPTHWISE = 19
    DRAIN_ADD = 20
    DRAIN_POOL = 21
    POOL_HOP = 22
    EXECUTE_NEXT = 23
    EXECUTE_AFTER_DRAIN = 24
    STORES_HIDDEN = 25
    FINISH = 26


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
    """

    gateware_hash: str
    simulator: str
    constants: dict[str, int]

    def __post_init__(self) -> None:
        """Check that every constant is there and no other."""
        known = {constant.name.lower() for constant in Constant}
        for name in sorted(known ^ set(self.constants)):
            rule = "must be given" if name in known else "is not a timing constant"
            raise ValueError(f"calibration constant {name!r} {rule}")

    @property
    def array(self) -> NDArray[np.int64]:
        """Constants in the order of :class:`Constant` : int64[27]."""
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
        return {
            "schema": SCHEMA,
            "gateware_hash": self.gateware_hash,
            "simulator": self.simulator,
            "constants": self.constants,
        }


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
    )
