"""Rows of windows as pixels against plain loops and against the integer reference."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import golden
from sim.arrays.network_input import MOST_WINDOWS, windows_per_vector
from sim.arrays.plan_columns import Failure
from sim.arrays.tables import LayerColumn
from sim.mapping.packed_windows import packed_windows
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


def rows_of_windows(x: NDArray[np.int8], layer: Layer, zero_point: int) -> NDArray[np.int8]:
    """[y, ox, kx · channels] : the columns of every window, in every image row."""
    height, width, channels = x.shape
    made = np.full((height, layer.output.width, layer.kernel[1], channels), zero_point, np.int8)
    for y, ox, kx in np.ndindex(made.shape[:3]):
        column = ox * layer.stride[1] - layer.padding.left + kx
        if 0 <= column < width:
            made[y, ox, kx] = x[y, column]
    return made.reshape(height, layer.output.width, -1)


def meets_the_image(layer: Layer, width: int) -> bool:
    """Whether every window has a column in the image."""
    for ox in range(layer.output.width):
        first = ox * layer.stride[1] - layer.padding.left
        if not any(0 <= first + kx < width for kx in range(layer.kernel[1])):
            return False
    return True


@pytest.mark.parametrize("seed", range(60))
def test_rows_of_windows_compute_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, first = random_conv(rng)
    other = packed_windows(network)
    if not meets_the_image(first, network.input.width):
        assert other is None
        return
    assert other is not None
    images = rng.integers(-128, 128, (2, *network.input.shape), np.int8)
    made = np.stack([rows_of_windows(x, first, network.input.zero_point) for x in images])
    assert made.shape[1:] == other.input.shape
    expected, values = golden.run(network, images), golden.run(other, made)
    for layer in network.layers:
        np.testing.assert_array_equal(values[layer.name], expected[layer.name])
    assert other.macs == network.macs


def test_random_convolutions_are_packed_or_not() -> None:
    networks = [packed_windows(random_conv(np.random.default_rng(seed))[0]) for seed in range(60)]
    assert 15 < sum(network is not None for network in networks) < 60


def test_a_fully_connected_layer_has_a_window() -> None:
    rng = np.random.default_rng(1)
    source = random_tensor("input", 3, 2, 3, rng)
    layer = fully_connected("layer", source, 4, rng)
    network = Network(name="net", input=source, layers=(layer,))
    other = packed_windows(network)
    assert other is not None
    assert other.input.shape == (3, 1, 6)
    image = rng.integers(-128, 128, (1, 3, 2, 3), np.int8)
    made = rows_of_windows(image[0], layer, source.zero_point)[None]
    np.testing.assert_array_equal(
        golden.run(other, made)["layer"], golden.run(network, image)["layer"]
    )


def test_an_input_with_other_readers_stays() -> None:
    rng = np.random.default_rng(2)
    source = random_tensor("input", 6, 6, 3, rng)
    same = Padding(top=1, bottom=1, left=1, right=1)
    conv = padded("conv", LayerKind.CONV, source, (3, 3), (1, 1), same, rng, 3)
    assert packed_windows(Network(name="a", input=source, layers=(conv,))) is not None
    skip = add("add", source, conv.output, rng)
    assert packed_windows(Network(name="b", input=source, layers=(conv, skip))) is None
    depthwise = padded("depthwise", LayerKind.DEPTHWISE, source, (3, 3), (1, 1), same, rng)
    assert packed_windows(Network(name="c", input=source, layers=(depthwise,))) is None


def test_a_vector_holds_a_power_of_two_of_windows() -> None:
    row = np.zeros(len(LayerColumn), np.int64)
    assert windows_per_vector(row, 8) == 1
    for simd in (4, 8, 16, 32, 64, 128):
        for pixels, stride, channels in np.ndindex(8, 4, 6):
            row[LayerColumn.WINDOW_PIXELS] = pixels + 1
            row[LayerColumn.WINDOW_STRIDE] = stride + 1
            row[LayerColumn.IMAGE_CHANNELS] = channels + 1
            fitting = [
                n
                for n in (1, 2, 4, 8, 16, 32, 64)
                if ((n - 1) * (stride + 1) + pixels + 1) * (channels + 1) <= simd
            ]
            assert windows_per_vector(row, simd) == max(fitting, default=0) <= MOST_WINDOWS


def stem(outputs: int) -> Network:
    """A first layer as of image networks: 3x3 of stride 2 on three channels."""
    rng = np.random.default_rng(0)
    source = random_tensor("input", 32, 32, 3, rng)
    pad = Padding(bottom=1, right=1)
    layer = padded("stem", LayerKind.CONV, source, (3, 3), (2, 2), pad, rng, outputs)
    return Network(name="stem", input=source, layers=(layer,))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (TINY.default, True),
        (NAHAS.default, True),
        # a vector of 8 bytes does not hold a row of 9
        (dataclasses.replace(TINY.default, simd_units=8), False),
    ],
)
def test_the_first_layer_reads_windows_where_that_takes_less_time(
    config: AcceleratorConfig, expected: bool
) -> None:
    config = dataclasses.replace(config, simd_units=config.simd_units if not expected else 16)
    network = stem(16)
    mapped = map_network(config, network)
    assert mapped.failure is Failure.NONE
    assert (mapped.network is not network) == expected


def test_weights_beyond_a_half_are_read_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 30, 5, 3, rng)
    layer = fully_connected("layer", source, 10, rng)
    network = Network(name="tall", input=source, layers=(layer,))
    config = dataclasses.replace(TINY.default, simd_units=16, local_memory_kb=64)
    assert (map_network(config, network).network is network) == (config.weight_rows < 30 * 4)
    small = dataclasses.replace(config, register_file_kb=2)
    assert small.weight_rows < 30 * 4
    assert map_network(small, network).network is network


def test_tables_of_both_forms_live_as_long_as_the_network() -> None:
    network = stem(4)
    forms = network_tables(network)
    assert [form is network for form, _, _ in forms] == [True, False]
    assert network_tables(network)[1][1] is forms[1][1]
    watched = [weakref.ref(form) for form, _, _ in forms]
    del network, forms
    gc.collect()
    assert all(reference() is None for reference in watched)


def test_an_input_is_not_packed_beyond_what_a_tensor_may_be() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 2000, 2000, 1, rng)
    padding = Padding(top=1, bottom=1, left=1, right=1)
    for stride, possible in ((1, False), (2, True)):
        layer = padded("layer", LayerKind.CONV, source, (3, 5), (1, stride), padding, rng, 1)
        network = Network(name="net", input=source, layers=(layer,))
        assert (packed_windows(network) is not None) is possible
    flat = random_tensor("input", 3, 65536, 31, rng)
    wide = fully_connected("layer", flat, 2, rng)
    assert packed_windows(Network(name="net", input=flat, layers=(wide,))) is None
