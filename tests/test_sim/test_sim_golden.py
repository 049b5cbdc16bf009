"""The integer reference against a slow twin written with Python's unbounded integers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from layer_twin import layer_twin
from sim import golden
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def tensor(name: str, shape: tuple[int, int, int], zero_point: int = 0) -> TensorSpec:
    return TensorSpec.of_shape(name, shape, 1.0, zero_point)


def products_layer(
    rng: np.random.Generator,
    kind: LayerKind,
    source: TensorSpec,
    channels: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: Padding | None = None,
    zero_point: int = 0,
    clamp: tuple[int, int] = (-128, 127),
    bias_limit: int = 1 << 12,
    shift: tuple[int, int] = (-12, -3),
) -> Layer:
    """Layer with random parameters; `channels` is the input's for a depthwise layer."""
    pad = padding or Padding()
    height, width = pad.windows(source.shape[:2], kernel, stride)
    shape: tuple[int, ...] = (channels, *kernel, source.channels)
    if kind is LayerKind.DEPTHWISE:
        shape = (*kernel, channels)
    return Layer(
        name="y",
        kind=kind,
        inputs=(source.name,),
        output=tensor("y", (height, width, channels), zero_point),
        kernel=kernel,
        stride=stride,
        padding=pad,
        weights=rng.integers(-128, 128, shape).astype(np.int8),
        bias=rng.integers(-bias_limit, bias_limit, channels).astype(np.int32),
        multiplier=rng.integers(2**30, 2**31, channels).astype(np.int32),
        shift=rng.integers(shift[0], shift[1] + 1, channels).astype(np.int32),
        clamp=clamp,
    )


def images(rng: np.random.Generator, count: int, source: TensorSpec) -> NDArray[np.int8]:
    x = rng.integers(-128, 128, (count, *source.shape)).astype(np.int8)
    x[0] = -128
    return x


def check_layer(layer: Layer, sources: list[TensorSpec], inputs: list[NDArray[np.int8]]) -> None:
    outputs = golden.run_layer(layer, sources, inputs)
    assert outputs.dtype == np.int8
    assert outputs.shape == (len(inputs[0]), *layer.output.shape)
    for n in range(len(outputs)):
        expected = layer_twin(layer, sources, [x[n].tolist() for x in inputs])
        assert outputs[n].tolist() == expected


SHAPES = [
    # source, kernel, stride, padding
    ((5, 6, 3), (3, 3), (1, 1), Padding(top=1, bottom=1, left=1, right=1)),
    ((6, 5, 2), (3, 3), (2, 2), Padding(bottom=1, right=1)),
    ((7, 7, 1), (5, 5), (2, 1), Padding(top=2, bottom=2, left=2, right=2)),
    ((4, 4, 5), (1, 1), (1, 1), Padding()),
    ((5, 4, 4), (1, 1), (2, 2), Padding()),
    ((3, 8, 2), (2, 3), (1, 2), Padding(top=3, left=1)),
    ((1, 1, 6), (3, 3), (1, 1), Padding(top=1, bottom=1, left=1, right=1)),
]


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), SHAPES)
def test_conv_equals_its_twin(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    zero_point: int,
) -> None:
    rng = np.random.default_rng(1)
    source = tensor("x", shape, zero_point)
    layer = products_layer(
        rng,
        LayerKind.CONV,
        source,
        4,
        kernel,
        stride=stride,
        padding=padding,
        zero_point=-7,
    )
    check_layer(layer, [source], [images(rng, 2, source)])


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), SHAPES)
def test_depthwise_equals_its_twin(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    zero_point: int,
) -> None:
    rng = np.random.default_rng(2)
    source = tensor("x", shape, zero_point)
    layer = products_layer(
        rng,
        LayerKind.DEPTHWISE,
        source,
        shape[2],
        kernel,
        stride=stride,
        padding=padding,
        zero_point=5,
        clamp=(5, 100),
    )
    check_layer(layer, [source], [images(rng, 3, source)])


