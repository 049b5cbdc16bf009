"""Unfolding against plain loops and against the integer reference."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import golden
from sim.arrays.plan_columns import Failure
from sim.mapping.unfold import unfold_input, unfolded
from sim.plan import map_network, network_tables
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, Padding
from sim.spec.spaces import NAHAS, TINY
from testbench.cases.layers import add, fully_connected, padded, pool, random_tensor


def random_conv(rng: np.random.Generator) -> tuple[Network, Layer]:
    """A convolution of few channels over any padding, and a layer behind it."""
    height, width = (int(x) for x in rng.integers(1, 10, 2))
    source = random_tensor("input", height, width, int(rng.integers(1, 8)), rng)
    taps = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    pads = [int(rng.integers(0, taps[i // 2] + 1)) for i in range(4)]
    pads[1] += max(0, taps[0] - height - pads[0] - pads[1])
    pads[3] += max(0, taps[1] - width - pads[2] - pads[3])
    strides = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    padding = Padding(top=pads[0], bottom=pads[1], left=pads[2], right=pads[3])
    first = padded("first", LayerKind.CONV, source, taps, strides, padding, rng, 5)
    return Network(name="net", input=source, layers=(first, pool("pool", first.output))), first


def windows_by_loops(x: NDArray[np.int8], layer: Layer, zero_point: int) -> NDArray[np.float64]:
    height, width, channels = x.shape
    windows = np.zeros((*layer.output.shape[:2], layer.kernel[0] * layer.kernel[1] * channels))
    for oy, ox in np.ndindex(*layer.output.shape[:2]):
        values = []
        for ky, kx, c in np.ndindex(*layer.kernel, channels):
            y = oy * layer.stride[0] - layer.padding.top + ky
            x_ = ox * layer.stride[1] - layer.padding.left + kx
            inside = 0 <= y < height and 0 <= x_ < width
            values.append(x[y, x_, c] if inside else zero_point)
        windows[oy, ox] = values
    return windows


@pytest.mark.parametrize("seed", range(60))
def test_an_unfolded_network_computes_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, first = random_conv(rng)
    channels = network.input.channels
    other = unfolded(network)
    taps = first.kernel[0] * first.kernel[1]
    steps, fewer = taps * -(-channels // 4), -(-taps * channels // 4)
    if fewer >= steps:
        assert other is None
        return
    assert other is not None
    images = rng.integers(-128, 128, (2, *network.input.shape), np.int8)
    zero_point = network.input.zero_point
    made = np.stack([unfold_input(image, first, zero_point) for image in images])
    assert made.dtype == np.int8
    assert made.shape[1:] == other.input.shape
    np.testing.assert_array_equal(made[0], windows_by_loops(images[0], first, zero_point))
    expected, values = golden.run(network, images), golden.run(other, made)
    for layer in network.layers:
        np.testing.assert_array_equal(values[layer.name], expected[layer.name])
    assert other.macs == network.macs


def test_random_convolutions_are_unfolded_or_not() -> None:
    networks = [unfolded(random_conv(np.random.default_rng(seed))[0]) for seed in range(60)]
    assert 15 < sum(network is not None for network in networks) < 55


def test_a_fully_connected_layer_becomes_a_convolution_of_one_pixel() -> None:
    rng = np.random.default_rng(1)
    source = random_tensor("input", 3, 2, 3, rng)
    layer = fully_connected("layer", source, 4, rng)
    network = Network(name="net", input=source, layers=(layer,))
    other = unfolded(network)
    assert other is not None
    assert other.input.shape == (1, 1, 18)
    image = rng.integers(-128, 128, (1, 3, 2, 3), np.int8)
    made = unfold_input(image[0], layer, source.zero_point)[None]
    np.testing.assert_array_equal(
        golden.run(other, made)["layer"], golden.run(network, image)["layer"]
    )


def test_what_saves_no_step_or_has_other_readers_stays() -> None:
    rng = np.random.default_rng(2)
    source = random_tensor("input", 6, 6, 3, rng)
    same = Padding(top=1, bottom=1, left=1, right=1)
    conv = padded("conv", LayerKind.CONV, source, (3, 3), (1, 1), same, rng, 3)
    assert unfolded(Network(name="a", input=source, layers=(conv,))) is not None
    skip = add("add", source, conv.output, rng)
    assert unfolded(Network(name="b", input=source, layers=(conv, skip))) is None
    depthwise = padded("depthwise", LayerKind.DEPTHWISE, source, (3, 3), (1, 1), same, rng)
    assert unfolded(Network(name="c", input=source, layers=(depthwise,))) is None
    whole = random_tensor("input", 6, 6, 8, rng)
    conv = padded("conv", LayerKind.CONV, whole, (3, 3), (1, 1), same, rng, 3)
    assert unfolded(Network(name="d", input=whole, layers=(conv,))) is None


def stem(outputs: int) -> Network:
    """A first layer as of image networks: 3x3 of stride 2 on three channels."""
    rng = np.random.default_rng(0)
    source = random_tensor("input", 32, 32, 3, rng)
    pad = Padding(bottom=1, right=1)
    layer = padded("stem", LayerKind.CONV, source, (3, 3), (2, 2), pad, rng, outputs)
    return Network(name="stem", input=source, layers=(layer,))


@pytest.mark.parametrize(
    ("config", "outputs", "expected"),
    [
        # computing decides: 7 steps for 9
        (dataclasses.replace(TINY.default, pes_x=1, pes_y=1), 64, True),
        # loading decides: 32 bytes a pixel for 4 · 4
        (dataclasses.replace(TINY.default, simd_units=32, io_bandwidth_gbps=0.4), 4, False),
        (dataclasses.replace(NAHAS.default, io_bandwidth_gbps=2.0), 32, False),
    ],
)
def test_the_first_layer_is_unfolded_where_that_takes_less_time(
    config: AcceleratorConfig, outputs: int, expected: bool
) -> None:
    network = stem(outputs)
    mapped = map_network(config, network)
    assert mapped.failure is Failure.NONE
    assert (mapped.network is not network) == expected


def test_what_can_only_be_mapped_as_it_is_is_not_unfolded() -> None:
    """Unfolded, 80 x 80 x 3 inputs of one output are 4,800 groups: more than a field holds."""
    rng = np.random.default_rng(0)
    source = random_tensor("input", 80, 80, 3, rng)
    layer = fully_connected("layer", source, 10, rng)
    network = Network(name="wide", input=source, layers=(layer,))
    config = dataclasses.replace(TINY.default, simd_units=4, local_memory_kb=64)
    mapped = map_network(config, network)
    assert mapped.failure is Failure.NONE
    assert mapped.network is network


def test_tables_of_both_forms_live_as_long_as_the_network() -> None:
    network = stem(4)
    forms = network_tables(network)
    assert [form is network for form, _, _ in forms] == [True, False]
    assert network_tables(network)[1][1] is forms[1][1]
    watched = [weakref.ref(form) for form, _, _ in forms]
    del network, forms
    gc.collect()
    assert all(reference() is None for reference in watched)


def test_an_input_is_not_unfolded_beyond_what_a_tensor_may_be() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 2000, 2000, 1, rng)
    padding = Padding(top=1, bottom=1, left=1, right=1)
    for stride, possible in ((1, False), (2, True)):
        layer = padded("layer", LayerKind.CONV, source, (3, 3), (stride, stride), padding, rng, 1)
        network = Network(name="net", input=source, layers=(layer,))
        assert (unfolded(network) is not None) is possible
    flat = random_tensor("input", 3, 65536, 31, rng)
    wide = fully_connected("layer", flat, 2, rng)
    assert unfolded(Network(name="net", input=flat, layers=(wide,))) is None
