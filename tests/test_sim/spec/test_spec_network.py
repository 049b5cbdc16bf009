"""The network vocabulary: padding, counts, and every rule's message."""

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec


def tensor(name: str = "x", shape: tuple[int, int, int] = (6, 5, 3), **changes: Any) -> TensorSpec:
    height, width, channels = shape
    fields: dict[str, Any] = {
        "name": name,
        "height": height,
        "width": width,
        "channels": channels,
        "scale": 0.5,
        "zero_point": 0,
    }
    return TensorSpec(**fields | changes)


def quantization(channels: int) -> dict[str, Any]:
    return {
        "bias": np.zeros(channels, np.int32),
        "multiplier": np.full(channels, 2**30, np.int32),
        "shift": np.zeros(channels, np.int32),
    }


def conv(name: str = "c", source: str = "x", **changes: Any) -> Layer:
    """3 x 3 convolution of stride 2 with SAME padding, (6, 5, 3) to (3, 3, 4)."""
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.CONV,
        "inputs": (source,),
        "output": tensor(name, (3, 3, 4)),
        "kernel": (3, 3),
        "stride": (2, 2),
        "padding": Padding.same((6, 5), (3, 3), (2, 2)),
        "weights": np.ones((4, 3, 3, 3), np.int8),
        **quantization(4),
    }
    return Layer(**fields | changes)


def depthwise(name: str = "d", source: str = "c", **changes: Any) -> Layer:
    """1 x 2 depthwise layer, (3, 3, 4) to (3, 2, 4)."""
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.DEPTHWISE,
        "inputs": (source,),
        "output": tensor(name, (3, 2, 4)),
        "kernel": (1, 2),
        "weights": np.ones((1, 2, 4), np.int8),
        **quantization(4),
    }
    return Layer(**fields | changes)


def add(name: str = "a", inputs: tuple[str, ...] = ("d", "d"), **changes: Any) -> Layer:
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.ADD,
        "inputs": inputs,
        "output": tensor(name, (3, 2, 4)),
        "multiplier": np.full(3, 2**30, np.int32),
        "shift": np.zeros(3, np.int32),
    }
    return Layer(**fields | changes)


def dense(name: str = "f", source: str = "a", **changes: Any) -> Layer:
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.FULLY_CONNECTED,
        "inputs": (source,),
        "output": tensor(name, (1, 1, 7)),
        "kernel": (3, 2),
        "weights": np.ones((7, 3, 2, 4), np.int8),
        **quantization(7),
    }
    return Layer(**fields | changes)


def pool(name: str = "p", source: str = "a", **changes: Any) -> Layer:
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.GLOBAL_AVERAGE_POOL,
        "inputs": (source,),
        "output": tensor(name, (1, 1, 4)),
    }
    return Layer(**fields | changes)


def window(kind: LayerKind, name: str = "w", source: str = "x", **changes: Any) -> Layer:
    """2 x 2 windows of stride 2, (6, 5, 3) to (3, 2, 3)."""
    fields: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "inputs": (source,),
        "output": tensor(name, (3, 2, 3)),
        "kernel": (2, 2),
        "stride": (2, 2),
    }
    return Layer(**fields | changes)


def mean(name: str = "m", source: str = "x", **changes: Any) -> Layer:
    fields: dict[str, Any] = {
        "name": name,
        "kind": LayerKind.MEAN,
        "inputs": (source,),
        "output": tensor(name, (1, 1, 3), scale=0.25, zero_point=9),
        "multiplier": np.full(1, 2**30, np.int32),
        "shift": np.zeros(1, np.int32),
    }
    return Layer(**fields | changes)


def network(*layers: Layer) -> Network:
    return Network(name="n", input=tensor(), layers=layers)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


