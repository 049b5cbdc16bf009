"""Source of the processor, PicoRV32, from the package pythondata-cpu-picorv32."""

from importlib.util import find_spec
from pathlib import Path

from sim.spec.errors import MachineError

__all__ = ["PROCESSOR_FILE", "ProcessorMissingError", "processor_source"]

PROCESSOR_FILE = "picorv32.v"

_PACKAGE = "pythondata_cpu_picorv32"


class ProcessorMissingError(MachineError):
    """The package with the processor is not installed."""


def processor_source() -> str:
    """Return PicoRV32's Verilog as its authors wrote it, with their licence (ISC) at its head.

    Raises
    ------
    ProcessorMissingError
        If the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ProcessorMissingError(
            "the package pythondata-cpu-picorv32 must be installed, not absent"
        )
    return (Path(spec.origin).parent / "verilog" / PROCESSOR_FILE).read_text(encoding="utf-8")
