"""Proof that a mapped module computes what its Verilog says.

Registers are cut, as in `text_proof`: for every value of the inputs and of the registers, both sides must show the same outputs, those to
modules and memories below among them, and take the same into every register of the netlist. From equal states they are then equal in all cycles.
What the text's initial values say is not compared: cells have none, and a module must not need them.

The netlist's side is made here of the functions that the liberty file gives the cells, not by Yosys; the text's side by Yosys's front end,
with its plain expansion of operators, none of those that mapping chooses (Booth's products, parallel prefixes). Both become graphs of
conjunctions, and abc's ``&cec`` proves their equivalence. Products are beyond it. A product is therefore split into cases: where its register does not take it,
``&cec`` proves equality; where it does, ``&cec`` proves that the netlist's bits depend on the factors alone, and both sides are computed for every value
of the factors.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyosys

from and_graph import AndGraph
from exhaustive_words import BLOCK_BITS, first_difference
from hwgen import yosys
from hwgen.synthesis.cell_power import LibraryPower
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.netlist import Instance, Netlist, read_netlist
from hwgen.synthesis.sources import ModuleSource
from sim.spec.files import temporary_folder

__all__ = ["MappedProof", "NetlistDifferenceError", "Product"]

_ABC = Path(pyosys.__file__).with_name("yosys-abc")
_EQUIVALENT = "Networks are equivalent"

_AND, _INVERTER, _FLIP_FLOP = "$_AND_", "$_NOT_", "$_DFF_P_"
_CLOCK = "clk"
_KEEPS = 0b10

Functions = Mapping[str, int]


class NetlistDifferenceError(AssertionError):
    """A netlist is not shown to be its text."""


class Product(NamedTuple):
    """Product of two factors that a register takes.

    Parameters
    ----------
    register : str
    factors : tuple of str
        Bits of registers, those of both factors.
    when : dict of str to int
        Values of the bits that make the register take the product.
    """

    register: str
    factors: tuple[str, ...]
    when: dict[str, int]


class _Cell(NamedTuple):
    """Inputs of a cell and the functions of its outputs; with a clock it is a flip-flop."""

    inputs: Sequence[str]
    functions: Functions
    clock: str = ""


@dataclass
class MappedProof:
    """A module's netlist and its text, both as functions of the bits of its ports and registers."""

    module: MappedModule
    netlist: Netlist
    power: LibraryPower

    def __post_init__(self) -> None:
        """Cut both sides."""
        self.graph = AndGraph()
        self.text = _Cut(self.graph, _elaborated(self.module.source), _elaborated_cell).run()
        self.mapped = _Cut(self.graph, self.netlist, self._cell).run()
        if unknown := sorted(self.mapped.keys() - self.text.keys()):
            raise NetlistDifferenceError(
                f"netlist of {self.module.name} must have no {unknown[0]}, as its text has none"
            )
        lost = [name for name in self.text.keys() - self.mapped.keys() if name[:5] != _NEXT]
        if lost:
            raise NetlistDifferenceError(f"netlist of {self.module.name} must have {min(lost)}")

    def _cell(self, kind: str) -> _Cell | None:
        cell = self.power.cells.get(kind)
        return None if cell is None else _Cell(cell.inputs, cell.functions, cell.clock)

    def prove_all_but(self, products: Sequence[Product]) -> None:
        """Prove all outputs and registers; those with products where they do not take them.

        Raises
        ------
        NetlistDifferenceError
            If they differ, or it cannot be told.
        """
        registers = {product.register for product in products}
        names = [name for name in self.mapped if _register(name) not in registers]
        left, right = self._both(names)
        for product in products:
            bits = self._bits(product)
            for name, value in product.when.items():
                for side, known in ((self.text, left), (self.mapped, right)):
                    literals = [side[bit] for bit in bits]
                    known += self.graph.with_values(literals, {name: 1 - value})
        self._prove(left, right, "what its text says")

    def prove_product(self, product: Product, *, share: float = 1) -> None:
        """Prove a register where it takes a product, for all values of the factors, or only for a share of them.

        A share is of blocks that lie an odd number apart, so that each bit of the factors is met with both values.

        Raises
        ------
        NetlistDifferenceError
            If it takes something else, or what it takes depends on other bits.
        """
        bits = self._bits(product)
        literals = self.graph.with_values(
            [*self._both(bits)[0], *self._both(bits)[1]], product.when
        )
        others = self.graph.support(literals) - {*product.factors}
        fixed = self.graph.with_values(literals, dict.fromkeys(others, 0))
        self._prove(literals, fixed, f"{product.register} by its factors alone")
        conjunctions, numbered = self.graph.numbered(fixed, product.factors)
        rows, places, placed = _placed(conjunctions, len(product.factors), numbered)
        pairs = np.array([placed[: len(bits)], placed[len(bits) :]], np.int64).T
        blocks = 1 << (len(product.factors) - BLOCK_BITS)
        step = 1 if share == 1 else round(1 / share) | 1
        block = first_difference(rows, places, pairs.copy(), len(product.factors), blocks, step)
        if block >= 0:
            raise NetlistDifferenceError(
                f"netlist of {self.module.name} must give {product.register} its product, and does "
                f"not in block {block} of {blocks}"
            )

    def _bits(self, product: Product) -> list[str]:
        return [name for name in self.mapped if _register(name) == product.register]

    def _both(self, names: Sequence[str]) -> tuple[list[int], list[int]]:
        return [self.text[name] for name in names], [self.mapped[name] for name in names]

    def _prove(self, left: Sequence[int], right: Sequence[int], what: str) -> None:
        """Prove that functions are the same."""
        with temporary_folder() as folder:
            for name, literals in (("left", left), ("right", right)):
                self.graph.write(folder / f"{name}.aig", literals)
            command = f"&r {folder / 'left.aig'}; &cec -C 100000 {folder / 'right.aig'}"
            done = subprocess.run([_ABC, "-c", command], capture_output=True, text=True, check=True)
        if _EQUIVALENT not in done.stdout:
            raise NetlistDifferenceError(
                f"netlist of {self.module.name} must show {what}: {done.stdout.splitlines()[-1]}"
            )