def test_shape_is_height_width_channels() -> None:
    assert tensor(shape=(2, 3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize("value", [0, -1, (1 << 20) + 1, 10**28])
@pytest.mark.parametrize("name", ["height", "width", "channels"])
def test_refuses_empty_and_endless_tensors(name: str, value: int) -> None:
    most = 1 << (20 if name == "channels" else 16)
    message = f"{name} of 'x' must be an integer in 1 … {most}, not {value}"
    with pytest.raises(ValueError, match=exactly(message)):
        tensor(**dict[str, Any]({name: value}))


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\ud800", "n" * 201])
def test_refuses_names_that_no_file_may_have(name: str) -> None:
    rule = "must be a name of 1 … 200 printable characters, not "
    with pytest.raises(ValueError, match="^" + re.escape(f"name of a tensor {rule}")):
        tensor(name)
    with pytest.raises(ValueError, match="^" + re.escape(f"name of a network {rule}")):
        Network(name=name, input=tensor(), layers=(conv(),))


@pytest.mark.parametrize("field", ["kernel", "stride"])
@pytest.mark.parametrize("value", [0, (1 << 16) + 1, 10**28])
def test_refuses_endless_windows(field: str, value: int) -> None:
    message = f"kernel and stride of layer 'c' must be an integer in 1 … 65536, not {value}"
    with pytest.raises(ValueError, match=exactly(message)):
        conv(**dict[str, Any]({field: (1, value)}))


def test_refuses_endless_padding() -> None:
    message = exactly("padding of layer 'c' must be an integer in 0 … 4096, not 4097")
    with pytest.raises(ValueError, match=message):
        conv(padding=Padding(bottom=4097))
    wide = window(LayerKind.MAX_POOL, padding=Padding(top=4096, left=4096), kernel=(1, 1))
    message = exactly("padded input of layer 'w' must have at most 16777216 values, not 50466906")
    with pytest.raises(ValueError, match=message):
        network(wide)


def test_refuses_networks_of_more_than_a_machine_computes() -> None:
    source = tensor("x", (4096, 4096, 1))
    names = ["x", *(f"p{i}" for i in range(8))]
    layers = [
        window(LayerKind.MAX_POOL, name, before, kernel=(1, 1), stride=(1, 1),
               output=tensor(name, source.shape))
        for before, name in itertools.pairwise(names)
    ]  # fmt: skip
    assert Network(name="n", input=source, layers=tuple(layers[:7])).macs == 0
    message = "tensors of network 'n' must have at most 134217728 values in all, not 150994944"
    with pytest.raises(ValueError, match=exactly(message)):
        Network(name="n", input=source, layers=tuple(layers))
    wide = conv(
        kernel=(1, 1), stride=(1, 1), padding=Padding(), output=tensor("c", (4096, 4096, 1)),
        weights=np.zeros((1, 1, 1, 1), np.int8), **quantization(1)
    )  # fmt: skip
    assert Network(name="n", input=source, layers=(wide,)).macs == 1 << 24
    deep = tensor("x", (64, 64, 4096))
    costly = conv(
        kernel=(1, 1), stride=(1, 1), padding=Padding(), output=tensor("c", deep.shape),
        weights=np.zeros((4096, 1, 1, 4096), np.int8), **quantization(4096)
    )  # fmt: skip
    twice = replace(costly, name="d", inputs=("c",), output=tensor("d", deep.shape))
    message = (
        "network 'n' must have at most 68719476736 MACs for one image, taps of pools included, "
        "not 137438953472"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        Network(name="n", input=deep, layers=(costly, twice))
    endless = window(LayerKind.MAX_POOL, kernel=(2048, 2048), stride=(1, 1),
                     output=tensor("w", (2049, 2049, 1)))  # fmt: skip
    message = message.replace("137438953472", str((2049 * 2048) ** 2))
    with pytest.raises(ValueError, match=exactly(message)):
        Network(name="n", input=source, layers=(endless,))


def test_refuses_tensors_of_more_values_than_any_network_needs() -> None:
    assert tensor(shape=(4096, 4096, 1)).shape == (4096, 4096, 1)
    message = exactly("tensor 'x' must have at most 16777216 values, not 16781312")
    with pytest.raises(ValueError, match=message):
        tensor(shape=(4096, 4097, 1))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e-40])
def test_refuses_scales_that_are_not_positive(scale: float) -> None:
    message = exactly(f"scale of 'x' must be a number in 1e-38 … 1e+38, not {scale!r}")
    with pytest.raises(ValueError, match=message):
        tensor(scale=scale)


@pytest.mark.parametrize("zero_point", [-129, 128])
def test_refuses_zero_points_outside_int8(zero_point: int) -> None:
    message = exactly(f"zero_point of 'x' must be an integer in -128 … 127, not {zero_point}")
    with pytest.raises(ValueError, match=message):
        tensor(zero_point=zero_point)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "vertical", "horizontal"),
    [
        ((6, 5), (3, 3), (2, 2), (0, 1), (1, 1)),  # the odd pixel at the bottom
        ((8, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
        ((8, 8), (5, 5), (2, 2), (1, 2), (1, 2)),
        ((7, 8), (1, 1), (2, 2), (0, 0), (0, 0)),  # never negative
        ((4, 4), (2, 4), (1, 1), (0, 1), (1, 2)),
        ((1, 1), (3, 3), (1, 1), (1, 1), (1, 1)),
    ],
)
def test_same_padding_is_tensorflow_s(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    vertical: tuple[int, int],
    horizontal: tuple[int, int],
) -> None:
    pad = Padding.same(size, kernel, stride)
    assert (pad.top, pad.bottom) == vertical
    assert (pad.left, pad.right) == horizontal


def test_same_padding_gives_a_stride_th_of_the_pixels_rounded_up() -> None:
    for size in range(1, 20):
        for kernel in range(1, 8):
            for stride in range(1, 4):
                pad = Padding.same((size, size), (kernel, kernel), (stride, stride))
                outputs = (size + pad.top + pad.bottom - kernel) // stride + 1
                assert outputs == -(-size // stride)
                assert 0 <= pad.bottom - pad.top <= 1


def test_macs_count_every_product_of_one_image() -> None:
    assert conv().macs == 3 * 3 * 4 * 3 * 3 * 3
    assert depthwise().macs == 3 * 2 * 1 * 2 * 4
    assert dense().macs == 7 * 3 * 2 * 4
    assert add().macs == 0
    assert pool().macs == 0


def test_refuses_an_output_of_another_name() -> None:
    with pytest.raises(ValueError, match=exactly("output of layer 'c' must bear its name")):
        conv(output=tensor("other", (3, 3, 4)))


@pytest.mark.parametrize("inputs", [(), ("x", "x")])
def test_refuses_a_wrong_number_of_inputs(inputs: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=exactly("layer 'c' has the wrong number of inputs")):
        conv(inputs=inputs)
    with pytest.raises(ValueError, match=exactly("layer 'a' has the wrong number of inputs")):
        add(inputs=(*inputs, "x"))


@pytest.mark.parametrize("clamp", [(-129, 0), (0, 128), (1, 0)])
def test_refuses_clamps_that_are_not_ordered_int8(clamp: tuple[int, int]) -> None:
    message = exactly("clamp of layer 'c' must be ordered int8 values")
    with pytest.raises(ValueError, match=message):
        conv(clamp=clamp)


def test_refuses_negative_multipliers() -> None:
    multiplier = np.array([2**30, -5, 0, 1], np.int32)
    message = exactly("multiplier of layer 'c' must not be negative, not -5")
    with pytest.raises(ValueError, match=message):
        conv(multiplier=multiplier)


@pytest.mark.parametrize("shift", [-32, 31])
def test_refuses_shifts_out_of_range(shift: int) -> None:
    message = exactly("shift of layer 'c' must be in -31 … 30")
    with pytest.raises(ValueError, match=message):
        conv(shift=np.array([0, 0, shift, 0], np.int32))


def test_accepts_the_limits_of_shift_and_multiplier() -> None:
    layer = conv(
        shift=np.array([-31, 30, 0, 0], np.int32),
        multiplier=np.array([0, 2**31 - 1, 2**30, 1], np.int32),
    )
    assert layer.shift.tolist() == [-31, 30, 0, 0]


def test_network_knows_its_tensors_in_order() -> None:
    whole = network(conv(), depthwise(), add(), dense())
    assert list(whole.tensors) == ["x", "c", "d", "a", "f"]
    assert whole.tensors["x"] is whole.input
    assert whole.output.shape == (1, 1, 7)
    assert whole.macs == sum(layer.macs for layer in whole.layers) > 0
    assert network(conv(), depthwise(), add(), pool()).output.name == "p"


def test_refuses_a_network_without_layers() -> None:
    with pytest.raises(ValueError, match=exactly("network 'n' must have layers")):
        network()


def test_refuses_a_tensor_that_was_not_made_before() -> None:
    message = exactly("layer 'd' reads unknown tensor 'c'")
    with pytest.raises(ValueError, match=message):
        network(depthwise(), conv())
    with pytest.raises(ValueError, match=exactly("layer 'c' reads unknown tensor 'c'")):
        network(conv(source="c"))


def test_refuses_a_name_used_twice() -> None:
    with pytest.raises(ValueError, match=exactly("tensor name 'c' must be unique")):
        network(conv(), conv())
    with pytest.raises(ValueError, match=exactly("tensor name 'x' must be unique")):
        network(conv("x"))


def test_refuses_operands_of_different_shapes() -> None:
    message = exactly("operands and output of 'a' must have one shape")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(), add(inputs=("c", "d")))
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(), add(output=tensor("a", (3, 3, 4))))


