"""Products of activations in the reference, against a slow twin, and what a network refuses of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layer_twin import layer_twin
from sim import golden
from sim.arrays.plan_columns import TensorPlan
from sim.cost.bounds import lower_bounds
from sim.plan import map_network
from sim.spec.design import Design, load, save
from sim.spec.network import FACTOR_BYTES, Concatenation, Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import TINY
from testbench.cases.layers import factors, mean, multiply, pool, random_tensor, windowed
from testbench.cases.products import product_network

SHAPES = [(1, 1, 1), (2, 3, 5), (4, 1, 9)]
POINTS = (-128, -127, -1, 0, 1, 126, 127)


def excited(seed: int = 0) -> Network:
    """A tensor of 3 × 4 pixels times its mean."""
    rng = np.random.default_rng(seed)
    source = random_tensor("x", 3, 4, 5, rng)
    pooled = mean("mean", source, rng)
    vector = factors("factors", pooled.output)
    last = multiply("y", source, vector.output, rng)
    return Network(name="excited", input=source, layers=(pooled, vector, last))


@pytest.mark.parametrize("shape", SHAPES)
def test_products_equal_the_twin_at_all_ends_of_int8(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    ends = np.array([-128, -127, -1, 0, 1, 127], np.int8)
    for za in POINTS:
        for zb in POINTS:
            source = TensorSpec.of_shape("a", shape, 1.0, za)
            vector = TensorSpec.of_shape("b", (1, 1, shape[2]), 1.0, zb)
            inner = factors("factors", vector)
            layer = multiply("y", source, inner.output, rng)
            a = rng.choice(ends, (2, *shape)).astype(np.int8)
            b = rng.choice(ends, (2, 1, 1, shape[2])).astype(np.int8)
            made = golden.run_layer(inner, [vector], [b])
            product = golden.run_layer(layer, [source, inner.output], [a, made])
            for n in range(2):
                assert made[n].tolist() == layer_twin(inner, [vector], [b[n].tolist()])
                images = [a[n].tolist(), made[n].tolist()]
                assert product[n].tolist() == layer_twin(layer, [source, inner.output], images)


def test_the_first_three_factors_are_the_value_less_its_zero_point() -> None:
    """The fourth, with the first operand's zero point as what the tap reads, takes the place of a sum of weights."""
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 1, 256)
    for zero_point in range(-128, 128):
        vector = TensorSpec.of_shape("b", (1, 1, 256), 1.0, zero_point)
        made = (
            golden.run_layer(factors("f", vector), [vector], [every])
            .astype(int)
            .reshape(256, FACTOR_BYTES)
        )
        assert (made[:, :3].sum(axis=1) == every.reshape(-1).astype(int) - zero_point).all()
        assert (made[:, 0] + made[:, 3] == -1).all()


def test_a_file_keeps_a_product(tmp_path: Path) -> None:
    network = excited()
    save(Design(network=network, accelerator=TINY.default), tmp_path / "design.json")
    loaded = load(tmp_path / "design.json").network
    assert [layer.kind for layer in loaded.layers] == [layer.kind for layer in network.layers]
    x = np.random.default_rng(3).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    assert np.array_equal(golden.run(loaded, x)["y"], golden.run(network, x)["y"])


def changed(layer: str, **fields: Any) -> Callable[[Network], Network]:
    def change(network: Network) -> Network:
        layers = [replace(own, **fields) if own.name == layer else own for own in network.layers]
        return replace(network, layers=tuple(layers))

    return change


def joined(network: Network) -> Network:
    """With a layer of factors in a concatenation."""
    output = TensorSpec.of_shape("joint", (1, 1, 40), 1.0, network.tensors["factors"].zero_point)
    again = replace(factors("again", network.tensors["mean"]), name="again")
    return replace(
        network,
        layers=(*network.layers[:2], again, network.layers[2]),
        concatenations=(Concatenation(name="joint", parts=("factors", "again"), output=output),),
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            changed("y", inputs=("x", "mean")),
            "factors of layer 'y' must have shape (1, 1, 20), not (1, 1, 5)",
        ),
        (changed("y", inputs=("x",)), "layer 'y' has the wrong number of inputs"),
        (
            changed("factors", inputs=("x",)),
            "input of layer 'factors' must have shape (1, 1, 5), not (3, 4, 5)",
        ),
        (
            changed("factors", clamp=(0, 1)),
            "factors 'factors' must have neither clamp nor table",
        ),
        (
            changed("y", multiplier=np.zeros(3, np.int32)),
            "multiplier of layer 'y' must have shape (1,), not (3,)",
        ),
        (joined, "part 'factors' of concatenation 'joint' must not be factors"),
    ],
)
def test_refuses_what_is_no_product(change: Callable[[Network], Network], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        change(excited())


def test_only_factors_multiply() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("x", 2, 2, 2, rng)
    wide = windowed("wide", LayerKind.CONV, pool("pool", source).output, 1, 1, rng, 8, plain=True)
    layers: tuple[Layer, ...] = (
        pool("pool", source),
        wide,
        multiply("y", source, wide.output, rng),
    )
    line = "layer 'y' must multiply by what a layer of kind factors makes, not by 'wide'"
    with pytest.raises(ValueError, match=f"^{line}$"):
        Network(name="net", input=source, layers=layers)


def test_parts_of_a_concatenation_are_not_multiplied() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("x", 1, 1, 3, rng)
    parts = [windowed(name, LayerKind.CONV, source, 1, 1, rng, 3, plain=True) for name in "ab"]
    parts = [replace(part, output=replace(part.output, zero_point=7)) for part in parts]
    joint = Concatenation(
        name="ab", parts=("a", "b"), output=replace(parts[0].output, name="ab", channels=6)
    )
    vector = factors("factors", joint.output)
    line = "layer 'factors' must not read concatenated parts, as 'ab' has"
    with pytest.raises(ValueError, match=f"^{line}$"):
        Network(name="net", input=source, layers=(*parts, vector), concatenations=(joint,))


def test_a_network_with_products_has_no_bound_but_0() -> None:
    network = product_network(TINY.default, np.random.default_rng(2))
    table = lower_bounds([TINY.default], network)
    assert (table.values["cycles"] == 0).all()


def test_a_products_tile_is_its_operands() -> None:
    """Where both fit into local memory the operand stays there; the factors are stored."""
    rng = np.random.default_rng(4)
    source = random_tensor("x", 12, 12, 8, rng)
    wide = windowed("wide", LayerKind.CONV, source, 3, 1, rng, 16, plain=True)
    pooled = mean("mean", wide.output, rng)
    vector = factors("factors", pooled.output)
    product = multiply("y", wide.output, vector.output, rng)
    last = windowed("last", LayerKind.CONV, product.output, 3, 2, rng, 8, plain=True)
    network = Network(name="net", input=source, layers=(wide, pooled, vector, product, last))
    for pes in range(1, 5):
        config = replace(TINY.default, pes_x=pes, pes_y=pes, local_memory_kb=64)
        mapped = map_network(config, network)
        stored = [i for i, plan in enumerate(mapped.tensor_plan) if plan[TensorPlan.STORED]]
        assert 3 in stored, pes
        assert 1 not in stored, pes
