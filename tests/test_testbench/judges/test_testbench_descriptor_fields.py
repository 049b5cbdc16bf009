"""Descriptor fields that a program's descriptors are given after compilation: emulator and RTL."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from emulator import Emulator
from hwgen.program import Program, compile_design
from sim import golden
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, ExecuteOp, Queue, decode, encode
from sim.spec.design import Design
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import TINY
from sim.spec.views import View
from testbench.cases.layers import padded, random_tensor
from testbench.rtl import harness

Fields = dict[str, int]

CONFIG = TINY.default
EDGES = Padding(top=1, bottom=2, left=2, right=1)


def parts(program: Program) -> list[bytes]:
    """Return a program's descriptors, each as it is encoded."""
    encoded = program.encoded
    return [encoded[at : at + DESCRIPTOR_BYTES] for at in range(0, len(encoded), DESCRIPTOR_BYTES)]


def executes(program: Program) -> list[Fields]:
    """Return the EXECUTE descriptors of a program."""
    fields = [decode(part) for part in parts(program)]
    return [field for field in fields if field["queue"] == Queue.EXECUTE]


def patched(program: Program, change: Callable[[Fields], Fields]) -> Program:
    """Return the program with `change` made to its EXECUTE descriptors."""
    encoded = parts(program)
    for number, part in enumerate(encoded):
        fields = decode(part)
        if fields["queue"] == Queue.EXECUTE:
            encoded[number] = encode(Queue.EXECUTE, fields | change(fields))
    return program.with_descriptors(b"".join(encoded))


def depthwise(kernel: int, stride: int, padding: Padding, seed: int) -> Network:
    """Return a depthwise layer whose requantization is the identity; its weights are any."""
    rng = np.random.default_rng(seed)
    source = dataclasses.replace(random_tensor("input", 11, 13, 10, rng), zero_point=0)
    taps, strides = (kernel, kernel), (stride, stride)
    layer = padded("layer", LayerKind.DEPTHWISE, source, taps, strides, padding, rng)
    channels = source.channels
    layer = dataclasses.replace(
        layer,
        bias=np.zeros(channels, np.int32),
        multiplier=np.full(channels, 1 << 30, np.int32),
        shift=np.ones(channels, np.int32),
        clamp=(-100, 110),
    )
    return Network(name="largest", input=source, layers=(layer,))


