"""Resources of FPGAs: look-up tables, flip-flops, DSP and RAM blocks, counted from mapped cells."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from hwgen.synthesis.targets import FpgaFamily
from sim.cost.fpga_resources import NO_RESOURCES, Resources

__all__ = ["resources_of"]


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
