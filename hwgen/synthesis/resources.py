"""Resources of FPGAs: look-up tables, flip-flops, DSP and RAM blocks, counted from mapped cells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hwgen.synthesis.targets import FpgaFamily

__all__ = ["NO_RESOURCES", "Resources", "resources_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Amounts of an FPGA's resources.

    Parameters
    ----------
    lut : float
        Look-up tables: of 4 inputs on ECP5, of 6 on Xilinx, with those that are distributed RAM, shift
        registers or, on ECP5, carry chains.
    flip_flop : float
    dsp : float
        MULT18X18D on ECP5, DSP48E1 on Xilinx.
    block_ram : float
        DP16KD of 18 Kbit on ECP5, RAMB36E1 of 36 Kbit on Xilinx; a RAMB18E1 is a half.
    """

    lut: float = 0
    flip_flop: float = 0
    dsp: float = 0
    block_ram: float = 0

    def __add__(self, other: "Resources") -> "Resources":
        """Sum, resource by resource."""
        return Resources(
            lut=self.lut + other.lut,
            flip_flop=self.flip_flop + other.flip_flop,
            dsp=self.dsp + other.dsp,
            block_ram=self.block_ram + other.block_ram,
        )

    def __mul__(self, number: float) -> "Resources":
        """Resources of so many."""
        return Resources(
            lut=self.lut * number,
            flip_flop=self.flip_flop * number,
            dsp=self.dsp * number,
            block_ram=self.block_ram * number,
        )


NO_RESOURCES = Resources()

_CELLS: Mapping[FpgaFamily, Mapping[str, Resources]] = MappingProxyType(
    {
        FpgaFamily.ECP5: {
            "LUT4": Resources(lut=1),
            "CCU2C": Resources(lut=2),
            "TRELLIS_FF": Resources(flip_flop=1),
            "TRELLIS_DPR16X4": Resources(lut=6),  # 4 that store, 2 that the write port blocks
            "MULT18X18D": Resources(dsp=1),
            "DP16KD": Resources(block_ram=1),
        },
        FpgaFamily.XILINX: {
            **{f"LUT{inputs}": Resources(lut=1) for inputs in range(1, 7)},
            "INV": Resources(lut=1),
            **{kind: Resources(flip_flop=1) for kind in ("FDRE", "FDSE", "FDCE", "FDPE")},
            **{f"RAM{bits}M": Resources(lut=4) for bits in (32, 64)},
            **{f"RAM{bits}X1S": Resources(lut=-(-bits // 64)) for bits in (32, 64, 128, 256)},
            **{f"RAM{bits}X1D": Resources(lut=2) for bits in (32, 64)},
            "RAM128X1D": Resources(lut=4),
            "SRL16E": Resources(lut=1),
            "SRLC32E": Resources(lut=1),
            "DSP48E1": Resources(dsp=1),
            "RAMB18E1": Resources(block_ram=0.5),
            "RAMB36E1": Resources(block_ram=1),
        },
    }
)
_FREE = re.compile(r"PFUMX|L6MUX21|CARRY4|MUXF[78]|GND|VCC|VLO|VHI")
"""Cells that lie beside the look-up tables and are never short."""


def resources_of(cells: Mapping[str, int], family: FpgaFamily) -> Resources:
    """Resources that cells take.

    Raises
    ------
    KeyError
        If a kind of cell is not known.
    """
    total = NO_RESOURCES
    for kind, number in cells.items():
        if not _FREE.fullmatch(kind):
            total += _CELLS[family][kind] * number
    return total