@pytest.mark.parametrize("name", ["multiplier", "shift"])
def test_refuses_an_add_without_three_requantizations(name: str) -> None:
    message = exactly(f"{name} of layer 'a' must have shape (3,), not (4,)")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(), add(**dict[str, Any]({name: np.zeros(4, np.int32)})))


def test_refuses_a_pool_that_keeps_pixels_or_loses_channels() -> None:
    for shape in ((3, 2, 4), (1, 1, 3)):
        message = exactly(f"output of layer 'p' must have shape (1, 1, 4), not {shape}")
        with pytest.raises(ValueError, match=message):
            network(conv(), pool(source="c", output=tensor("p", shape)))


POOLS = pytest.mark.parametrize("kind", [LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL])


@POOLS
def test_pools_of_windows_keep_the_channels(kind: LayerKind) -> None:
    assert network(window(kind)).output.shape == (3, 2, 3)
    assert network(window(kind)).macs == 0
    message = exactly("output of layer 'w' must have shape (3, 2, 3), not (3, 2, 4)")
    with pytest.raises(ValueError, match=message):
        network(window(kind, output=tensor("w", (3, 2, 4))))
    message = exactly("output of layer 'w' must have shape (5, 4, 3), not (3, 2, 3)")
    with pytest.raises(ValueError, match=message):
        network(window(kind, stride=(1, 1)))


