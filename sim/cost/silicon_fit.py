"""Silicon of modules fitted to synthesis: coefficients by feature, errors, and where they are from.

``cosilico calibrate --area`` writes the file; ``silicon_fits.json`` in this folder is shipped. A fit belongs to a target, cells or
an FPGA family, and with cells to the clock that mapping aimed at. It is of a gateware, and of another it is stale.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from sim.cost.silicon_modules import MODULES
from sim.cost.silicon_origin import (
    SCHEMA,
    OriginRecord,
    SiliconOrigin,
    SiliconTarget,
    TargetRecord,
    origin_fields,
    target_fields,
)
from sim.cost.silicon_shapes import SHAPED
from sim.spec.archives import read_bytes
from sim.spec.documents import DOCUMENT_LIMIT_BYTES, Record, checked, parse_json
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic
from sim.spec.rules import Integer, Number, shown

__all__ = [
    "AREA",
    "CLOCK",
    "DEFAULT_FILE",
    "FIGURES",
    "FPGA_FIGURES",
    "LEAKAGE",
    "FitError",
    "ModuleFit",
    "SiliconFit",
    "SiliconFits",
    "load",
    "module_features",
    "parse",
    "save",
    "shipped",
]

DEFAULT_FILE = "silicon_fits.json"

AREA = "area_um2"
"""Figure of standard cells: their area, µm²."""

LEAKAGE = "leakage_uw"
"""Figure of standard cells: their leakage, µW, a mean over their states."""

CLOCK = "clock_pj"
"""Figure of standard cells: energy of their clock pins in a cycle in which no flip-flop changes, pJ."""

FPGA_FIGURES = ("lut", "flip_flop", "dsp", "block_ram")
"""Figures of an FPGA."""

FIGURES = (AREA, LEAKAGE, CLOCK, *FPGA_FIGURES)


def module_features(kind: str) -> tuple[str, ...]:
    """Features of a kind of module.

    Raises
    ------
    KeyError
        If there is no such kind.
    """
    return _FEATURES[kind]


_FEATURES = {kind: tuple(features(1, 1, "")) for kind, features in SHAPED.items()} | {
    module.kind: module.features for module in MODULES
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FitError:
    """Relative errors of a fitted figure.

    Parameters
    ----------
    samples : int
        Mapped modules, or accelerators, that were compared.
    mean, worst : float
        Of the absolute values.
    """

    samples: int
    mean: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFit:
    """Silicon of a kind of module.

    Parameters
    ----------
    coefficients : mapping of str to mapping of str to float
        Of every figure by feature; none negative, those that are 0 left out.
    errors : mapping of str to FitError
        Of every figure, over different modules that the fit has seen.
    """

    coefficients: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, FitError]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconFit(SiliconTarget):
    """All modules on a target.

    Parameters
    ----------
    target, feature_nm, clock_mhz, flow
        As of :class:`~sim.cost.silicon_origin.SiliconTarget`.
    modules : mapping of str to ModuleFit
    fitted, held_out : mapping of str to FitError
        Over accelerators that were fitted to, and that were not; ``logic`` and ``total`` area, leakage and energy
        of the clock of standard cells, the figures of an FPGA.
    """

    modules: Mapping[str, ModuleFit]
    fitted: Mapping[str, FitError]
    held_out: Mapping[str, FitError]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiliconFits(SiliconOrigin):
    """Fits of a gateware and where they are from.

    Parameters
    ----------
    gateware_hash, tool, spaces, seed
        As of :class:`~sim.cost.silicon_origin.SiliconOrigin`.
    fits : sequence of SiliconFit
    """

    fits: Sequence[SiliconFit]

    @property
    def has_cells(self) -> bool:
        """Whether there are standard cells among the targets."""
        return any(fit.clock_mhz for fit in self.fits)

    def cells(self, clock_mhz: float) -> SiliconFit:
        """Fit of standard cells for a clock: of the lowest that is as high, else of the highest.

        Raises
        ------
        DesignFileError
            If there is none of standard cells.
        """
        fits = sorted((fit for fit in self.fits if fit.clock_mhz), key=lambda fit: fit.clock_mhz)
        if not fits:
            raise DesignFileError(
                "silicon fits must have standard cells: run cosilico calibrate --area"
            )
        return next((fit for fit in fits if fit.clock_mhz >= clock_mhz), fits[-1])

    def fpga(self, family: str) -> SiliconFit:
        """Fit of an FPGA family.

        Raises
        ------
        DesignFileError
            If there is none.
        """
        for fit in self.fits:
            if fit.target == family:
                return fit
        given = ", ".join(dict.fromkeys(fit.target for fit in self.fits))
        raise DesignFileError(
            f"silicon fits must have target {family}, not {given}: "
            f"run cosilico calibrate --area --target {family}"
        )

    def require_hash(self, gateware_hash: str) -> None:
        """Raise :class:`StaleCalibrationError` if the gateware has changed since."""
        if self.gateware_hash != gateware_hash:
            raise StaleCalibrationError(
                f"silicon was fitted to gateware {self.gateware_hash[:12]}, "
                f"but the gateware is {gateware_hash[:12]}: run cosilico calibrate --area"
            )

    def to_json(self) -> dict[str, Any]:
        """Content of the file, as a JSON object."""
        return {"schema": SCHEMA, **asdict(self)}


class _ErrorRecord(Record):
    samples: Annotated[int, Integer(0, 1_000_000)]
    mean: Annotated[float, Number(0, 1e6)]
    worst: Annotated[float, Number(0, 1e6)]


class _ModuleRecord(Record):
    coefficients: dict[str, dict[str, Annotated[float, Number(0, 1e9)]]]
    errors: dict[str, _ErrorRecord]


class _FitRecord(TargetRecord):
    modules: dict[str, _ModuleRecord]
    fitted: dict[str, _ErrorRecord]
    held_out: dict[str, _ErrorRecord]


class _FitsRecord(OriginRecord):
    fits: list[_FitRecord]


def save(fits: SiliconFits, path: Path) -> None:
    """Write a file of fits."""
    write_atomic(path, json.dumps(fits.to_json(), indent=1) + "\n")


def load(path: Path) -> SiliconFits:
    """Read a file of fits.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    what = "silicon fits"
    content = read_bytes(path, what, DOCUMENT_LIMIT_BYTES)
    return parse(parse_json(content, f"{what} {path}"), f"{what} {path}")


