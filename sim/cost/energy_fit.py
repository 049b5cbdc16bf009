"""Energy of modules at work, fitted to netlists that were simulated: coefficients by activity, errors, and where they are from.

``cosilico calibrate --energy`` writes the file; ``energy_fits.json`` in this folder is shipped. A fit belongs to cells and to the clock
that mapping aimed at, as that of silicon does, with which it is used. It is of a gateware, and of another it is stale.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from sim.cost.energy_activities import FITTED_ACTIVITIES
from sim.cost.silicon_fit import FitError, module_features
from sim.cost.silicon_modules import macro_memories
from sim.spec.archives import read_bytes
from sim.spec.documents import DOCUMENT_LIMIT_BYTES, Record, checked, parse_json
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic
from sim.spec.rules import Digest, Integer, Name, Number, shown

__all__ = [
    "DEFAULT_FILE",
    "SCHEMA",
    "EnergyFit",
    "EnergyFits",
    "MemoryAccesses",
    "load",
    "save",
    "shipped",
]

SCHEMA = 1
DEFAULT_FILE = "energy_fits.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAccesses:
    """Accesses to each macro of a kind of memory.

    Parameters
    ----------
    reads, writes : mapping of str to float
        Rows by activity.
    """

    reads: Mapping[str, float]
    writes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFit:
    """All modules in standard cells for a clock.

    Parameters
    ----------
    target : str
        Name of the library.
    clock_mhz : float
        Clock that mapping aimed at.
    flow : str
        Digest of cells, commands and tool.
    switching : mapping of str to mapping of str to float
        Energy by kind of module and activity, in fJ for each µm² of a module's cells.
    memories : mapping of str to MemoryAccesses
        Of macros, by name (:func:`sim.cost.silicon_modules.macro_memories`).
    fitted, held_out : mapping of str to FitError
        Over runs that were fitted to, and that were not: the whole energy, its parts, and that of layers or accelerators that are new.
    """

    target: str
    clock_mhz: float
    flow: str
    switching: Mapping[str, Mapping[str, float]]
    memories: Mapping[str, MemoryAccesses]
    fitted: Mapping[str, FitError]
    held_out: Mapping[str, FitError]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFits:
    """Fits of a gateware and where they are from.

    Parameters
    ----------
    gateware_hash : str
        Gateware that was simulated.
    tool : str
        Name and version.
    accelerators : int
        Accelerators whose runs were simulated.
    workloads : sequence of str
        Networks that they ran.
    fits : sequence of EnergyFit
    """

    gateware_hash: str
    tool: str
    accelerators: int
    workloads: Sequence[str]
    fits: Sequence[EnergyFit]

    def cells(self, clock_mhz: float) -> EnergyFit:
        """Fit for a clock: of the lowest that is as high, else of the highest."""
        fits = sorted(self.fits, key=lambda fit: fit.clock_mhz)
        return next((fit for fit in fits if fit.clock_mhz >= clock_mhz), fits[-1])

    def require_hash(self, gateware_hash: str) -> None:
        """Raise :class:`StaleCalibrationError` if the gateware has changed since."""
        if self.gateware_hash != gateware_hash:
            raise StaleCalibrationError(
                f"energy was fitted to gateware {self.gateware_hash[:12]}, "
                f"but the gateware is {gateware_hash[:12]}: run cosilico calibrate --energy"
            )

    def to_json(self) -> dict[str, Any]:
        """Content of the file, as a JSON object."""
        return {"schema": SCHEMA, **asdict(self)}


_Coefficients = dict[str, Annotated[float, Number(0, 1e9)]]


class _ErrorRecord(Record):
    samples: Annotated[int, Integer(0, 1_000_000)]
    mean: Annotated[float, Number(0, 1e6)]
    worst: Annotated[float, Number(0, 1e6)]


class _AccessesRecord(Record):
    reads: _Coefficients
    writes: _Coefficients


class _FitRecord(Record):
    target: Annotated[str, Name()]
    clock_mhz: Annotated[float, Number(1, 1e6)]
    flow: Annotated[str, Digest()]
    switching: dict[str, _Coefficients]
    memories: dict[str, _AccessesRecord]
    fitted: dict[str, _ErrorRecord]
    held_out: dict[str, _ErrorRecord]


class _FitsRecord(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    gateware_hash: Annotated[str, Digest()]
    tool: Annotated[str, Name()]
    accelerators: Annotated[int, Integer(1, 1_000_000)]
    workloads: list[Annotated[str, Name()]]
    fits: Annotated[list[_FitRecord], Field(min_length=1)]


def save(fits: EnergyFits, path: Path) -> None:
    """Write a file of fits."""
    write_atomic(path, json.dumps(fits.to_json(), indent=1) + "\n")


def load(path: Path) -> EnergyFits:
    """Read a file of fits.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    what = "energy fits"
    return _parse(read_bytes(path, what, DOCUMENT_LIMIT_BYTES), f"{what} {path}")


@lru_cache(maxsize=1)
def shipped() -> EnergyFits:
    """Fits that are shipped with this version of the gateware.

    Raises
    ------
    DesignFileError
        If there are none.
    """
    file = resources.files(__package__).joinpath(DEFAULT_FILE)
    if not file.is_file():
        raise DesignFileError(
            f"energy fits must be in sim/cost/{DEFAULT_FILE}: run cosilico calibrate --energy"
        )
    return _parse(file.read_bytes(), DEFAULT_FILE)


def _parse(content: bytes, what: str) -> EnergyFits:
    data = parse_json(content, what)
    if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
        raise DesignFileError(f"{what}: schema must be {SCHEMA}, not {shown(data['schema'])}")
    record = checked(_FitsRecord, data, f"{what}: fits")
    for place, fit in enumerate(record.fits):
        where = f"{what}: fits.fits[{place}]"
        for kind, switching in fit.switching.items():
            try:
                module_features(kind)
            except KeyError:
                raise DesignFileError(
                    f"{where}.switching must have kinds of modules, not {shown(kind)}"
                ) from None
            _require_activities(switching, f"{where}.switching.{kind}")
        for name, accesses in fit.memories.items():
            if name not in macro_memories():
                rule = f"must have memories ({', '.join(macro_memories())})"
                raise DesignFileError(f"{where}.memories {rule}, not {shown(name)}")
            _require_activities(accesses.reads, f"{where}.memories.{name}.reads")
            _require_activities(accesses.writes, f"{where}.memories.{name}.writes")
    return EnergyFits(
        gateware_hash=record.gateware_hash,
        tool=record.tool,
        accelerators=record.accelerators,
        workloads=record.workloads,
        fits=[_fit(fit) for fit in record.fits],
    )


def _require_activities(coefficients: Mapping[str, float], where: str) -> None:
    for activity in coefficients:
        if activity not in FITTED_ACTIVITIES:
            rule = f"activity must be one of {', '.join(FITTED_ACTIVITIES)}"
            raise DesignFileError(f"{where}: {rule}, not {shown(activity)}")


def _fit(record: _FitRecord) -> EnergyFit:
    return EnergyFit(
        target=record.target,
        clock_mhz=record.clock_mhz,
        flow=record.flow,
        switching=record.switching,
        memories={
            name: MemoryAccesses(reads=accesses.reads, writes=accesses.writes)
            for name, accesses in record.memories.items()
        },
        fitted={name: FitError(**dict(error)) for name, error in record.fitted.items()},
        held_out={name: FitError(**dict(error)) for name, error in record.held_out.items()},
    )
