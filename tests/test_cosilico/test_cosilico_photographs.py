"""Pictures become inputs: cropped in the middle, averaged by area, quantized."""

import dataclasses
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from cosilico.photographs import (
    default_images,
    load_photograph,
    photograph_input,
    resize_area,
)
from sim import golden
from sim.networks.imagenet import IMAGE
from sim.networks.named import named_network
from sim.spec.errors import CosilicoError
from sim.spec.network import TensorSpec


def tensor(height: int, width: int, channels: int = 3, scale: float = 1 / 128) -> TensorSpec:
    return TensorSpec(
        name="in", height=height, width=width, channels=channels, scale=scale, zero_point=0
    )


def test_the_photograph_drives_the_whole_network() -> None:
    network = named_network("mobilenet_v2")
    x = photograph_input(load_photograph(), IMAGE)
    assert x.shape == (1, 224, 224, 3)
    assert x.std() > 40
    values = golden.run(network, x)
    for layer in network.layers[:-2]:
        y = values[layer.name]
        assert y.std() > 15, layer.name
        assert ((y == -128) | (y == 127)).mean() < 0.5, layer.name
        flat = y.reshape(-1, y.shape[-1])
        assert (flat.min(axis=0) < flat.max(axis=0)).mean() > 0.99, layer.name
    assert len(np.unique(values["classifier"])) > 50


def test_area_resize_averages_what_a_pixel_covers() -> None:
    pixels = np.arange(24.0).reshape(4, 6, 1)
    by_two = resize_area(pixels, 2, 3)
    expected = pixels.reshape(2, 2, 3, 2, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(by_two, expected)
    np.testing.assert_allclose(resize_area(pixels, 4, 6), pixels)
    for shape in ((3, 4), (5, 7), (9, 2)):
        assert resize_area(pixels, *shape).mean() == pytest.approx(pixels.mean())
        np.testing.assert_allclose(resize_area(np.ones((4, 6, 2)), *shape), 1.0)


def test_a_column_of_three_halves_is_weighted() -> None:
    row = np.array([[[0.0], [30.0], [60.0]]])
    np.testing.assert_allclose(resize_area(row, 1, 2)[0, :, 0], [10.0, 50.0])


def test_the_middle_is_kept() -> None:
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = 200
    assert (photograph_input(pixels, tensor(2, 2)) == 72).all()
    upright = pixels.transpose(1, 0, 2)
    assert (photograph_input(upright, tensor(2, 2)) == 72).all()


def test_bytes_are_the_tensors_scale() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    assert photograph_input(pixels, tensor(1, 1)).ravel().tolist() == [-128, 0, 127]
    coarse = dataclasses.replace(tensor(1, 1, scale=1 / 64), zero_point=5)
    assert photograph_input(pixels, coarse).ravel().tolist() == [-59, 5, 69]


def test_gray_inputs_take_the_mean() -> None:
    pixels = np.array([[[100, 130, 160]]], np.uint8)
    assert photograph_input(pixels, tensor(1, 1, channels=1)).ravel().tolist() == [2]


def test_other_channel_counts_are_refused() -> None:
    message = r"^a picture needs an input of 1 or 3 channels, but 'in' has 4$"
    with pytest.raises(CosilicoError, match=message):
        photograph_input(np.zeros((2, 2, 3), np.uint8), tensor(2, 2, channels=4))


def test_networks_of_pictures_see_the_photograph_and_others_noise() -> None:
    picture = default_images(tensor(32, 32))
    np.testing.assert_array_equal(picture.x, photograph_input(load_photograph(), tensor(32, 32)))
    for shape in ((49, 10, 1), (1, 1, 640)):
        sound = default_images(tensor(*shape))
        assert sound.x.shape == (1, *shape)
        assert sound.y is None
        assert sound.x.std() > 20
        np.testing.assert_array_equal(sound.x, default_images(tensor(*shape)).x)


def test_the_photograph_is_that_of_scikit_learn() -> None:
    """Read from its file, pixel for pixel what the package itself gives."""
    assert np.array_equal(load_photograph(), load_sample_image("china.jpg"))


def test_the_photograph_needs_no_import_of_scikit_learn() -> None:
    """The package and what it brings take seconds to import."""
    program = (
        "import sys; from cosilico.photographs import load_photograph; load_photograph(); "
        "print(sorted({'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_reads_picture_files(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(load_photograph(path), pixels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "image file {path} cannot be read: No such file or directory"),
        (b"no picture", "image file {path} must be a picture"),
    ],
)
def test_says_what_is_wrong_with_a_picture(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "p.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CosilicoError, match=f"^{re.escape(message.format(path=path))}$"):
        load_photograph(path)


def test_a_damaged_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CosilicoError, match=r"^image file .*p\.png cannot be read: it is damaged$"):
        load_photograph(path)