@POOLS
@pytest.mark.parametrize("changes", [{"scale": 0.25}, {"zero_point": 1}])
def test_pools_of_windows_keep_the_quantization(kind: LayerKind, changes: dict[str, Any]) -> None:
    message = exactly("input and output of 'w' must be quantized alike")
    with pytest.raises(ValueError, match=message):
        network(window(kind, output=tensor("w", (3, 2, 3), **changes)))


@POOLS
@pytest.mark.parametrize("name", ["weights", "bias", "multiplier", "shift"])
def test_pools_of_windows_have_no_parameters(kind: LayerKind, name: str) -> None:
    array = np.zeros(3, np.int8 if name == "weights" else np.int32)
    message = exactly(f"{name} of layer 'w' must have shape (0,), not (3,)")
    with pytest.raises(ValueError, match=message):
        network(window(kind, **dict[str, Any]({name: array})))


def test_only_a_max_pool_may_be_padded() -> None:
    padding = Padding(bottom=1, right=1)
    output = tensor("w", (3, 3, 3))
    assert network(window(LayerKind.MAX_POOL, padding=padding, output=output)).output is output
    message = exactly("padding of average pool 'w' must be 0 on every side, not (0, 1, 0, 1)")
    with pytest.raises(ValueError, match=message):
        network(window(LayerKind.AVERAGE_POOL, padding=padding, output=output))


def test_a_mean_may_change_the_quantization() -> None:
    averaged = network(mean())
    assert averaged.output.scale != averaged.input.scale
    assert averaged.macs == 0


def test_refuses_a_mean_that_keeps_pixels_or_loses_channels() -> None:
    for shape in ((6, 5, 3), (1, 1, 2)):
        message = exactly(f"output of layer 'm' must have shape (1, 1, 3), not {shape}")
        with pytest.raises(ValueError, match=message):
            network(mean(output=tensor("m", shape)))


@pytest.mark.parametrize(
    ("name", "entries"), [("weights", 0), ("bias", 0), ("multiplier", 1), ("shift", 1)]
)
def test_refuses_a_mean_with_parameters_of_channels(name: str, entries: int) -> None:
    array = np.zeros(3, np.int8 if name == "weights" else np.int32)
    message = exactly(f"{name} of layer 'm' must have shape ({entries},), not (3,)")
    with pytest.raises(ValueError, match=message):
        network(mean(**dict[str, Any]({name: array})))


