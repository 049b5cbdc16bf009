"""Pictures become inputs: cropped in the middle, averaged by area, quantized."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cosilico.photographs import (
    default_images,
    load_photograph,
    photograph_input,
    resize_area,
)
from sim import golden
from sim.imagenet import IMAGE
from sim.networks import named_network
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
