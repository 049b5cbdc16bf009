"""Products of activations on many accelerators: the compiler against the integer reference, through the functional emulator."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from accelerators import small_accelerator
from emulator import Emulator
from hwgen.program import compile_mapped
from hwgen.weights import layer_stream
from sim import golden
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS, LayerColumn
from sim.plan import Mapped
from sim.realizability import attempt, check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.network import LayerKind, Network
from stress_cases import random_accelerator
from testbench.cases.products import product_network
from testbench.cases.tabled import tabled
from testbench.rtl.activations import assemble_activations

CASES = 80
SEED = 21


def assert_equals_reference(mapped: Mapped, images: int, seed: int) -> None:
    """Every activation of two programs' images is the reference's."""
    network, config = mapped.source, mapped.config
    shape = (images, *network.input.shape)
    x = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
    program = compile_mapped(mapped)
    emulator, expected = Emulator(config, program), golden.run(network, x)
    for first in range(0, images, mapped.images):
        own = slice(first, first + mapped.images)
        _, dumps = emulator.run(x[own])
        raw = b"".join(dump for index in sorted(dumps) for dump in dumps[index])
        activations = assemble_activations(
            config, network, program.probes, np.frombuffer(raw, np.int8)[None]
        )
        for index, layer in enumerate(network.layers):
            np.testing.assert_array_equal(activations[index], expected[layer.name][own], layer.name)


def products(mapped: Mapped) -> NDArray[np.int64]:
    """EXECUTEs of the products."""
    rows = mapped.rows
    own = mapped.layers[rows[:, COLUMNS["layer"]], LayerColumn.FACTORS] > 0
    executes: NDArray[np.int64] = rows[own & (rows[:, COLUMNS["queue"]] == Queue.EXECUTE)]
    return executes


@pytest.mark.slow
def test_random_products_equal_the_reference_on_random_accelerators() -> None:
    rng = np.random.default_rng(SEED)
    seen: Counter[str] = Counter()
    while seen["cases"] < CASES:
        config = dataclasses.replace(random_accelerator(rng), activation_table=1)
        if check(config):
            continue
        network = product_network(config, rng)
        if rng.random() < 0.5:
            network = tabled(network, rng)
        batch = int(rng.choice([1, 1, 2, 3]))
        violations, mapped = attempt(config, network, batch)
        if mapped is None:
            seen[violations[0].code] += 1
            continue
        assert_equals_reference(mapped, 2 * batch, seen["cases"])
        own = mapped.layers[:, LayerColumn.FACTORS] > 0
        made = mapped.layers[:, LayerColumn.INTERLEAVES] > 0
        plan = mapped.layer_plan
        seen.update(
            {
                "cases": 1,
                "halo": int(plan[own, LayerPlan.HALO_TOP].any()),
                "strips": int(plan[own, LayerPlan.IN_STRIPS].any()),
                "loaded": int(plan[own, LayerPlan.LOADED].any()),
                "passes": int(
                    (plan[own, LayerPlan.PASSES_Y] * plan[own, LayerPlan.PASSES_X] > 1).any()
                ),
                "rounds": int((plan[own, LayerPlan.ROUNDS] > 2).any()),
                "together": int((plan[own, LayerPlan.IMAGES] > 1).any()),
                "splits": int((plan[made, LayerPlan.SPLITS] > 1).any()),
                f"lanes {config.compute_lanes}": 1,
            }
        )
    for what in ("halo", "loaded", "passes", "rounds", "together", "splits", "MAP_BUS"):
        assert seen[what], (what, seen)
    assert all(seen[f"lanes {lanes}"] > CASES // 10 for lanes in (1, 2, 4, 8))


def mapped_product(config: AcceleratorConfig, seed: int = 0) -> tuple[Network, Mapped]:
    rng = np.random.default_rng(seed)
    while True:
        network = product_network(config, rng)
        _, mapped = attempt(config, network)
        if mapped is not None and len(network.layers) > 3:
            return network, mapped


def test_a_product_reads_its_pixel_for_all_taps_but_the_last() -> None:
    _, mapped = mapped_product(
        small_accelerator(1, 2, simd_units=8, compute_lanes=2, local_memory_kb=16)
    )
    rows = products(mapped)
    assert len(rows)
    for field, value in {
        "op": ExecuteOp.DEPTHWISE, "kernel_rows": 4, "kernel_columns": 1, "bound_y": 3, "in_row": 0, "window_rows": 1,
        "pitch_y": 0, "origin_y": 0, "window": 1, "pixels": 1,
    }.items():  # fmt: skip
        assert (rows[:, COLUMNS[field]] == value).all(), field


def test_factors_are_loaded_once_they_are_stored() -> None:
    """From where they are stored, a vector of the product a row, behind the STORE that brought them there."""
    network, mapped = mapped_product(
        small_accelerator(1, 2, simd_units=8, compute_lanes=2, local_memory_kb=16)
    )
    rows = mapped.rows
    loads = (rows[:, COLUMNS["queue"]] == Queue.LOAD) & (
        rows[:, COLUMNS["kind"]] == LoadKind.WEIGHTS
    )
    count = 0
    for index, layer in enumerate(network.layers):
        if layer.kind is not LayerKind.MULTIPLY:
            continue
        made = next(i for i, other in enumerate(network.layers) if other.name == layer.inputs[1])
        stores = np.flatnonzero(
            (rows[:, COLUMNS["queue"]] == Queue.STORE) & (rows[:, COLUMNS["layer"]] == made)
        )
        own = np.flatnonzero(
            loads & (rows[:, COLUMNS["layer"]] == index) & (rows[:, COLUMNS["weight_rows"]] > 0)
        )
        first = rows[own[0]]
        assert len(stores) == 1
        assert first[COLUMNS["address"]] == rows[stores[0], COLUMNS["address"]]
        assert first[COLUMNS["after_store"]] == stores[0]
        assert first[COLUMNS["parameter_rows"]] == 0
        count += len(own)
    assert count


def test_the_weights_of_factors_do_not_grow_with_the_channels() -> None:
    sizes = set()
    config = small_accelerator(1, 2, simd_units=8, compute_lanes=2, local_memory_kb=64)
    for seed in range(6):
        network, mapped = mapped_product(config, seed)
        tensors = network.tensors
        for index, layer in enumerate(network.layers):
            if layer.kind is LayerKind.FACTORS:
                inputs = [tensors[name] for name in layer.inputs]
                plan = mapped.layer_plan[index]
                sizes.add(len(layer_stream(layer, inputs, config, mapped.layers[index], plan)))
    # four blocks of four rows of two records in 20 bytes, and of two rows of 32 bytes
    assert sizes == {4 * (4 * 20 + 2 * 32)}


def test_a_bus_wider_than_a_vector_is_refused() -> None:
    config = small_accelerator(1, 1, simd_units=4, io_bandwidth_gbps=1.6, local_memory_kb=64)
    network = product_network(config, np.random.default_rng(1))
    name = next(layer.name for layer in network.layers if layer.kind is LayerKind.MULTIPLY)
    (violation,) = check(config, network)
    assert violation.code == "MAP_BUS"
    assert violation.detail == (
        f"layer '{name}' multiplies activations, for which the bus must have at most simd_units 4 bytes, "
        "but io_bandwidth_gbps needs 8"
    )
