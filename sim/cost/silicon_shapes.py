"""Features by which the silicon of memories and FIFOs grows: they follow from bits and rows alone."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sim.cost.silicon_features import levels

__all__ = ["FIFO", "FLIP_FLOP_MEMORY", "FPGA_MEMORIES", "SHAPED", "shape_features"]

FIFO = "fifo"
"""Kind of the logic around a FIFO's memory."""

FLIP_FLOP_MEMORY = "ram_flip_flop"
"""Kind of a memory that is made of flip-flops."""

FPGA_MEMORIES = ("single_port_ram_fpga", "ram_fpga")
"""Kinds of memories on an FPGA: with a port for reads and writes, and with a port for each."""

_TABLES: Mapping[tuple[str, int], Sequence[tuple[int, int]]] = {
    **{("ecp5", ports): ((4, 16),) for ports in (1, 2)},
    ("xilinx", 1): ((8, 32), (4, 64), (2, 128), (1, 256)),
    ("xilinx", 2): ((6, 32), (3, 64)),
}
"""Bits and rows of a cell of look-up tables that store, by family and ports."""

_BLOCKS: Mapping[str, Sequence[tuple[int, int, float]]] = {
    "ecp5": ((36, 512, 1), (18, 1024, 1), (9, 2048, 1), (4, 4096, 1), (2, 8192, 1), (1, 16384, 1)),
    "xilinx": (
        *((36, 512, 0.5), (18, 1024, 0.5), (9, 2048, 0.5), (4, 4096, 0.5), (2, 8192, 0.5)),
        *((72, 512, 1), (36, 1024, 1), (18, 2048, 1), (9, 4096, 1), (4, 8192, 1), (2, 16384, 1)),
        (1, 32768, 1),
    ),
}
"""Bits, rows and number of RAM blocks of the ways in which they can be used."""

_TABLE_COST: Mapping[str, float] = {"ecp5": 4, "xilinx": 8}
_BLOCK_COST: Mapping[str, Mapping[float, float]] = {"ecp5": {1: 128}, "xilinx": {0.5: 129, 1: 257}}
_CHOICE_COST = 0.5
"""Costs of a cell, of a block and of a multiplexer of two by which Yosys 0.70 chooses (``lutrams*.txt``, ``brams*.txt``)."""


def _fifo(width: int, rows: int, target: str) -> dict[str, float]:
    """One of each, and pointers into the memory."""
    del width, target
    return {"one": 1, "pointer_bits": levels(rows)}


def _flip_flops(width: int, rows: int, target: str) -> dict[str, float]:
    """Bits and the choice between them, the output register, and the decoders of rows."""
    del target
    return {"bits": rows * width, "width": width, "rows": rows}


def _fpga(ports: int, width: int, rows: int, target: str) -> dict[str, float]:
    """Cells of look-up tables with a register behind them, or RAM blocks, and the choice between their rows."""
    features = dict.fromkeys(("table_cells", "table_width", "table_choice", "blocks", "block"), 0.0)
    if target not in _BLOCKS:
        return features
    cells = [
        (-(-width // bits) * -(-rows // deep), width * (-(-rows // deep) - 1))
        for bits, deep in _TABLES[target, ports]
    ]
    tables = min(
        (_TABLE_COST[target] * number + _CHOICE_COST * choice, number, choice)
        for number, choice in cells
    )
    blocks = min(
        (_BLOCK_COST[target][size] * number, size * number)
        for size, number in (
            (size, -(-width // bits) * -(-rows // deep)) for bits, deep, size in _BLOCKS[target]
        )
    )
    if tables[0] < blocks[0]:
        _, number, choice = tables
        return features | {"table_cells": number, "table_width": width, "table_choice": choice}
    return features | {"blocks": blocks[1], "block": 1}


SHAPED: Mapping[str, Callable[[int, int, str], dict[str, float]]] = {
    FIFO: _fifo,
    FLIP_FLOP_MEMORY: _flip_flops,
    **{kind: partial(_fpga, ports) for ports, kind in enumerate(FPGA_MEMORIES, start=1)},
}
"""Features of each kind, from bits of a row, rows, and the target."""


def shape_features(kind: str, width: int, rows: int, target: str) -> dict[str, float]:
    """Features of a memory or FIFO of a kind.

    Parameters
    ----------
    kind : str
        One of :data:`SHAPED`.
    width : int
        Bits of a row.
    rows : int
    target : str
        Standard cells, or an FPGA family.
    """
    return SHAPED[kind](width, rows, target)
