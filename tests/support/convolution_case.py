"""A small convolution on an accelerator with a narrow bus, its program, and programs patched from it."""

import functools

import numpy as np
from numpy.typing import NDArray

from accelerators import NARROW_BUS
from hwgen.program import Program, compile_design
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue, decode, encode
from sim.spec.design import Design
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec

__all__ = ["SHAPE", "convolution", "convolution_program", "patched_program", "random_images"]

SHAPE = (6, 5, 7)
"""Height, width and channels of the input."""


@functools.cache
def convolution(kernel: int = 3, channels: int = 10) -> Network:
    """Return a network of one convolution with ``SAME`` padding and random weights.

    Parameters
    ----------
    kernel : int
        Height and width of the kernel.
    channels : int
        Channels of the output; three vectors of them on ``NARROW_BUS`` by default.
    """
    height, width, depth = SHAPE
    rng = np.random.default_rng(channels)
    layer = Layer(
        name="conv",
        kind=LayerKind.CONV,
        inputs=("input",),
        output=TensorSpec(
            name="conv", height=height, width=width, channels=channels, scale=1.0, zero_point=4
        ),
        kernel=(kernel, kernel),
        padding=Padding.same(SHAPE[:2], (kernel, kernel), (1, 1)),
        weights=rng.integers(-127, 128, (channels, kernel, kernel, depth)).astype(np.int8),
        bias=rng.integers(-1000, 1000, channels).astype(np.int32),
        multiplier=np.full(channels, 1 << 30, np.int32),
        shift=np.full(channels, -8, np.int32),
    )
    source = TensorSpec(
        name="input", height=height, width=width, channels=depth, scale=1.0, zero_point=-9
    )
    return Network(name="conv", input=source, layers=(layer,))


@functools.cache
def convolution_program(kernel: int = 3, channels: int = 10) -> Program:
    """Compile the convolution for ``NARROW_BUS``."""
    return compile_design(Design(network=convolution(kernel, channels), accelerator=NARROW_BUS))


@functools.cache
def random_images(count: int = 1, seed: int = 2) -> NDArray[np.int8]:
    """Draw `count` images of any int8 values."""
    return np.random.default_rng(seed).integers(-128, 128, (count, *SHAPE)).astype(np.int8)


def patched_program(program: Program, queue: Queue, index: int = 0, /, **fields: int) -> Program:
    """Return a program with other values in a queue's descriptor number `index`, sealed anew."""
    own = [i for i, (q, _) in enumerate(program.descriptors) if q == queue]
    encoded = program.encoded
    start = DESCRIPTOR_BYTES * own[index]
    end = start + DESCRIPTOR_BYTES
    values = decode(encoded[start:end]) | fields
    return program.with_descriptors(encoded[:start] + encode(queue, values) + encoded[end:])
