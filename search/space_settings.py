"""Settings of the hardware space: a section of an experiment, and a file of its own."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from search.sections import Section, choice, made, optional, record, truth
from search.toml_files import read_toml
from sim.spec.documents import checked
from sim.spec.errors import DesignFileError
from sim.spec.fpga_devices import FPGA_DEVICES, RESOURCES, FpgaBudget
from sim.spec.limits import Limits
from sim.spec.rules import Choice, Identifier, Integer, Number, Rising
from sim.spec.spaces import SPACE_NAMES, HardwareSpace

__all__ = ["DefaultSettings", "HardwareSpaceSettings", "ValuesSettings", "load_space_file"]

_COUNT = Integer(1, (1 << 32) - 1)
_BANDWIDTH = Number(0.001, 1e6)
_STORE = Integer(0, (1 << 32) - 1)
_FLAG = Integer(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesSettings(Section):
    """Values of each field of the accelerator, where they differ from those of the space.

    Parameters
    ----------
    pes_x, pes_y, simd_units, compute_lanes, local_memory_kb, register_file_kb : tuple of int or None
        Values to choose from, as docs/reference/accelerator.md explains the field; a single value fixes it.
    io_bandwidth_gbps : tuple of float or None
        Values to choose from, GB/s.
    weight_store_kb : tuple of int or None
        Values to choose from; 0 is none.
    activation_table : tuple of int or None
        Values to choose from: 0 without, 1 with tables. Networks with tables need 1.
    """

    pes_x: tuple[int, ...] | None = optional(Rising(_COUNT))
    pes_y: tuple[int, ...] | None = optional(Rising(_COUNT))
    simd_units: tuple[int, ...] | None = optional(Rising(_COUNT))
    compute_lanes: tuple[int, ...] | None = optional(Rising(_COUNT))
    local_memory_kb: tuple[int, ...] | None = optional(Rising(_COUNT))
    register_file_kb: tuple[int, ...] | None = optional(Rising(_COUNT))
    io_bandwidth_gbps: tuple[float, ...] | None = optional(Rising(_BANDWIDTH))
    weight_store_kb: tuple[int, ...] | None = optional(Rising(_STORE))
    activation_table: tuple[int, ...] | None = optional(Rising(_FLAG))


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultSettings(Section):
    """Fields of the default accelerator, where they differ from those of the space's.

    Parameters
    ----------
    pes_x, pes_y, simd_units, compute_lanes, local_memory_kb, register_file_kb : int or None
        One of the field's values.
    io_bandwidth_gbps : float or None
        One of the field's values, GB/s.
    weight_store_kb, activation_table : int or None
        One of the field's values.
    """

    pes_x: int | None = optional(_COUNT)
    pes_y: int | None = optional(_COUNT)
    simd_units: int | None = optional(_COUNT)
    compute_lanes: int | None = optional(_COUNT)
    local_memory_kb: int | None = optional(_COUNT)
    register_file_kb: int | None = optional(_COUNT)
    io_bandwidth_gbps: float | None = optional(_BANDWIDTH)
    weight_store_kb: int | None = optional(_STORE)
    activation_table: int | None = optional(_FLAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSpaceSettings(Section):
    """A section ``[hardware]``: a space that is built in, changed where a field is given.

    Parameters
    ----------
    space : str
        Space to start from: tiny (microcontroller class), edge, or nahas: the published space, whose
        accelerators have no weight store.
    name : str or None
        Name of the changed space, for reports.
    clock_mhz : int or None
        Clock of all accelerators.
    area_budget : float or None
        Largest area, mm²; that of the default if not given.
    power_budget_mw : float or None
        Highest power at the clock, mW, in which everything works in every cycle; any if not given.
    device : str or None
        FPGA that accelerators have to fit, by their fitted resources.
    luts, ffs, dsps : int or None
        Look-up tables, flip-flops and multipliers of the device that accelerators may take; all if not given.
    brams : float or None
        RAM blocks, likewise.
    fixed : bool
        Whether the default is the only accelerator: the search is then of a network for it.
    values : table
        Values of each field of the accelerator.
    default : table
        The accelerator that a search has to beat. It must be a point of the space.
    """

    space: str = choice("tiny", *SPACE_NAMES)
    name: str | None = optional(Identifier())
    clock_mhz: int | None = optional(Integer(1, 10_000))
    area_budget: float | None = optional(Number(1e-6, 1e6))
    power_budget_mw: float | None = optional(Number(1e-6, 1e9))
    device: str | None = optional(Choice(tuple(FPGA_DEVICES)))
    luts: int | None = optional(_COUNT)
    ffs: int | None = optional(_COUNT)
    dsps: int | None = optional(Integer(0, (1 << 32) - 1))
    brams: float | None = optional(Number(0, 1e6))
    fixed: bool = truth(False)
    values: ValuesSettings = field(
        default_factory=ValuesSettings, metadata={"section": ValuesSettings}
    )
    default: DefaultSettings = field(
        default_factory=DefaultSettings, metadata={"section": DefaultSettings}
    )

    def __post_init__(self) -> None:
        """Check the fields, and that they make a space."""
        Section.__post_init__(self)
        self.hardware_space()

    def hardware_space(self) -> HardwareSpace:
        """Space that the section describes; a built-in one itself where nothing is changed.

        With ``fixed``, the default is its only point.
        """
        space = self._whole_space()
        if not self.fixed:
            return space
        return replace(
            space,
            name=self.name or f"{space.name}_fixed",
            values={name: (getattr(space.default, name),) for name in space.values},
        )

    def _whole_space(self) -> HardwareSpace:
        base = SPACE_NAMES[self.space]
        values, default = _given(self.values), _given(self.default)
        limits = Limits(fpga=self._fpga(), power_mw=self.power_budget_mw)
        changes = (self.name, self.clock_mhz, self.area_budget, limits or None)
        if not values and not default and all(change is None for change in changes):
            return base
        clock_mhz = base.clock_mhz if self.clock_mhz is None else self.clock_mhz
        return HardwareSpace(
            name=self.name or f"{base.name}_changed",
            clock_mhz=clock_mhz,
            values={**base.values, **values},
            default=replace(base.default, clock_mhz=clock_mhz, **default),
            area_budget=self.area_budget,
            limits=limits,
        )

    def _fpga(self) -> FpgaBudget | None:
        """Device, with the resources that are given in the place of its own."""
        given = {name: getattr(self, name) for name in RESOURCES}
        given = {name: value for name, value in given.items() if value is not None}
        if self.device is None:
            for name in given:
                raise ValueError(f"device must be given with {name}")
            return None
        return replace(FPGA_DEVICES[self.device], **given)


def load_space_file(path: Path) -> HardwareSpace:
    """Hardware space of the section ``[hardware]`` of a TOML file, which may be an experiment.

    Raises
    ------
    DesignFileError
        One line that names the file, the field, the rule and the value.
    """
    data = read_toml(path, "space file")
    if "hardware" not in data:
        raise DesignFileError(f"{path}: hardware must be given, as a table")
    try:
        values = checked(record(HardwareSpaceSettings), data["hardware"], "hardware")
        return made(HardwareSpaceSettings, values, "hardware").hardware_space()
    except DesignFileError as error:
        raise DesignFileError(f"{path}: {error}") from None


def _given(section: Section) -> dict[str, Any]:
    return {
        entry.name: getattr(section, entry.name)
        for entry in fields(section)
        if getattr(section, entry.name) is not None
    }