_NEXT = "next "


def _register(name: str) -> str:
    """Return the register that a name of what a bit of it takes is of; nothing for others."""
    return name.removeprefix(_NEXT).partition("[")[0] if name.startswith(_NEXT) else ""


def _elaborated(source: ModuleSource) -> Netlist:
    """Text of a module as conjunctions, inverters and flip-flops."""
    with temporary_folder() as folder:
        (folder / "module.v").write_text(source.text, encoding="utf-8")
        (folder / "boxes.v").write_text(source.boxes, encoding="utf-8")
        yosys.run(
            [
                *([f"read_verilog -lib {folder / 'boxes.v'}"] if source.boxes else []),
                f"read_verilog {folder / 'module.v'}",
                f"hierarchy -check -top {source.module}",
                "proc",
                "flatten -noscopeinfo",
                *("opt_expr", "opt_clean", "dffunmap", "techmap", "simplemap", "aigmap"),
                "opt_clean",
                f"write_json {folder / 'module.json'}",
            ]
        )
        document = json.loads((folder / "module.json").read_text(encoding="utf-8"))
    return read_netlist(source.name, document["modules"][source.module])


def _elaborated_cell(kind: str) -> _Cell | None:
    return {
        _AND: _Cell("AB", {"Y": 0b1000}),
        _INVERTER: _Cell("A", {"Y": 0b01}),
        _FLIP_FLOP: _Cell("D", {"Q": _KEEPS}, "C"),
    }.get(kind)


