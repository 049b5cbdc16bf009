"""Image sets: what a design is run on, and what is refused."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from cosilico.images import (
    images_for,
    load_images,
    random_images,
    read_arrays,
    require_memory,
    save_arrays,
)
from sim.spec.errors import CosilicoError
from sim.spec.network import Layer, LayerKind, Network, TensorSpec


@pytest.fixture
def network() -> Network:
    source = TensorSpec(name="in", height=2, width=3, channels=1, scale=1.0, zero_point=0)
    pooled = TensorSpec(name="pool", height=1, width=1, channels=1, scale=1.0, zero_point=0)
    pool = Layer(name="pool", kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=("in",), output=pooled)
    return Network(name="n", input=source, layers=(pool,))


def test_takes_what_stands_beside_the_design(tmp_path: Path, network: Network) -> None:
    x = np.arange(12, dtype=np.int8).reshape(2, 2, 3, 1)
    save_arrays(tmp_path / "test.npz", x=x, y=np.array([3, 4]))
    images = images_for(tmp_path / "design.json", network, None, 1)
    assert images.y is not None
    np.testing.assert_array_equal(images.x, x[:1])
    np.testing.assert_array_equal(images.y, [3])


def test_draws_the_same_random_images_where_there_are_none(
    tmp_path: Path, network: Network
) -> None:
    images = images_for(tmp_path / "design.json", network, None, 3)
    np.testing.assert_array_equal(images.x, random_images(network, 3).x)
    assert images.x.shape == (3, 2, 3, 1)
    assert images.y is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros(1)}, "image file {} must hold array 'x'"),
        (
            {"x": np.zeros((1, 2, 3, 1))},
            "x of {} must be int8 of shape (N, 2, 3, 1), not float64 of shape (1, 2, 3, 1)",
        ),
        (
            {"x": np.zeros((1, 3, 2, 1), np.int8)},
            "x of {} must be int8 of shape (N, 2, 3, 1), not int8 of shape (1, 3, 2, 1)",
        ),
        (
            {"x": np.zeros((1, 2, 3, 1), np.int8), "y": np.zeros(2, np.int64)},
            "y of {} must be integers of shape (1,), not int64 of shape (2,)",
        ),
    ],
)
def test_refuses_arrays_that_do_not_fit(
    tmp_path: Path, network: Network, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "x.npz"
    save_arrays(path, **arrays)
    with pytest.raises(CosilicoError, match=f"^{re.escape(message.format(path))}$"):
        load_images(path, network)


def test_refuses_more_images_than_given(tmp_path: Path, network: Network) -> None:
    path = tmp_path / "x.npz"
    save_arrays(path, x=np.zeros((2, 2, 3, 1), np.int8))
    with pytest.raises(CosilicoError, match=r"^images must be at most the 2 given, not 3$"):
        images_for(tmp_path / "design.json", network, path, 3)


@pytest.mark.parametrize("count", [9_586_981, 10**12])
def test_refuses_more_random_images_than_memory_holds(
    tmp_path: Path, network: Network, count: int
) -> None:
    message = (
        rf"^images must be at most 9586980, with 7 values in all tensors of each, not {count}$"
    )
    with pytest.raises(CosilicoError, match=message):
        images_for(tmp_path / "design.json", network, None, count)


def test_refuses_more_given_images_than_memory_holds(network: Network) -> None:
    most = (1 << 30) // 7
    require_memory(network, most)
    message = (
        rf"^images must be at most {most}, with 7 values in all tensors of each, not {most + 1}$"
    )
    with pytest.raises(CosilicoError, match=message):
        require_memory(network, most + 1)


def test_draws_fewer_random_images_where_a_network_is_large(network: Network) -> None:
    assert random_images(network).x.shape == (8, 2, 3, 1)
    large = TensorSpec(name="in", height=4096, width=4096, channels=1, scale=1.0, zero_point=0)
    deep = dataclasses.replace(network, input=large)
    assert random_images(deep).x.shape == (3, 4096, 4096, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_numbers_that_are_not_finite(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.npz"
    save_arrays(path, x=np.array([value]))
    message = f"array 'x' of image file {path} must hold finite numbers"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        read_arrays(path)


def test_refuses_objects(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.array([{}], object))
    message = f"array 'x' of image file {path} must hold integers, floats or booleans, not '|O'"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        read_arrays(path)
