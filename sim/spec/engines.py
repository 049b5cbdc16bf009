"""Ways to run an emitted accelerator in a simulation."""

from enum import StrEnum

__all__ = ["Engine"]


class Engine(StrEnum):
    """Bench around an emitted accelerator: the C++ harness, or the cocotb bench; both in Verilator."""

    VERILATOR = "verilator"
    COCOTB = "cocotb"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise ValueError(f"engine must be one of {', '.join(cls)}, not {value!r}")
