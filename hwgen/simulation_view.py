"""Simulation view: the PE grid as loops that a simulator runs fast, in place of its netlist."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from amaranth.hdl import Shape
from amaranth.lib import data

from hwgen.gateware.grid.control import (
    ExecuteControl,
    PeControl,
    row_write_layout,
    rows_at_once,
    tile_write_layout,
)
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.unique import MODULE_PREFIX
from sim.spec.accelerator import TABLE_ROWS, WINDOW_VECTORS, AcceleratorConfig

__all__ = [
    "GRID_MODULE",
    "MEMORY",
    "PE_MODULE",
    "grid_view",
    "view_context",
]

GRID_MODULE = f"{MODULE_PREFIX}grid"
"""Module that the two views share, with the same ports and cycles."""

PE_MODULE = f"{MODULE_PREFIX}pe"
"""Module of a PE, below the grid's in the synthesis view."""

MEMORY = "memory"
"""Array of the simulation view that holds all local memories.

Bank l of PE (y, x) has index ``(y * pes_x + x) * lanes + l``; then vectors, then bytes.
"""

_TEMPLATE = Path(__file__).parent / "rtl" / "grid.sv.j2"
_DISTRIBUTED = ("pad", "receive", "shares")
"""PE controls that the grid computes for every PE or column."""


def grid_view(config: AcceleratorConfig, module: str = GRID_MODULE) -> str:
    """Return the simulation view of `config`'s grid as SystemVerilog.

    Same ports as :class:`~hwgen.gateware.grid.grid.Grid` and, from the first reset on, the same outputs in
    every cycle, as long as no memory is read before it is written or in the row and cycle of a
    write, rows and places exist, and a bank is accessed either from outside or by EXECUTE.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.
    module : str
        Name of the module.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(view_context(config), module=module)


def view_context(config: AcceleratorConfig) -> dict[str, Any]:
    """Context of the templates of the grid of `config`: its ports, fields and sizes."""
    execute = ExecuteControl(config).members
    registered = [name for name in PeControl(config).members if name not in _DISTRIBUTED]
    shapes = {
        name: Shape.cast(execute[name].shape) for name in (*registered, "source", "reduce_index")
    }
    return {
        "inputs": dict(_inputs(config)),
        "control": {name: (shape.width, shape.signed) for name, shape in shapes.items()},
        "pes_y": config.pes_y,
        "pes_x": config.pes_x,
        "lanes": config.compute_lanes,
        "index_mask": (1 << (config.compute_lanes - 1).bit_length()) - 1,
        "n": config.pes * config.compute_lanes,
        "s": config.simd_units,
        "r": config.requantizer_width,
        "bank_depth": config.bank_depth,
        "window_vectors": WINDOW_VECTORS,
        "position_bits": address_bits(WINDOW_VECTORS),
        "weight_rows": 2 * config.weight_rows,
        "accumulator_rows": config.accumulator_rows,
        "rows_at_once": rows_at_once(config),
        "table_rows": TABLE_ROWS * config.activation_table,
        "row_fields": _fields(row_write_layout(config)),
        "tile_fields": _fields(tile_write_layout(config)),
    }


def _inputs(config: AcceleratorConfig) -> Iterable[tuple[str, int]]:
    """Name and width of every input of the grid, clock and reset first."""
    yield from (("clk", 1), ("rst", 1))
    grid: Any = Grid(config)
    grid._MustUse__used = True  # only its ports are asked for
    for path, member, _ in grid.signature.flatten(grid):
        name = "__".join(map(str, path))
        if name != "tile_read_data":
            yield name, Shape.cast(member.shape).width


def _fields(layout: data.StructLayout) -> dict[str, dict[str, int]]:
    """First bit and width of every field of `layout`."""
    return {
        name: {"low": field.offset, "bits": Shape.cast(field.shape).width} for name, field in layout
    }
