"""Limits of a space: what no accelerator of it may exceed, whatever the network."""

from dataclasses import dataclass
from typing import Any

from sim.spec.fpga_devices import FpgaBudget

__all__ = ["NO_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of an FPGA's resources and of power; an accelerator that exceeds them is not realizable.

    Parameters
    ----------
    fpga : FpgaBudget or None
        FPGA that accelerators have to fit.
    power_mw : float or None
        Highest power at the clock, mW, as of :func:`sim.cost.power.peak_power`.
    """

    fpga: FpgaBudget | None = None
    power_mw: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return self.fpga is not None or self.power_mw is not None

    def to_json(self) -> dict[str, Any]:
        """Return what is limited as a JSON object, by the fields of a space."""
        limited: dict[str, Any] = {}
        if self.fpga is not None:
            limited["fpga"] = self.fpga.to_json()
        if self.power_mw is not None:
            limited["power_budget_mw"] = self.power_mw
        return limited


NO_LIMITS = Limits()
