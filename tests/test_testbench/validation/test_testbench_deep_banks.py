"""Banks of more vectors than 16 bits can name, in RTL."""

from dataclasses import replace

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.arrays.tables import COLUMNS
from sim.plan import map_network
from sim.spec.design import Design
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.views import View
from testbench.cases.layers import add, padded, pool, random_tensor
from testbench.validation.simulate import simulate

CONFIG = small_accelerator(
    1, 1, simd_units=4, compute_lanes=1, local_memory_kb=1024, register_file_kb=1
)
SIZE = 160


def network() -> Network:
    """Every kind of layer, on tensors of 25,600 pixels with a vector each; ADD reads the first of them."""
    rng = np.random.default_rng(8)
    around = Padding(top=1, bottom=1, left=1, right=1)
    source = random_tensor("input", SIZE, SIZE, 4, rng)
    first = padded("first", LayerKind.CONV, source, (1, 1), (1, 1), Padding(), rng, 4)
    wide = padded("wide", LayerKind.CONV, first.output, (1, 1), (1, 1), Padding(), rng, 16)
    taps = padded("taps", LayerKind.DEPTHWISE, wide.output, (3, 3), (1, 1), around, rng, 16)
    narrow = padded("narrow", LayerKind.CONV, taps.output, (1, 1), (1, 1), Padding(), rng, 4)
    both = add("both", first.output, narrow.output, rng)
    last = pool("mean", both.output)
    return Network(name="deep", input=source, layers=(first, wide, taps, narrow, both, last))


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("view", "layers", "fields"),
    [
        (View.SIMULATION, 6, {"in_address", "out_address"}),
        pytest.param(
            *(View.SYNTHESIS, 3, {"in_address", "local_address", "out_address"}),
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_bank_of_262_144_vectors_is_exact(view: View, layers: int, fields: set[str]) -> None:
    """The first layers alone end with a large tensor, which is stored from behind the others."""
    whole = network()
    design = Design(
        network=replace(whole, layers=whole.layers[:layers], outputs=()), accelerator=CONFIG
    )
    assert CONFIG.bank_depth == 262_144
    rows = map_network(CONFIG, design.network).rows
    assert {name for name in fields if rows[:, COLUMNS[name]].max() > 65_536} == fields
    result = simulate(design, images=1, view=view)
    assert result.mismatched_activations == result.mismatched_cycles == 0