def without_windows(kind: LayerKind, **changes: Any) -> Layer:
    if kind is LayerKind.MEAN:
        return mean(**changes)
    alike: dict[str, Any] = {"name": "m", "output": tensor("m", (1, 1, 3))}
    if kind is LayerKind.ADD:
        alike["output"] = tensor("m", (6, 5, 3))
        return add(**alike | {"inputs": ("x", "x")} | changes)
    return pool(**alike | {"inputs": ("x",)} | changes)


@pytest.mark.parametrize(
    "kind", [LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN], ids=str
)
@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        ("kernel", (6, 5), "(6, 5)"),
        ("stride", (2, 2), "(2, 2)"),
        ("padding", Padding(top=1), "(1, 0, 0, 0)"),
    ],
)
def test_refuses_windows_of_a_kind_that_has_none(
    kind: LayerKind, name: str, value: Any, given: str
) -> None:
    assert network(without_windows(kind)).layers
    kind_name = kind.replace("_", " ")
    message = exactly(f"{name} of {kind_name} 'm' must be left out, not {given}")
    with pytest.raises(ValueError, match=message):
        network(without_windows(kind, **{name: value}))


@pytest.mark.parametrize(
    ("kind", "name", "entries"),
    [
        (LayerKind.ADD, "weights", 0),
        (LayerKind.ADD, "bias", 0),
        (LayerKind.ADD, "multiplier", 3),
        (LayerKind.ADD, "shift", 3),
        (LayerKind.GLOBAL_AVERAGE_POOL, "weights", 0),
        (LayerKind.GLOBAL_AVERAGE_POOL, "bias", 0),
        (LayerKind.GLOBAL_AVERAGE_POOL, "multiplier", 0),
        (LayerKind.GLOBAL_AVERAGE_POOL, "shift", 0),
    ],
)
def test_refuses_arrays_that_a_kind_ignores(kind: LayerKind, name: str, entries: int) -> None:
    array = np.zeros(4, np.int8 if name == "weights" else np.int32)
    message = exactly(f"{name} of layer 'm' must have shape ({entries},), not (4,)")
    with pytest.raises(ValueError, match=message):
        network(without_windows(kind, **{name: array}))


def test_refuses_a_fully_connected_kernel_that_does_not_cover_the_input() -> None:
    message = exactly("kernel of 'f' must be its input's size (3, 2), without padding")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(), add(), dense(kernel=(1, 1)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stride": (1, 2)}, (5, 3, 4)),
        ({"padding": Padding()}, (2, 2, 4)),
        ({"kernel": (1, 3)}, (4, 3, 4)),
    ],
)
def test_refuses_an_output_that_the_geometry_does_not_give(
    changes: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    message = exactly(f"output of layer 'c' must have shape {expected}, not (3, 3, 4)")
    with pytest.raises(ValueError, match=message):
        network(conv(**changes))


def test_refuses_a_depthwise_layer_that_changes_the_channels() -> None:
    message = exactly("output of layer 'd' must have shape (3, 2, 4), not (3, 2, 8)")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(output=tensor("d", (3, 2, 8))))


def test_refuses_weights_of_another_shape() -> None:
    message = exactly("weights of layer 'c' must have shape (4, 3, 3, 3), not (3, 3, 3, 4)")
    with pytest.raises(ValueError, match=message):
        network(conv(weights=np.ones((3, 3, 3, 4), np.int8)))
    message = exactly("weights of layer 'd' must have shape (1, 2, 4), not (4, 1, 2)")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(weights=np.ones((4, 1, 2), np.int8)))
    message = exactly("weights of layer 'f' must have shape (7, 3, 2, 4), not (7, 24)")
    with pytest.raises(ValueError, match=message):
        network(conv(), depthwise(), add(), dense(weights=np.ones((7, 24), np.int8)))


@pytest.mark.parametrize("name", ["bias", "multiplier", "shift"])
def test_refuses_channel_parameters_of_another_length(name: str) -> None:
    message = exactly(f"{name} of layer 'c' must have shape (4,), not (3,)")
    with pytest.raises(ValueError, match=message):
        network(conv(**dict[str, Any]({name: np.zeros(3, np.int32)})))