def save_png(path: Path, mode: str, size: tuple[int, int]) -> None:
    Image.new(mode, size).save(path)


@pytest.mark.parametrize(
    ("size", "rule"),
    [
        ((6000, 5600), "at most 33554432 pixels and 16384 on a side, not 6000x5600"),
        ((11000, 11000), "at most 33554432 pixels and 16384 on a side, not 11000x11000"),
        ((16385, 1), "at most 33554432 pixels and 16384 on a side, not 16385x1"),
        ((20000, 20000), "at most 33554432 pixels"),
    ],
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, size: tuple[int, int], rule: str
) -> None:
    """A picture of one bit per pixel takes a thousandth of what it unpacks to."""
    path = tmp_path / "p.png"
    save_png(path, "1", size)
    with pytest.raises(
        CosilicoError, match=f"^image file {re.escape(str(path))} must have {rule}$"
    ):
        load_photograph(path)


def test_the_largest_picture_is_read_within_memory(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    save_png(path, "L", (8192, 4096))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = photograph_input(load_photograph(path), tensor(224, 224))
    assert (x == -128).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_pictures_of_more_than_eight_bits_are_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "p.tiff"
    save_png(path, mode, (4, 4))
    with Image.open(path) as picture:
        stored_mode = picture.mode
    message = f"image file {path} must have channels of 8 bits, not mode {stored_mode!r}"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        load_photograph(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pictures_of_eight_bits_are_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "p.png"
    save_png(path, mode, (3, 2))
    assert load_photograph(path).shape == (2, 3, 3)


def test_formats_that_run_programs_are_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "p.eps"
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(CosilicoError, match=f"^image file {path} must be a picture$"):
        load_photograph(path)


@pytest.mark.parametrize("picture", [(1, 1), (1, 300), (300, 1)])
def test_a_thin_picture_still_covers_its_input(picture: tuple[int, int]) -> None:
    pixels = np.full((*picture, 3), 200, np.uint8)
    for shape in ((49, 10), (10, 49), (1, 64)):
        assert (photograph_input(pixels, tensor(*shape)) == 72).all()


def test_inputs_larger_than_any_picture_are_refused() -> None:
    message = r"^a picture needs an input of at most 2048 pixels on a side, but 'in' has 1x2049$"
    with pytest.raises(CosilicoError, match=message):
        photograph_input(np.zeros((2, 2, 3), np.uint8), tensor(1, 2049))


def test_a_changed_byte_is_one_line_or_another_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    refused = 0
    for form in ("png", "jpeg", "bmp", "gif", "tiff", "webp", "ppm"):
        path = tmp_path / f"p.{form}"
        Image.fromarray(noise).save(path)
        content = path.read_bytes()
        for _ in range(80):
            changed = bytearray(content[: int(rng.integers(1, len(content) + 1))])
            for position in rng.integers(0, len(changed), 3):
                changed[position] = int(rng.integers(256))
            path.write_bytes(changed)
            line = outcome(path)
            assert "\n" not in line
            refused += bool(line)
    assert refused > 200


def outcome(path: Path) -> str:
    """Line with which a picture is refused; empty if it is read."""
    try:
        load_photograph(path)
    except CosilicoError as error:
        return str(error)
    return ""
