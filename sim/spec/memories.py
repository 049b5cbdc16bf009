"""External memories that a prediction or a simulation is for."""

from enum import StrEnum

__all__ = ["Memory"]


class Memory(StrEnum):
    """External memory behind the accelerator.

    DETERMINISTIC is tier T1, a fixed latency, for which cycles are exact. DRAM is tier T3, an LPDDR4
    memory whose parameters are fitted; docs/calibration.md states the error.
    """

    DETERMINISTIC = "deterministic"
    DRAM = "dram"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise ValueError(f"memory must be one of {', '.join(cls)}, not {value!r}")