@pytest.mark.parametrize("shape", [(1, 1, 9), (3, 2, 4)])
def test_fully_connected_equals_its_twin(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(3)
    source = tensor("x", shape, -3)
    layer = products_layer(rng, LayerKind.FULLY_CONNECTED, source, 5, shape[:2], zero_point=9)
    check_layer(layer, [source], [images(rng, 4, source)])


@pytest.mark.parametrize("kind", [LayerKind.CONV, LayerKind.DEPTHWISE])
def test_accumulators_and_left_shifts_wrap_in_int32(kind: LayerKind) -> None:
    rng = np.random.default_rng(4)
    source = tensor("x", (3, 3, 6), -128)
    layer = products_layer(
        rng,
        kind,
        source,
        6,
        (3, 3),
        padding=Padding(top=1, bottom=1, left=1, right=1),
        bias_limit=2**31,
        shift=(-31, 30),
    )
    layer.bias[:2] = INT32_MAX, INT32_MIN
    check_layer(layer, [source], [images(rng, 3, source)])


def test_adding_the_zero_point_does_not_wrap() -> None:
    rng = np.random.default_rng(5)
    source = tensor("x", (1, 1, 1))
    layer = products_layer(rng, LayerKind.CONV, source, 2, (1, 1), zero_point=127)
    layer.weights[:] = 0
    layer.multiplier[:] = INT32_MAX
    layer.shift[:] = 0
    layer.bias[:] = INT32_MAX, INT32_MIN
    sums = golden.run_layer(layer, [source], [np.zeros((1, 1, 1, 1), np.int8)])
    assert sums.ravel().tolist() == [127, -128]


@pytest.mark.parametrize("taps", [1023, 1024, 1025, 1041, 5000])
def test_long_sums_are_exact_on_both_sides_of_float32(taps: int) -> None:
    """1,024 taps of -128 · -128 reach 2^24, the last sum that float32 is trusted with."""
    rng = np.random.default_rng(taps)
    source = tensor("x", (1, 1, taps))
    layer = products_layer(
        rng, LayerKind.FULLY_CONNECTED, source, 3, (1, 1), bias_limit=2, shift=(-17, -17)
    )
    layer.weights[0] = -128
    layer.weights[1] = 127
    layer.multiplier[:] = 2**30
    layer.shift[:] = -17
    x = images(rng, 3, source)
    x[1] = 127
    check_layer(layer, [source], [x])
    exact = layer.weights[:, 0, 0].astype(object) @ x[:, 0, 0].astype(object).T
    sums = golden._convolve(layer, x)
    assert sums[:, 0, 0].tolist() == exact.T.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_add_equals_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 3, 5)
    a, b = (tensor(name, shape, int(rng.integers(-128, 128))) for name in "ab")
    layer = Layer(
        name="y",
        kind=LayerKind.ADD,
        inputs=("a", "b"),
        output=tensor("y", shape, int(rng.integers(-128, 128))),
        multiplier=rng.integers(2**30, 2**31, 3).astype(np.int32),
        shift=np.array([0, -rng.integers(0, 5), -rng.integers(16, 21)], np.int32),
        clamp=(-100, 90),
    )
    check_layer(layer, [a, b], [images(rng, 3, a), images(rng, 3, b)])


