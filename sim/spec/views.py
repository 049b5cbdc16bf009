"""Forms in which the PE grid of an accelerator is written."""

from enum import StrEnum

__all__ = ["View"]


class View(StrEnum):
    """Form of the PE grid: the netlist to synthesize, or loops that a simulator runs fast."""

    SYNTHESIS = "synthesis"
    SIMULATION = "simulation"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise ValueError(f"view must be one of {', '.join(cls)}, not {value!r}")
