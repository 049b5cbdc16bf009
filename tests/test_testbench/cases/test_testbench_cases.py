"""Random cases: strata and corners in turn, reproducible, each group by itself."""

from dataclasses import replace

import numpy as np
import pytest

from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.network import LayerKind
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.random_networks import (
    STORES_KB,
    Case,
    Corner,
    draw_cases,
    draw_group,
    random_network,
    strata,
)

SPACES = pytest.mark.parametrize("space", [TINY, EDGE], ids=["tiny", "edge"])


def summary(cases: list[Case]) -> list[tuple[int, AcceleratorConfig, int, int]]:
    return [(case.index, case.config, case.network.macs, case.image_seed) for case in cases]


@SPACES
def test_the_same_seed_draws_the_same_cases(space: HardwareSpace) -> None:
    assert summary(draw_cases(12, space, 1)) == summary(draw_cases(12, space, 1))
    assert summary(draw_cases(12, space, 1)) != summary(draw_cases(12, space, 2))


def test_no_group_depends_on_another() -> None:
    together = draw_cases(12, TINY, 4, networks_per_config=4)
    assert summary(draw_group(2, 8, 4, TINY, 4)) == summary(together[8:])


@SPACES
def test_cases_are_realizable_points_of_the_space(space: HardwareSpace) -> None:
    """But for the weight store, which two thirds of them have from elsewhere."""
    stores = set()
    for case in draw_cases(30, space, 3):
        stores.add(case.config.weight_store_kb)
        space.indices(replace(case.config, weight_store_kb=0))
        assert check(case.config, case.network) == []

    assert 0 in stores
    assert stores & set(STORES_KB)
    assert stores & set(space.values["weight_store_kb"][1:])


def test_strata_meet_all_corners() -> None:
    count = len(strata()) * len(Corner)
    cases = draw_cases(count, TINY, 6, max_macs=512)
    assert {(case.stratum, case.corner) for case in cases} == {
        (stratum, corner) for stratum in strata() for corner in Corner
    }


@SPACES
def test_some_grids_are_awkward(space: HardwareSpace) -> None:
    width = 6 if space is EDGE else 3
    configs = [draw_group(group, 0, 1, space, 9)[0].config for group in (0, 4)]
    assert {config.pes_x for config in configs} == {width}


def test_larger_configurations_are_passed_over() -> None:
    assert all(case.config.macs <= 128 for case in draw_cases(10, TINY, 5, max_macs=128))


def test_a_limit_below_an_awkward_grid_is_kept() -> None:
    cases = draw_group(0, 0, 3, EDGE, 1, max_macs=128)
    assert all(case.config.macs <= 128 for case in cases)


def test_a_limit_below_every_point_is_refused() -> None:
    with pytest.raises(
        CosilicoError, match=r"^max_macs must be at least 64 in space 'edge', not 63$"
    ):
        draw_cases(1, EDGE, 1, max_macs=63)


@pytest.mark.parametrize("corner", Corner)
def test_corners_are_what_they_say(corner: Corner) -> None:
    simd = TINY.default.simd_units
    rng = np.random.default_rng(0)
    for stratum in strata():
        for _ in range(5):
            network = random_network(stratum, TINY.default, rng, corner)
            source = network.input
            if corner is Corner.ONE_PIXEL:
                assert source.shape[:2] == (1, 1)
            if corner is Corner.BELOW_KERNEL:
                assert max(source.shape[:2]) <= max(1, stratum.kernel - 1)
            if corner is Corner.ODD:
                assert source.height % 2 == source.width % 2 == 1
            if corner in (Corner.ONE_LESS, Corner.ONE_MORE):
                step = 1 if corner is Corner.ONE_MORE else -1
                assert source.channels == simd + step or stratum.image
                layer = next(x for x in network.layers if x.name == "layer")
                assert layer.output.channels == simd + step


def test_images_have_few_channels_and_a_convolution_reads_them() -> None:
    rng = np.random.default_rng(2)
    channels = set()
    for stratum in strata():
        if not stratum.image:
            continue
        for _ in range(5):
            network = random_network(stratum, TINY.default, rng)
            first = network.layers[0]
            assert (first.kind, first.kernel) == (stratum.kind, (stratum.kernel, stratum.kernel))
            assert first.stride[0] == stratum.stride
            channels.add(network.input.channels)
    assert channels == {1, 2, 3, 4}


def test_windows_of_average_pools_lie_within_the_image() -> None:
    rng = np.random.default_rng(1)
    whole = 0
    for stratum in strata():
        if stratum.kind is not LayerKind.AVERAGE_POOL:
            continue
        for _ in range(20):
            network = random_network(stratum, TINY.default, rng)
            layer = next(x for x in network.layers if x.name == "layer")
            source = network.tensors[layer.inputs[0]]
            assert layer.kernel[0] == min(stratum.kernel, source.height)
            assert layer.kernel[1] == min(stratum.kernel, source.width)
            whole += layer.kernel == (stratum.kernel, stratum.kernel)
    assert whole > 80


def test_images_are_random_bytes_of_the_input() -> None:
    case = draw_cases(1, TINY, 1)[0]
    assert case.images.shape == (2, *case.network.input.shape)
    assert case.images.dtype == np.int8
    np.testing.assert_array_equal(case.images, case.images)


def test_traits_say_what_the_mapping_does() -> None:
    cases = draw_cases(60, TINY, 22)
    traits = {trait.lstrip("0123456789 ") for case in cases for trait in case.traits}
    assert {"partial", "pixels", "spills", "images"} <= traits
    assert {"weights in the store", "PE columns split channels", "inputs in strips"} <= traits
    spilled = next(case for case in cases if case.spills)
    assert "spills" in spilled.traits


def test_a_stratum_names_its_kernel_and_stride() -> None:
    names = [str(stratum) for stratum in strata()]
    assert names[0] == "conv 1x1/1"
    assert {"depthwise 7x7/2", "max_pool 8x8/2", "average_pool 3x3/1", "mean"} <= set(names)
    assert str(LayerKind.FULLY_CONNECTED) in names
    assert names[-1] == "first conv 7x7/3"