def test_add_of_every_pair_of_values_equals_its_twin() -> None:
    a, b = tensor("a", (1, 256, 1), -128), tensor("b", (1, 256, 1), 127)
    layer = Layer(
        name="y",
        kind=LayerKind.ADD,
        inputs=("a", "b"),
        output=tensor("y", (1, 256, 1), 3),
        multiplier=np.array([2**30, 1518500250, 1417339208], np.int32),
        shift=np.array([0, -1, -18], np.int32),
    )
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 256, 1)
    pairs = np.array([np.roll(values[0], k, 1) for k in range(0, 256, 17)])
    check_layer(layer, [a, b], [np.repeat(values, len(pairs), 0), pairs])


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 4), (3, 3, 2), (7, 5, 3)])
def test_global_average_pool_equals_its_twin(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(6)
    source = tensor("x", shape, -128)
    layer = Layer(
        name="y",
        kind=LayerKind.GLOBAL_AVERAGE_POOL,
        inputs=("x",),
        output=tensor("y", (1, 1, shape[2]), -128),
        clamp=(-120, 110),
    )
    x = images(rng, 40, source)
    x[1], x[2] = 127, np.where(np.arange(shape[1])[:, None] % 2, -1, 0)
    check_layer(layer, [source], [x])


def test_average_of_two_rounds_half_away_from_zero() -> None:
    layer = Layer(
        name="y",
        kind=LayerKind.GLOBAL_AVERAGE_POOL,
        inputs=("x",),
        output=tensor("y", (1, 1, 1)),
    )
    x = np.array([[0, 1], [0, -1], [-127, -128], [127, 126], [1, 2]], np.int8)
    means = golden.run_layer(layer, [tensor("x", (1, 2, 1))], [x.reshape(5, 1, 2, 1)])
    assert means.ravel().tolist() == [1, -1, -128, 127, 2]


WINDOWS = [
    # source, kernel, stride
    ((5, 6, 3), (2, 2), (2, 2)),
    ((7, 5, 2), (3, 3), (1, 2)),
    ((9, 9, 1), (5, 4), (2, 1)),
    ((8, 10, 2), (8, 8), (1, 2)),
    ((4, 3, 5), (1, 1), (2, 2)),
    ((5, 7, 2), (1, 2), (3, 3)),
    ((1, 1, 9), (1, 1), (1, 1)),
]
PADDINGS = [
    Padding(),
    Padding(top=1, bottom=1, left=1, right=1),
    Padding(bottom=1, right=1),
    Padding(top=9, left=9),  # windows of nothing but padding
]


def window_pool(
    kind: LayerKind,
    source: TensorSpec,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: Padding | None = None,
    clamp: tuple[int, int] = (-128, 127),
) -> Layer:
    pad = padding or Padding()
    height, width = pad.windows(source.shape[:2], kernel, stride)
    return Layer(
        name="y",
        kind=kind,
        inputs=(source.name,),
        output=tensor("y", (height, width, source.channels), source.zero_point),
        kernel=kernel,
        stride=stride,
        padding=pad,
        clamp=clamp,
    )


@pytest.mark.parametrize("clamp", [(-128, 127), (-20, 60)])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("shape", "kernel", "stride"), WINDOWS)
def test_max_pool_equals_its_twin(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    clamp: tuple[int, int],
) -> None:
    source = tensor("x", shape, 17)
    layer = window_pool(LayerKind.MAX_POOL, source, kernel, stride, padding, clamp)
    x = images(np.random.default_rng(12), 3, source)
    x[1] = -128
    check_layer(layer, [source], [x])


def test_padding_is_never_the_largest() -> None:
    """Neither 0 nor the zero point counts, as it would in a convolution."""
    source = tensor("x", (1, 1, 2), 100)
    layer = window_pool(LayerKind.MAX_POOL, source, (3, 3), padding=PADDINGS[1])
    maxima = golden.run_layer(layer, [source], [np.array([[[[-128, -7]]]], np.int8)])
    assert maxima.ravel().tolist() == [-128, -7]


@pytest.mark.parametrize("clamp", [(-128, 127), (-20, 60)])
@pytest.mark.parametrize(("shape", "kernel", "stride"), WINDOWS)
def test_average_pool_equals_its_twin(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    clamp: tuple[int, int],
) -> None:
    source = tensor("x", shape, -100)
    layer = window_pool(LayerKind.AVERAGE_POOL, source, kernel, stride, clamp=clamp)
    x = images(np.random.default_rng(13), 5, source)
    x[1], x[2] = -128, 127
    x[3] = np.where(np.arange(shape[1])[:, None] % 2, -1, 0)
    check_layer(layer, [source], [x])


def test_average_of_a_window_rounds_half_away_from_zero() -> None:
    source = tensor("x", (1, 6, 1), -128)
    layer = window_pool(LayerKind.AVERAGE_POOL, source, (1, 2), (1, 2))
    x = np.array([0, 1, 0, -1, -127, -128], np.int8).reshape(1, 1, 6, 1)
    assert golden.run_layer(layer, [source], [x]).ravel().tolist() == [1, -1, -128]


def mean_layer(source: TensorSpec, multiplier: int, shift: int, zero_point: int) -> Layer:
    return Layer(
        name="y",
        kind=LayerKind.MEAN,
        inputs=(source.name,),
        output=tensor("y", (1, 1, source.channels), zero_point),
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
        clamp=(-120, 111),
    )


@pytest.mark.parametrize("zero_point", [-128, 3, 127])
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 4), (7, 5, 3), (16, 16, 2)])
def test_mean_equals_its_twin(shape: tuple[int, int, int], zero_point: int) -> None:
    rng = np.random.default_rng(14)
    source = tensor("x", shape, zero_point)
    x = images(rng, 20, source)
    x[1], x[2] = -128, 127
    for shift in (-14, -6, 0, 3, 30):
        multiplier = int(rng.integers(2**30, 2**31))
        check_layer(mean_layer(source, multiplier, shift, -9), [source], [x])


