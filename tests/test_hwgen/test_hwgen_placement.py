"""Tensors in external memory against plain loops over pixels and channels."""

import itertools
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from hwgen.placement import TensorPlacement
from hwgen.program import compile_design
from sim.arrays.geometry import pixel_bytes
from sim.arrays.plan_columns import TensorPlan
from sim.plan import map_network
from sim.spec.design import Design
from stress_cases import draw_stress


def placement(channels: int, simd: int, pixel: int, **fields: object) -> TensorPlacement:
    options = {"address": 0, "height": 3, "width": 4} | fields
    return TensorPlacement(
        channels=channels,
        vector_bytes=simd,
        pixel_bytes=pixel,
        **options,  # type: ignore[arg-type]  # values of mixed type
    )


SHAPES = [
    (channels, simd, pixel_bytes(channels, simd, bus))
    for channels, simd, bus in itertools.product(
        (1, 2, 3, 4, 5, 7, 8, 9, 16, 17), (4, 8, 16), (1, 2, 4, 16)
    )
]


@pytest.mark.parametrize(("channels", "simd", "pixel"), sorted(set(SHAPES)))
def test_channels_lie_group_by_group_and_pixel_by_pixel(
    channels: int, simd: int, pixel: int
) -> None:
    place = placement(channels, simd, pixel)
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, (3, 4, channels), np.int8)
    data = np.frombuffer(place.pack(x), np.int8)
    groups = len(range(0, channels, simd))
    assert place.groups == groups
    assert len(data) == place.size_bytes == groups * 3 * 4 * pixel
    expected = np.zeros(len(data), np.int8)
    for y, column, c in np.ndindex(3, 4, channels):
        at = ((c // simd * 3 + y) * 4 + column) * pixel + c % simd
        expected[at] = x[y, column, c]
    np.testing.assert_array_equal(data, expected)
    np.testing.assert_array_equal(place.unpack(data.tobytes()), x)


def test_what_lies_beyond_the_channels_is_not_read_back() -> None:
    """STORE writes whole vectors, so garbage of unused channels reaches memory."""
    place = placement(5, 4, 8)
    x = np.arange(60, dtype=np.int8).reshape(3, 4, 5)
    data = np.frombuffer(place.pack(x), np.int8).reshape(2, 3, 4, 8).copy()
    data[:, :, :, 4:] = 99
    data[1, :, :, 1:] = 99
    unpacked = place.unpack(data.tobytes())
    np.testing.assert_array_equal(unpacked, x)
    unpacked[0] = 0  # the caller's own


@pytest.mark.parametrize(
    ("x", "given"),
    [
        (np.zeros((3, 4, 6), np.int8), "int8[3, 4, 6]"),
        (np.zeros((4, 3, 5), np.int8), "int8[4, 3, 5]"),
        (np.zeros((3, 4, 5), np.uint8), "uint8[3, 4, 5]"),
    ],
)
def test_other_activations_are_refused(x: NDArray[np.int8], given: str) -> None:
    message = re.escape(f"activations must be int8[3, 4, 5], not {given}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        placement(5, 4, 4).pack(x)


def test_programs_place_input_and_output_where_the_schedule_moves_them() -> None:
    packed = 0
    for case in draw_stress(60, 5):
        mapped = map_network(case.config, case.network)
        program = compile_design(Design(network=case.network, accelerator=case.config))
        tensors = list(case.network.tensors.values())
        for place, t in ((program.input, 0), (program.output, len(tensors) - 1)):
            plan = mapped.tensor_plan[t]
            assert place.shape == tensors[t].shape
            assert place.address == plan[TensorPlan.EXTERNAL]
            assert place.address % case.config.bus_bytes == 0
            assert place.pixel_bytes == plan[TensorPlan.PIXEL_BYTES]
            assert place.address + place.size_bytes <= program.header_address
        if case.network.input.channels <= case.config.simd_units:
            image = np.random.default_rng(0).integers(-128, 128, program.input.shape, np.int8)
            assert program.input.pack(image) == image.tobytes()
            packed += 1
        assert program.output.pixel_bytes % case.config.bus_bytes == 0
    assert packed > 30