class _Cut:
    """Functions of a netlist: its outputs, what goes into modules below, and what its registers take."""

    def __init__(
        self, graph: AndGraph, netlist: Netlist, cell: Callable[[str], _Cell | None]
    ) -> None:
        self.graph = graph
        self.netlist = netlist
        self.cell = cell
        self.known: dict[int, int] = {}
        self.drivers: dict[int, tuple[int, list[int | str]]] = {}
        self.wanted: dict[str, int | str] = {}

    def run(self) -> dict[str, int]:
        """Return the functions' literals by name."""
        for port, nets in self.netlist.inputs.items():
            self._given(port, nets)
        for port, nets in self.netlist.outputs.items():
            self._wanted(port, nets)
        for instance in self.netlist.instances:
            cell = self.cell(instance.kind)
            if cell is None:
                self._box(instance)
            elif cell.clock:
                self._flip_flop(instance, cell)
            else:
                for pin, table in cell.functions.items():
                    for net in instance.pins.get(pin, []):
                        if not isinstance(net, str):
                            inputs = [instance.pins[name][0] for name in cell.inputs]
                            self.drivers[net] = (table, inputs)
        return {name: self._value(net) for name, net in self.wanted.items()}

    def _given(self, name: str, nets: Sequence[int | str]) -> None:
        for place, net in enumerate(nets):
            if not isinstance(net, str):
                self.known[net] = self.graph.bit(_bit(name, place, nets))

    def _wanted(self, name: str, nets: Sequence[int | str]) -> None:
        for place, net in enumerate(nets):
            if net not in ("x", "z"):
                self.wanted[_bit(name, place, nets)] = net

    def _box(self, instance: Instance) -> None:
        """Memory, or module below: what it shows is given, what goes into it is wanted."""
        for port, nets in instance.pins.items():
            way = self._given if port in instance.outputs else self._wanted
            way(f"{instance.name}.{port}", nets)

    def _flip_flop(self, instance: Instance, cell: _Cell) -> None:
        if instance.pins[cell.clock] != self.netlist.inputs[_CLOCK]:
            raise NetlistDifferenceError(
                f"{instance.name} of {self.netlist.name} must have the clock"
            )
        shown = {
            table: instance.pins[pin][0]
            for pin, table in cell.functions.items()
            if instance.pins.get(pin)
        }
        name = self.netlist.names[int(shown[_KEEPS])]
        self._given(name, [shown[_KEEPS]])
        for table, net in shown.items():
            if table != _KEEPS and not isinstance(net, str):
                self.known[net] = self.graph.function(table, [self.graph.bit(name)])
        (data,) = cell.inputs
        self._wanted(_NEXT + name, instance.pins[data])

    def _value(self, wanted: int | str) -> int:
        """Literal of a net; cells before it first."""
        waiting = [wanted]
        while waiting:
            net = waiting[-1]
            if isinstance(net, str) or net in self.known:
                waiting.pop()
                continue
            table, inputs = self.drivers[net]
            missing = [
                name for name in inputs if not isinstance(name, str) and name not in self.known
            ]
            if missing:
                waiting += missing
                continue
            self.known[net] = self.graph.function(table, [self._literal(name) for name in inputs])
        return self._literal(wanted)

    def _literal(self, net: int | str) -> int:
        return int(net == "1") if isinstance(net, str) else self.known[net]


def _bit(name: str, place: int, nets: Sequence[int | str]) -> str:
    return name if len(nets) == 1 else f"{name}[{place}]"


def _placed(
    conjunctions: Sequence[tuple[int, int]], bits: int, wanted: Sequence[int]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], int, list[int]]:
    """Conjunctions with places that are used again, the number of places, and the wanted literals in them."""
    last = {
        literal >> 1: row for row, operands in enumerate(conjunctions) for literal in operands
    } | {literal >> 1: len(conjunctions) for literal in wanted}
    places = {node: node for node in range(bits + 1)}
    free: list[int] = []
    size, rows = bits + 1, []

    def placed(literal: int) -> int:
        return 2 * places[literal >> 1] | literal & 1

    for row, operands in enumerate(conjunctions):
        left, right = map(placed, operands)
        if free:
            place = free.pop()
        else:
            place, size = size, size + 1
        for node in {literal >> 1 for literal in operands}:
            if node > bits and last[node] == row:
                free.append(places[node])
        places[bits + 1 + row] = place
        rows.append((place, left, right))
    return np.array(rows, np.int64), size, [placed(literal) for literal in wanted]