@lru_cache(maxsize=1)
def shipped() -> SiliconFits:
    """Fits that are shipped with this version of the gateware.

    Raises
    ------
    DesignFileError
        If there are none.
    """
    file = resources.files(__package__).joinpath(DEFAULT_FILE)
    if not file.is_file():
        raise DesignFileError(
            f"silicon fits must be in sim/cost/{DEFAULT_FILE}: run cosilico calibrate --area"
        )
    return parse(parse_json(file.read_bytes(), DEFAULT_FILE))


def parse(data: Any, what: str = DEFAULT_FILE) -> SiliconFits:
    """Fits of a file's JSON value.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
        raise DesignFileError(f"{what}: schema must be {SCHEMA}, not {shown(data['schema'])}")
    record = checked(_FitsRecord, data, f"{what}: fits")
    for place, fit in enumerate(record.fits):
        for kind, module in fit.modules.items():
            _require_features(kind, module, f"{what}: fits.fits[{place}].modules")
    cells = sorted({fit.target for fit in record.fits if fit.clock_mhz})
    if len(cells) > 1:
        raise DesignFileError(
            f"{what}: fits.fits must be of one library of standard cells, not {' and '.join(cells)}"
        )
    return SiliconFits(**origin_fields(record), fits=[_fit(fit) for fit in record.fits])


def _require_features(kind: str, module: _ModuleRecord, where: str) -> None:
    """Raise :class:`DesignFileError` if a kind of module, a figure or a feature is not known."""
    try:
        known = module_features(kind)
    except KeyError:
        raise DesignFileError(f"{where} must have kinds of modules, not {shown(kind)}") from None
    for figure, coefficients in module.coefficients.items():
        if figure not in FIGURES:
            rule = f"must be one of {', '.join(FIGURES)}"
            raise DesignFileError(f"{where}.{kind}: figure {rule}, not {shown(figure)}")
        for feature in coefficients:
            if feature not in known:
                rule = f"must be one of {', '.join(known)}"
                raise DesignFileError(f"{where}.{kind}: feature {rule}, not {shown(feature)}")


def _fit(record: _FitRecord) -> SiliconFit:
    return SiliconFit(
        **target_fields(record),
        modules={
            kind: ModuleFit(coefficients=module.coefficients, errors=_errors(module.errors))
            for kind, module in record.modules.items()
        },
        fitted=_errors(record.fitted),
        held_out=_errors(record.held_out),
    )


def _errors(records: Mapping[str, _ErrorRecord]) -> dict[str, FitError]:
    return {name: FitError(**dict(record)) for name, record in records.items()}
