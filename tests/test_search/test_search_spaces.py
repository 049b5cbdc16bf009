"""Hardware and network spaces: sizes, indices, and what architectures unroll to."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from search.architecture import SKIP, Architecture
from search.networks.plans import DIGITS_SPACE
from search.tasks.digits import INPUT_SCALE, digits
from search.tasks.digits_settings import DigitsSettings
from sim.arrays.plan_columns import LayerPlan
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.network import LayerKind
from sim.spec.spaces import EDGE, HARDWARE_SPACES, NAHAS, SPACE_NAMES, TINY, HardwareSpace

SMALLEST = Architecture(
    widths=(16, 32, 48), kernels=(3, 3, 3, 3, 3), expansions=(0, 1, 0, 1, 0), head=0
)


def test_spaces_have_the_sizes_of_the_design() -> None:
    assert len(TINY) == 4 * 4 * 4 * 3 * 5 * 5 * 4 * 6 == 115_200
    assert len(EDGE) == 6 * 6 * 4 * 4 * 8 * 5 * 5 * 5 == 576_000
    assert len(NAHAS) == 5 * 5 * 4 * 4 * 5 * 5 * 5 == 50_000
    assert set(HARDWARE_SPACES) == {"tiny", "edge"}
    assert dict(SPACE_NAMES) == {**HARDWARE_SPACES, "nahas": NAHAS}
    macs = [config.macs for config in itertools.islice(TINY, 0, None, 6)]
    assert (min(macs), max(macs)) == (16, 8192)
    assert TINY.default.macs == 256
    assert EDGE.default.macs == 16_384


@pytest.mark.parametrize("space", [TINY, NAHAS], ids=lambda space: str(space.name))
def test_iteration_is_in_the_order_of_the_flat_index(space: HardwareSpace) -> None:
    seen = set()
    for flat, config in enumerate(space):
        if flat % 997 == 0:
            assert space.flat_index(config) == flat
            assert space.at(flat) == config
            assert space.config(space.indices(config)) == config
        seen.add(config)
    assert len(seen) == len(space)


def test_points_of_the_largest_space_have_an_index() -> None:
    for flat in range(0, len(EDGE), 997):
        assert EDGE.flat_index(EDGE.at(flat)) == flat


def test_a_default_has_the_memory_that_it_had_without_a_store() -> None:
    for space, kib in ((TINY, 64), (EDGE, 32 * 1024), (NAHAS, 32 * 1024)):
        config = space.default
        assert config.pes * config.local_memory_kb + config.weight_store_kb == kib


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_the_default_of_edge_holds_the_weights_of_its_networks(name: str) -> None:
    mapped = map_realizable(EDGE.default, named_network(name))
    assert (mapped.layer_plan[:, LayerPlan.STORE_ROW] >= 0).all()
    kept = mapped.layer_plan[-1]
    assert kept[LayerPlan.STORE_ROW] + kept[LayerPlan.STORED_ROWS] < EDGE.default.store_rows


@pytest.mark.parametrize("space", [NAHAS], ids=lambda space: str(space.name))
def test_a_space_is_whole_in_its_json(space: HardwareSpace) -> None:
    document = json.loads(json.dumps(space.to_json()))
    assert document["default"] == space.default.to_json()
    values = {name: tuple(values) for name, values in document.pop("values").items()}
    again = HardwareSpace(**document | {"values": values, "default": space.default})
    assert list(again) == list(space)
    assert (again.name, again.default) == (space.name, space.default)


def test_a_point_outside_the_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^clock_mhz must be 200, not 800$"):
        TINY.indices(EDGE.default)
    with pytest.raises(IndexError, match=r"^flat_index must be in 0 … 49999, not 50000$"):
        NAHAS.at(50_000)
    stored = replace(NAHAS.default, weight_store_kb=1024)
    with pytest.raises(ValueError, match=r"^weight_store_kb must be one of \[0\], not 1024$"):
        NAHAS.indices(stored)


def test_choices_and_architectures_are_inverse() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        choices = {n: int(generator.integers(len(v))) for n, v in DIGITS_SPACE.decisions.items()}
        architecture = DIGITS_SPACE.architecture(choices)
        again = DIGITS_SPACE.choices(architecture)
        assert DIGITS_SPACE.architecture(again) == architecture
        code = DIGITS_SPACE.encode(architecture)
        assert code.sum() == len(choices)
        assert code.shape == (sum(map(len, DIGITS_SPACE.decisions.values())),)


def test_the_kernel_of_a_skipped_block_does_not_matter() -> None:
    choices = DIGITS_SPACE.choices(SMALLEST)
    assert DIGITS_SPACE.architecture(choices | {"kernel0": 1}) == SMALLEST


def test_only_blocks_with_a_residual_may_be_skipped() -> None:
    legal = [i for i in range(5) if SKIP in DIGITS_SPACE.decisions[f"expansion{i}"]]
    assert legal == [0, 2, 4]
    wrong = Architecture(
        widths=(16, 32, 48), kernels=(3, 3, 3, 3, 3), expansions=(1, 0, 1, 1, 1), head=0
    )
    with pytest.raises(ValueError, match=r"^expansion1 must be one of \[1, 2, 4\], not 0$"):
        DIGITS_SPACE.choices(wrong)


def test_layers_of_the_smallest_network() -> None:
    layers = DIGITS_SPACE.layers(SMALLEST)
    assert [layer.name for layer in layers] == [
        "stem",
        "block1_depthwise",
        "block1_project",
        "block3_depthwise",
        "block3_project",
        "pool",
        "classifier",
    ]
    assert [layer.out_shape for layer in layers] == [
        (8, 8, 16),
        (4, 4, 16),
        (4, 4, 32),
        (2, 2, 32),
        (2, 2, 48),
        (1, 1, 48),
        (1, 1, 10),
    ]


def test_blocks_with_a_residual_add_their_input() -> None:
    full = Architecture(
        widths=(16, 32, 48), kernels=(5, 3, 5, 3, 3), expansions=(2, 4, 1, 2, 4), head=32
    )
    adds = [layer for layer in DIGITS_SPACE.layers(full) if layer.kind is LayerKind.ADD]
    assert [layer.inputs for layer in adds] == [
        ("stem", "block0_project"),
        ("block1_project", "block2_project"),
        ("block3_project", "block4_project"),
    ]


def test_split_is_fixed_and_disjoint() -> None:
    task = digits(None, DigitsSettings())
    assert (len(task.train), len(task.validation), len(task.test)) == (1150, 287, 360)
    again = digits(None, DigitsSettings())
    assert (task.test.images == again.test.images).all()
    other = digits(None, DigitsSettings(split_seed=1))
    assert (task.test.images != other.test.images).any()
    total = sum(part.images.sum() for part in (task.train, task.validation, task.test))
    parts = (other.train, other.validation, other.test)
    assert float(total) == pytest.approx(float(sum(part.images.sum() for part in parts)))


def test_grey_levels_are_exact_in_int8() -> None:
    task = digits(None, DigitsSettings())
    images = task.test.images
    quantized = task.quantize(images)
    assert quantized.shape == (360, 8, 8, 1)
    assert set(np.unique(quantized)) <= {15 * level - 120 for level in range(17)}
    real = INPUT_SCALE.scale * (quantized[..., 0].astype(np.float64) - INPUT_SCALE.zero_point)
    np.testing.assert_allclose(real, images[:, 0].numpy(), rtol=0, atol=1e-12)
