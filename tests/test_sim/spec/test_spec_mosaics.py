"""Mosaics: concatenations of pixels, what they hold, what is refused, and their form in files."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import golden
from sim.importers.joints import copying_layer, selecting_layer
from sim.spec.design import Design, load, save
from sim.spec.network import Concatenation, Layer, Network, PixelPlace, TensorSpec
from sim.spec.network_json import network_digest, network_fields
from sim.spec.spaces import TINY


def tensor(name: str, height: int, width: int, channels: int = 3, **changes: Any) -> TensorSpec:
    fields: dict[str, Any] = {"scale": 0.5, "zero_point": 4}
    return TensorSpec(name=name, height=height, width=width, channels=channels, **fields | changes)


SOURCE = tensor("x", 3, 2)
A, B = (copying_layer(name, SOURCE, dense=False) for name in ("a", "b"))


def joint(
    places: tuple[PixelPlace, ...], height: int, width: int, parts: tuple[str, ...] = ("a", "b"), **changes: Any
) -> Concatenation:  # fmt: skip
    output = tensor("m", height, width, **changes)
    return Concatenation(name="m", parts=parts, output=output, pixels=places)


def network(mosaic: Concatenation, *more: Layer, first: Layer = A, **fields: Any) -> Network:
    layers = (first, B, *more)
    return Network(name="n", input=SOURCE, layers=layers, concatenations=(mosaic,), **fields)


def values_of(mosaic: Concatenation) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    x = np.random.default_rng(0).integers(-128, 128, (2, *SOURCE.shape)).astype(np.int8)
    made = network(mosaic, outputs=("m",) if len(mosaic.parts) == 2 else ("m", "b"))
    return x, golden.run(made, x)["m"]


def by_pixels(mosaic: Concatenation, parts: list[NDArray[np.int8]]) -> NDArray[np.int8]:
    """A mosaic pixel by pixel, as its definition reads."""
    made = np.zeros((len(parts[0]), *mosaic.output.shape), np.int8)
    for place, part in zip(mosaic.pixels, parts, strict=True):
        for y in range(part.shape[1]):
            for x in range(part.shape[2]):
                row = place.begin[0] + y * place.step[0]
                column = place.begin[1] + x * place.step[1]
                for down in range(place.times[0]):
                    for right in range(place.times[1]):
                        made[:, row + down, column + right] = part[:, y, x]
    return made


def test_pixels_in_turn_and_several_times() -> None:
    places = (PixelPlace(step=(1, 2)), PixelPlace(begin=(0, 1), step=(1, 2)))
    x, made = values_of(joint(places, 3, 4))
    assert np.array_equal(made, np.repeat(x, 2, axis=2))
    larger = joint((PixelPlace(step=(3, 2), times=(3, 2)),), 9, 4, parts=("a",))
    x, made = values_of(larger)
    assert np.array_equal(made, np.repeat(np.repeat(x, 3, axis=1), 2, axis=2))
    assert np.array_equal(made, by_pixels(larger, [x]))


def test_later_parts_lie_over_earlier_ones() -> None:
    places = (PixelPlace(step=(2, 1), times=(2, 1)), PixelPlace(begin=(1, 0), step=(2, 1)))
    mosaic = joint(places, 6, 2)
    x = np.random.default_rng(0).integers(-128, 128, (2, *SOURCE.shape)).astype(np.int8)
    other = (x // 2).astype(np.int8)
    made = golden.concatenate(mosaic, [x, other])
    assert np.array_equal(made[:, ::2], x)
    assert np.array_equal(made[:, 1::2], other)
    assert np.array_equal(made, by_pixels(mosaic, [x, other]))


SIDE = (PixelPlace(), PixelPlace(begin=(3, 0)))
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"height": 7}, "parts of concatenation 'm' must fill all of its pixels, not leave (6, 0)"),
    ({"height": 5}, "part 'b' of concatenation 'm' must end within (5, 2), not at (6, 2)"),
    ({"channels": 4}, "part 'a' of concatenation 'm' must have its 4 channels, not 3"),
    ({"scale": 0.25}, "part 'a' of concatenation 'm' must be quantized as it is"),
    ({"parts": ("b", "a")}, "parts of concatenation 'm' must be made by layers in their order"),
    ({"parts": ("x", "b")}, "part 'x' of concatenation 'm' must be no input and in one concatenation only"),
    ({"places": SIDE[:1]}, "pixels of concatenation 'm' must be one for each part"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), WRONG)
def test_mosaics_that_do_not_fit_are_refused(changes: dict[str, Any], line: str) -> None:
    given: dict[str, Any] = {"places": SIDE, "height": 6, "width": 2} | changes
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        network(joint(**given), outputs=("m",))


def test_parts_of_mosaics_are_read_by_nothing_else() -> None:
    line = re.escape("part 'a' of concatenation 'm' must be read by nothing else")
    with pytest.raises(ValueError, match=f"^{line}$"):
        network(joint(SIDE, 6, 2), outputs=("m", "a"))
    with pytest.raises(ValueError, match=f"^{line}$"):
        network(joint(SIDE, 6, 2), copying_layer("c", A.output, dense=False), outputs=("m", "c"))


def test_parts_of_mosaics_consist_of_channels_alike() -> None:
    source = tensor("j", 3, 2, 6)
    parts = [copying_layer(name, SOURCE, dense=False) for name in ("a", "b")]
    apart = copying_layer("c", source, dense=False)
    dense = selecting_layer("d", source, tensor("d", 3, 2, 6), np.arange(6))
    joints = (
        Concatenation(name="j", parts=("a", "b"), output=source),
        Concatenation(name="m", parts=("c", "d"), output=tensor("m", 6, 2, 6), pixels=SIDE),
    )
    line = "part 'd' of concatenation 'm' must consist of (3, 3) channels, not (6,)"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        Network(
            name="n",
            input=SOURCE,
            layers=(*parts, apart, dense),
            outputs=("m",),
            concatenations=joints,
        )


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"begin": (-1, 0)}, "begin of a pixel place must be an integer in 0 … 65536, not -1"),
        ({"step": (0, 1)}, "step of a pixel place must be an integer in 1 … 65536, not 0"),
        ({"times": (1, 2)}, "times of a pixel place must be an integer in 1 … 1, not 2"),
    ],
)
def test_places_are_numbers_in_their_ranges(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        PixelPlace(**fields)


def test_a_mosaic_is_kept_in_files(tmp_path: Path) -> None:
    places = (PixelPlace(step=(2, 1), times=(2, 1)), PixelPlace(begin=(1, 0), step=(2, 1)))
    made = network(joint(places, 6, 2), outputs=("m",))
    save(Design(network=made, accelerator=TINY.default), tmp_path / "design.json")
    again = load(tmp_path / "design.json").network
    assert again.concatenations == made.concatenations
    assert network_digest(again) == network_digest(made)
    other = replace(made, concatenations=(joint((*places[:1], PixelPlace(begin=(3, 0))), 6, 2),))
    assert network_digest(other) != network_digest(made)
    (fields,) = json.loads(json.dumps(network_fields(made)))["concatenations"]
    assert fields["pixels"][1] == {"begin": [1, 0], "step": [2, 1], "times": [1, 1]}