def largest_taps(network: Network, images: NDArray[np.int8]) -> NDArray[np.int8]:
    """Reference of maxima: of every window, padding excluded, plus the zero point."""
    (layer,) = network.layers
    pad, (rows, columns), (down, right) = layer.padding, layer.kernel, layer.stride
    border = ((0, 0), (pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
    wide = np.pad(images, border, constant_values=-128)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (rows, columns), axis=(1, 2))
    maxima = windows[:, ::down, ::right].max(axis=(-2, -1)).astype(np.int64)
    finished: NDArray[np.int8] = (maxima + layer.output.zero_point).clip(*layer.clamp)
    return finished.astype(np.int8)


def maxima(fields: Fields) -> Fields:
    """Let a DEPTHWISE descriptor take maxima."""
    assert fields["op"] == ExecuteOp.DEPTHWISE
    return {"maximum": 1, "pad_value": -128}


KERNELS = [
    (3, 1, Padding(top=1, bottom=1, left=1, right=1)),
    (3, 2, EDGES),
    (2, 2, Padding()),
    (5, 1, EDGES),
    (7, 3, EDGES),
]


def test_kernels_need_both_modes() -> None:
    modes = set()
    for kernel, stride, _ in KERNELS:
        modes.add(kernel * (kernel + min(kernel, stride)) <= WINDOW_VECTORS)
    assert modes == {False, True}


def images_of(network: Network) -> NDArray[np.int8]:
    """Return a random image, an image whose maxima are seldom large, and an image of the least value."""
    rng = np.random.default_rng(7)
    shape = network.input.shape
    low = rng.integers(-128, -100, shape, np.int8)
    return np.stack([rng.integers(-128, 128, shape, np.int8), low, np.full(shape, -128, np.int8)])


@pytest.mark.parametrize(("kernel", "stride", "padding"), KERNELS)
def test_emulator_takes_the_largest_tap(kernel: int, stride: int, padding: Padding) -> None:
    network = depthwise(kernel, stride, padding, 3)
    program = compile_design(Design(network=network, accelerator=CONFIG))
    images = images_of(network)
    emulator = Emulator(CONFIG, patched(program, maxima))
    outputs = [emulator.run(image[None])[0][0] for image in images]
    np.testing.assert_array_equal(outputs, largest_taps(network, images))


@pytest.mark.rtl
@pytest.mark.parametrize("view", View)
def test_rtl_takes_the_largest_tap(view: View) -> None:
    """A maximum after sums and the reverse: each program runs with and without."""
    built = harness.build(CONFIG, view=view)
    for kernel, stride, padding in KERNELS:
        network = depthwise(kernel, stride, padding, 3)
        program = compile_design(Design(network=network, accelerator=CONFIG))
        images = images_of(network)
        largest = built.run(patched(program, maxima), images)
        np.testing.assert_array_equal(largest.outputs, largest_taps(network, images))
        summed = built.run(program, images)
        np.testing.assert_array_equal(summed.outputs, golden.run(network, images)["layer"])
        np.testing.assert_array_equal(largest.cycles, summed.cycles)


def split_network(size: int) -> Network:
    """Return a convolution whose weights exceed a register-file half."""
    rng = np.random.default_rng(5)
    source = random_tensor("input", size, size, 40, rng)
    pad = Padding(top=1, bottom=1, left=1, right=1)
    layer = padded("layer", LayerKind.CONV, source, (3, 3), (1, 1), pad, rng, 12)
    return Network(name="split", input=source, layers=(layer,))


def saved_rows(config: AcceleratorConfig, executes: list[Fields]) -> int:
    """Accumulator rows that descriptors use."""
    saving = [d for d in executes if d["save"] or d["restore"]]
    assert any(d["save"] and d["restore"] for d in saving) or len(saving) >= 2
    return max(d["window_rows"] * -(-d["window_columns"] // d["pixels"]) for d in saving)


@pytest.mark.parametrize("size", [10, 6])
def test_emulator_saves_from_the_descriptors_row_on(size: int) -> None:
    """The same outputs in any rows, and no others are touched."""
    network = split_network(size)
    program = compile_design(Design(network=network, accelerator=CONFIG))
    used = saved_rows(CONFIG, executes(program))
    row = CONFIG.accumulator_rows - used
    assert row > 0
    moved = patched(program, lambda d: {"accumulator_row": row * (d["save"] | d["restore"])})
    emulator = Emulator(CONFIG, moved)
    before = emulator.accumulators.copy()
    image = np.random.default_rng(1).integers(-128, 128, network.input.shape, np.int8)
    output, _ = emulator.run(image[None])
    np.testing.assert_array_equal(output, golden.run(network, image[None])["layer"])
    changed = (emulator.accumulators != before).any(axis=(0, 1, 2, 4))
    assert np.flatnonzero(changed).tolist() == list(range(row, row + used))


@pytest.mark.rtl
@pytest.mark.parametrize("view", View)
def test_rtl_gives_the_same_in_any_rows(view: View) -> None:
    network = split_network(6)
    program = compile_design(Design(network=network, accelerator=CONFIG))
    row = CONFIG.accumulator_rows - saved_rows(CONFIG, executes(program))
    moved = patched(program, lambda d: {"accumulator_row": row * (d["save"] | d["restore"])})
    images = np.random.default_rng(1).integers(-128, 128, (2, *network.input.shape), np.int8)
    result = harness.build(CONFIG, view=view).run(moved, images)
    np.testing.assert_array_equal(result.outputs, golden.run(network, images)["layer"])
