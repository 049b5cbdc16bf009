"""Networks with activation tables in RTL: every bit and every cycle, in both views."""

from dataclasses import replace

import numpy as np
import pytest

from accelerators import TABLED as WIDE
from accelerators import small_accelerator
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.memories import DRAM
from sim.spec.network import PRODUCT_KINDS, LayerKind, Network
from sim.spec.views import View
from testbench.cases.random_networks import Stratum, random_network
from testbench.cases.tabled import tabled
from testbench.validation.simulate import simulate

NARROW = small_accelerator(
    1, 2, simd_units=8, compute_lanes=2, local_memory_kb=8, io_bandwidth_gbps=0.4,
    weight_store_kb=4, activation_table=1,
)  # fmt: skip
"""A row of a table takes two beats of the bus, and some weights stay on chip."""


KINDS = [kind for kind in LayerKind if kind not in PRODUCT_KINDS]
"""Kinds of layers that a random network is drawn around; products have tests of their own."""


def networks(config: AcceleratorConfig, seed: int) -> list[Network]:
    """Two small networks of every kind of layer: with tables behind all their layers, and behind some."""
    rng = np.random.default_rng(seed)
    return [
        tabled(random_network(Stratum(kind=kind, kernel=kernel), config, rng), rng, share)
        for kind in KINDS
        for kernel, share in ((1, 1.0), (3, 0.5))
    ]


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("config", "view", "seed", "batch"),
    sampled(
        [(WIDE, View.SIMULATION, 1, 1), (NARROW, View.SYNTHESIS, 7, 2)],
        lambda case: case[0] is WIDE,
        fields=True,
    ),
    ids=["simulation", "synthesis"],
)
def test_every_kind_of_layer_is_exact(
    config: AcceleratorConfig, view: View, seed: int, batch: int
) -> None:
    kinds = set()
    for network in networks(config, seed):
        result = simulate(
            Design(accelerator=config, network=network), images=2 * batch, batch=batch, view=view
        )
        assert result.exact, network.name
        kinds |= {layer.kind for layer in network.layers if layer.table is not None}
    assert kinds == {*KINDS}


@pytest.mark.rtl
def test_a_dram_changes_no_bit_and_no_duration() -> None:
    for network in networks(WIDE, 3)[::5]:
        design = Design(accelerator=WIDE, network=network)
        result = simulate(design, images=2, memory=DRAM)
        assert result.mismatched_activations == 0
        steady = simulate(design, images=2)
        assert (result.execute_durations == steady.execute_durations).all()


@pytest.mark.rtl
@pytest.mark.long
def test_a_network_without_tables_has_the_same_cycles_with_and_without_them() -> None:
    rng = np.random.default_rng(5)
    network = random_network(Stratum(kind=LayerKind.DEPTHWISE, kernel=3), WIDE, rng)
    without = replace(WIDE, activation_table=0)
    cycles = {
        simulate(Design(accelerator=config, network=network), images=1).measured_cycles
        for config in (WIDE, without)
    }
    assert len(cycles) == 1
