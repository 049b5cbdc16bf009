"""FPGAs by name: what of each resource a device has, as a budget."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["FPGA_DEVICES", "RESOURCES", "FpgaBudget"]

RESOURCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "luts": ("lut", "PHYS_LUT"),
        "ffs": ("flip_flop", "PHYS_FF"),
        "dsps": ("dsp", "PHYS_DSP"),
        "brams": ("block_ram", "PHYS_BRAM"),
    }
)
"""Resources of a budget: the name of what an accelerator takes of each, and the code of its violation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaBudget:
    """Budget of an FPGA's resources.

    Parameters
    ----------
    name : str
        Device.
    family : str
        ``ecp5`` or ``xilinx``, as Yosys maps to it.
    luts, ffs, dsps : int
        Look-up tables of 4 inputs on ECP5, of 6 on Xilinx; flip-flops; multipliers.
    brams : float
        RAM blocks: of 18 Kbit on ECP5, of 36 Kbit on Xilinx.
    """

    name: str
    family: str
    luts: int
    ffs: int
    dsps: int
    brams: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def _device(
    name: str, family: str, luts: int, ffs: int, dsps: int, brams: int
) -> tuple[str, FpgaBudget]:
    return name, FpgaBudget(name=name, family=family, luts=luts, ffs=ffs, dsps=dsps, brams=brams)


FPGA_DEVICES: Mapping[str, FpgaBudget] = MappingProxyType(
    dict(
        [
            # Lattice, ECP5 and ECP5-5G Family, FPGA-DS-02012, table 1.1
            _device("ecp5-25", "ecp5", 24_288, 24_288, 28, 56),
            _device("ecp5-45", "ecp5", 43_848, 43_848, 72, 108),
            _device("ecp5-85", "ecp5", 83_640, 83_640, 156, 208),
            # Xilinx, Zynq-7000 SoC Overview, DS190, and 7 Series FPGAs Overview, DS180
            _device("xc7z010", "xilinx", 17_600, 35_200, 80, 60),
            _device("xc7z020", "xilinx", 53_200, 106_400, 220, 140),
            _device("xc7a35t", "xilinx", 20_800, 41_600, 90, 50),
            _device("xc7a100t", "xilinx", 63_400, 126_800, 240, 135),
            _device("xc7a200t", "xilinx", 134_600, 269_200, 740, 365),
        ]
    )
)
"""Devices by name."""