def test_mean_rounds_twice() -> None:
    """Not as a division: the high product rounds before the shift does."""
    source = tensor("x", (1, 3, 1), 10)
    # one third, as the converter writes it: 2^32 / 3, halved once
    layer = mean_layer(source, round(2**32 / 3), -1, 0)
    x = np.array([[10, 10, 11], [11, 11, 10], [10, 13, 12]], np.int8)
    means = golden.run_layer(layer, [source], [x.reshape(3, 1, 3, 1)])
    assert means.ravel().tolist() == [1, 1, 2]


def small_network(rng: np.random.Generator) -> Network:
    """Every layer kind once, but the mean: conv, depthwise, add of both, pools, fully connected."""
    source = tensor("x", (6, 6, 3), -2)
    same = Padding(top=1, bottom=1, left=1, right=1)

    def named(layer: Layer, name: str) -> Layer:
        return replace(layer, name=name, output=replace(layer.output, name=name))

    conv = named(
        products_layer(rng, LayerKind.CONV, source, 4, (3, 3), stride=(2, 2), padding=same),
        "conv",
    )
    depthwise = named(
        products_layer(rng, LayerKind.DEPTHWISE, conv.output, 4, (3, 3), padding=same),
        "depthwise",
    )
    add = Layer(
        name="add",
        kind=LayerKind.ADD,
        inputs=("conv", "depthwise"),
        output=tensor("add", conv.output.shape, 1),
        multiplier=np.array([2**30, 3 * 2**29, 2**30], np.int32),
        shift=np.array([0, -1, -18], np.int32),
    )
    largest = replace(
        window_pool(LayerKind.MAX_POOL, add.output, (3, 3), padding=same),
        name="largest",
        output=tensor("largest", add.output.shape, 1),
    )
    average = replace(
        window_pool(LayerKind.AVERAGE_POOL, largest.output, (2, 2)),
        name="average",
        output=tensor("average", (2, 2, 4), 1),
    )
    pool = Layer(
        name="pool",
        kind=LayerKind.GLOBAL_AVERAGE_POOL,
        inputs=("average",),
        output=tensor("pool", (1, 1, 4), 1),
    )
    dense = named(
        products_layer(rng, LayerKind.FULLY_CONNECTED, pool.output, 5, (1, 1)),
        "dense",
    )
    return Network(
        name="small", input=source, layers=(conv, depthwise, add, largest, average, pool, dense)
    )


def test_run_gives_every_tensor_in_order() -> None:
    rng = np.random.default_rng(8)
    network = small_network(rng)
    x = images(rng, 3, network.input)
    values = golden.run(network, x)
    names = ["x", "conv", "depthwise", "add", "largest", "average", "pool", "dense"]
    assert list(values) == names
    assert values["x"] is x
    for layer in network.layers:
        sources = [network.tensors[name] for name in layer.inputs]
        for n in range(len(x)):
            expected = layer_twin(
                layer, sources, [values[name][n].tolist() for name in layer.inputs]
            )
            assert values[layer.name][n].tolist() == expected


def test_run_does_not_depend_on_the_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    network = small_network(rng)
    x = images(rng, 7, network.input)
    whole = golden.run(network, x)
    monkeypatch.setattr(golden, "_BLOCK_ELEMENTS", 2 * 3 * 3 * 27)  # two images of conv a block
    in_blocks = golden.run(network, x)
    for name, values in whole.items():
        assert np.array_equal(in_blocks[name], values)
        for n in range(len(x)):
            assert np.array_equal(golden.run(network, x[n : n + 1])[name][0], values[n])


def test_run_of_no_images_gives_empty_tensors() -> None:
    network = small_network(np.random.default_rng(10))
    values = golden.run(network, np.zeros((0, 6, 6, 3), np.int8))
    assert values["dense"].shape == (0, 1, 1, 5)


def test_run_refuses_other_types_and_shapes() -> None:
    network = small_network(np.random.default_rng(11))
    with pytest.raises(TypeError, match=r"^x must be int8, not uint8$"):
        golden.run(network, np.zeros((1, 6, 6, 3), np.uint8))
    with pytest.raises(
        ValueError, match=r"^x must have shape \(N, \*\(6, 6, 3\)\), not \(6, 6, 3\)$"
    ):
        golden.run(network, np.zeros((6, 6, 3), np.int8))
    with pytest.raises(
        ValueError, match=r"^x must have shape \(N, \*\(6, 6, 3\)\), not \(1, 6, 6, 4\)$"
    ):
        golden.run(network, np.zeros((1, 6, 6, 4), np.int8))
