"""Tasks from files: what is read is what was written, and every fault is one line."""

import gzip
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from search.tasks.array_pickle import read_array_pickle
from search.tasks.cifar10 import cifar10
from search.tasks.fashion_mnist import fashion_mnist
from search.tasks.fashion_mnist_settings import FashionMnistSettings
from search.tasks.file_settings import Cifar10Settings, FolderSettings, NpzSettings
from search.tasks.folder import folder
from search.tasks.idx import read_idx
from search.tasks.npz import npz
from search.tasks.task import Split, Task
from sim.spec.errors import DesignFileError

RANDOM = np.random.default_rng(4)


def pixels(*shape: int) -> NDArray[np.uint8]:
    return RANDOM.integers(0, 256, shape).astype(np.uint8)


def classes(count: int, kinds: int = 10) -> NDArray[np.int64]:
    return np.arange(count) % kinds


def refused(call: Callable[[], Any], line: str) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        call()


def rows(split: Split) -> list[tuple[bytes, int]]:
    """Pixels as bytes, and the class, of every image of a part."""
    levels = torch.round(split.images * 255).to(torch.uint8).permute(0, 2, 3, 1)
    return [
        (image.numpy().tobytes(), int(label))
        for image, label in zip(levels, split.labels, strict=True)
    ]


def of_arrays(x: NDArray[np.uint8], y: NDArray[np.int64]) -> list[tuple[bytes, int]]:
    return [(image.tobytes(), int(label)) for image, label in zip(x, y, strict=True)]


def all_rows(task: Task) -> list[tuple[bytes, int]]:
    return rows(task.train) + rows(task.validation) + rows(task.test)


def idx(array: NDArray[np.uint8]) -> bytes:
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def test_npz_is_split_by_its_section_alone(tmp_path: Path) -> None:
    x, y = pixels(100, 6, 5, 3), classes(100, 4)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    settings = NpzSettings(path="d.npz", folder=tmp_path, test_share=0.1, validation_share=0.2)
    task = npz(None, settings)
    assert (len(task.test), len(task.validation), len(task.train)) == (10, 18, 72)
    assert task.image == (6, 5, 3)
    assert task.classes == 4
    assert sorted(all_rows(task)) == sorted(of_arrays(x, y))
    levels = (task.quantize(task.test.images).astype(np.int16) + 128).astype(np.uint8)
    assert levels.tobytes() == b"".join(image for image, _ in rows(task.test))
    again = npz(None, settings)
    assert all_rows(again) == all_rows(task)
    other = npz(None, NpzSettings(path="d.npz", folder=tmp_path, test_share=0.1, split_seed=1))
    assert set(rows(other.test)) != set(rows(task.test))


def test_npz_with_a_test_part_of_its_own(tmp_path: Path) -> None:
    x, y, x_test, y_test = pixels(40, 4, 4), classes(40, 2), pixels(6, 4, 4), classes(6, 2)
    np.savez(tmp_path / "d.npz", x=x, y=y, x_test=x_test, y_test=y_test)
    task = npz(None, NpzSettings(path="d.npz", folder=tmp_path))
    assert sorted(rows(task.test)) == sorted(of_arrays(x_test[..., None], y_test))
    assert len(task.train) + len(task.validation) == 40
    limited = npz(None, NpzSettings(path="d.npz", folder=tmp_path, train_limit=20, test_limit=2))
    assert len(limited.train) + len(limited.validation) == 20
    assert len(limited.test) == 2


def test_floats_get_a_scale_of_the_training_range(tmp_path: Path) -> None:
    x = RANDOM.normal(0, 3, (50, 4, 4, 1)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=classes(50, 2))
    task = npz(None, NpzSettings(path="d.npz", folder=tmp_path))
    scale, zero = task.input_scale
    images = task.train.images
    codes = (task.quantize(images).transpose(0, 3, 1, 2).astype(np.float64) - zero) * scale
    assert np.abs(codes - images.numpy()).max() <= scale * 0.5001
    assert task.quantize(images).min() == -128


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": np.zeros((4, 2, 2), np.uint8)}, "{what} must have an array 'y'"),
        (
            {"z": np.zeros(1)},
            "arrays of {what} must be x, y, x_test and y_test, not 'z'",
        ),
        (
            {"x": np.zeros((4, 2, 2), np.int16), "y": np.zeros(4, np.int64)},
            "array 'x' of {what} must hold uint8 or float values, not int16",
        ),
        (
            {"x": np.zeros((4, 2), np.uint8), "y": np.zeros(4, np.int64)},
            "array 'x' of {what} must be of shape [N, H, W, C] or [N, H, W], H and W in 1 … 4096, "
            "not [4, 2]",
        ),
        (
            {"x": np.full((4, 2, 2), np.nan), "y": np.zeros(4, np.int64)},
            "array 'x' of {what} must hold finite numbers",
        ),
        (
            {"x": np.zeros((4, 2, 2), np.uint8), "y": np.zeros(3, np.int64)},
            "array 'y' of {what} must hold 4 integers, a class for each picture, not int64[3]",
        ),
        (
            {"x": np.zeros((4, 2, 2), np.uint8), "y": np.zeros(4)},
            "array 'y' of {what} must hold 4 integers, a class for each picture, not float64[4]",
        ),
        (
            {"x": np.zeros((4, 2, 2), np.uint8), "y": np.array([0, 1, -1, 0])},
            "array 'y' of {what} must hold classes in 0 … 9999, not -1",
        ),
        (
            {"x": np.zeros((4, 2, 2), np.uint8), "y": np.zeros(4, np.int64)},
            "{what} must have 2 classes or more, not 1",
        ),
        (
            {"x": np.zeros((40, 2, 2), np.uint8), "y": np.repeat([0, 2], 20)},
            "class 1 of {what} must have a training picture",
        ),
        (
            {"x": np.zeros((2, 2, 2), np.uint8), "y": np.arange(2)},
            "{what} must have training pictures, not 0",
        ),
        (
            {
                "x": np.zeros((9, 2, 2), np.uint8),
                "y": classes(9, 2),
                "x_test": np.zeros((2, 3, 2), np.uint8),
                "y_test": classes(2),
            },
            "test pictures of {what} must be uint8[2, 2, 1], as those for training, not uint8[3, 2, 1]",
        ),
    ],
)
def test_a_wrong_npz_is_one_line(tmp_path: Path, arrays: dict[str, Any], line: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    what = f"data file {tmp_path / 'd.npz'}"
    settings = NpzSettings(path="d.npz", folder=tmp_path)
    refused(lambda: npz(None, settings), line.format(what=what))


def test_an_npz_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([print], object), y=np.zeros(1))
    with pytest.raises(DesignFileError, match=r"must hold integers, floats or booleans"):
        npz(None, NpzSettings(path="d.npz", folder=tmp_path))


@pytest.mark.parametrize("compressed", [False, True])
def test_fashion_mnist_reads_its_four_files(tmp_path: Path, compressed: bool) -> None:
    parts = {"train": (pixels(60, 7, 5), classes(60)), "t10k": (pixels(20, 7, 5), classes(20))}
    for name, (x, y) in parts.items():
        for end, array in (("images-idx3", x), ("labels-idx1", y.astype(np.uint8))):
            content = idx(array)
            path = tmp_path / f"{name}-{end}-ubyte{'.gz' if compressed else ''}"
            path.write_bytes(gzip.compress(content) if compressed else content)
    settings = FashionMnistSettings(path=".", folder=tmp_path)
    task = fashion_mnist(None, settings)
    assert sorted(rows(task.test)) == sorted(of_arrays(*parts["t10k"]))
    assert sorted(rows(task.train) + rows(task.validation)) == sorted(of_arrays(*parts["train"]))
    assert len(task.validation) == 6
    before = settings.fingerprint()
    assert len(settings.files) == 4
    settings.files[0].write_bytes(settings.files[1].read_bytes())
    assert settings.fingerprint() != before


def test_a_wrong_idx_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(idx(pixels(2, 3, 3)))
    assert read_idx(path, 3).shape == (2, 3, 3)
    rule = f"IDX file {path} must begin with the header of bytes in 1 dimensions"
    refused(lambda: read_idx(path, 1), rule)
    path.write_bytes(idx(pixels(2, 3, 3))[:-1])
    refused(
        lambda: read_idx(path, 3), f"IDX file {path} must have the 18 bytes of its shape, not 17"
    )
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(idx(pixels(2, 3, 3)))[:-9])
    rule = f"IDX file {packed} must be compressed by gzip, but is truncated"
    refused(lambda: read_idx(packed, 3), rule)
    packed.write_bytes(b"nothing")
    rule = f"IDX file {packed} must be compressed by gzip, but is damaged"
    refused(lambda: read_idx(packed, 3), rule)
    line = f"folder {tmp_path} must hold train-images-idx3-ubyte or train-images-idx3-ubyte.gz"
    refused(lambda: fashion_mnist(None, FashionMnistSettings(path=".", folder=tmp_path)), line)


def test_fashion_mnist_names_the_package_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = str(tmp_path / "absent")
    monkeypatch.setattr("search.tasks.fashion_mnist.DEBIAN_FOLDER", absent)
    line = (
        "task.path must be given, or Debian's package dataset-fashion-mnist installed: "
        f"there is no folder {absent}"
    )
    refused(lambda: fashion_mnist(None, FashionMnistSettings(path=absent)), line)


def cifar_parts() -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {name: (pixels(20, 3, 32, 32), classes(20)) for name in names}


@pytest.mark.parametrize("binary", [False, True])
def test_cifar10_reads_both_versions(tmp_path: Path, binary: bool) -> None:
    parts = cifar_parts()
    for name, (planes, y) in parts.items():
        flat = planes.reshape(20, -1)
        if binary:
            content = np.concatenate([y[:, None].astype(np.uint8), flat], 1).tobytes()
            (tmp_path / f"{name}.bin").write_bytes(content)
        else:
            fields = {b"data": flat, b"labels": [int(k) for k in y], b"batch_label": b"x"}
            (tmp_path / name).write_bytes(pickle.dumps(fields, protocol=2))
    task = cifar10(None, Cifar10Settings(path=".", folder=tmp_path))
    images = {name: (planes.transpose(0, 2, 3, 1), y) for name, (planes, y) in parts.items()}
    assert sorted(rows(task.test)) == sorted(of_arrays(*images.pop("test_batch")))
    known = [row for part in images.values() for row in of_arrays(*part)]
    assert sorted(rows(task.train) + rows(task.validation)) == sorted(known)
    path = tmp_path / ("data_batch_2.bin" if binary else "data_batch_2")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DesignFileError, match=r"^CIFAR-10 file .*data_batch_2.* must "):
        cifar10(None, Cifar10Settings(path=".", folder=tmp_path))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_array_pickles_of_every_protocol_are_read(protocol: int) -> None:
    array = pixels(3, 4)
    content = pickle.dumps({"data": array, "labels": [1, 2]}, protocol=protocol)
    if protocol == 5:  # NumPy pickles arrays by a function of its own there
        with pytest.raises(DesignFileError, match=r"^x must hold arrays alone, not 'numpy"):
            read_array_pickle(content, "x")
        return
    read = read_array_pickle(content, "x")
    assert np.array_equal(read["data"], array)
    assert read["labels"] == [1, 2]


class Evil:
    """Runs a function when it is unpickled by Python's own reader."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call."""
        return (eval, ("1 / 0",))


def test_a_pickle_executes_nothing() -> None:
    refused(
        lambda: read_array_pickle(pickle.dumps({"data": Evil()}), "x"),
        "x must hold arrays alone, not 'builtins.eval'",
    )
    floats = pickle.dumps(np.zeros(3), protocol=2)
    refused(
        lambda: read_array_pickle(floats, "x"), "x must hold arrays of unsigned bytes, not 'f8'"
    )
    refused(lambda: read_array_pickle(b"\x80", "x"), "x must be a pickle of arrays, but is damaged")


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (9, 7)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def pictures(root: Path, *parts: str) -> None:
    for part in parts:
        for i in range(6):
            paint(root / part / "blue" / f"{i}.png", (i, 0, 250))
            paint(root / part / "red" / f"{i}.jpg", (250, 0, i), (12, 20))
        (root / part / "red" / "notes.txt").write_text("not a picture")


def test_folders_of_pictures(tmp_path: Path) -> None:
    pictures(tmp_path, "train", "val")
    task = folder((4, 8), FolderSettings(path=".", folder=tmp_path, validation_share=0.25))
    assert task.image == (4, 8, 3)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [9, 3, 12]
    for split in (task.train, task.validation, task.test):
        blue = split.images[:, 2].mean((1, 2)) > split.images[:, 0].mean((1, 2))
        assert (split.labels == 1 - blue.long()).all()
    grey = folder((4, 8), FolderSettings(path=".", folder=tmp_path, grey=True))
    assert grey.image == (4, 8, 1)
    pictures(tmp_path, "test")
    task = folder((4, 8), FolderSettings(path=".", folder=tmp_path))
    assert [len(part) for part in (task.train, task.validation, task.test)] == [12, 12, 12]
    settings = FolderSettings(path=".", folder=tmp_path)
    assert len(settings.files) == 36
    before = settings.fingerprint()
    paint(tmp_path / "val" / "blue" / "1.png", (9, 9, 9))
    assert settings.fingerprint() != before


def test_a_wrong_folder_is_one_line(tmp_path: Path) -> None:
    settings = FolderSettings(path=".", folder=tmp_path)
    line = "network.image must be given for the task folder, as [height, width]"
    refused(lambda: folder(None, settings), line)
    line = f"folder {tmp_path / 'train'} must exist, with a folder for each class"
    refused(lambda: folder((4, 4), settings), line)
    pictures(tmp_path, "train", "val")
    (tmp_path / "val" / "green").mkdir()
    line = f"class 'green' of folder {tmp_path / 'val'} must be in {tmp_path / 'train'}"
    refused(lambda: folder((4, 4), settings), line)
    (tmp_path / "val" / "green").rmdir()
    damaged = tmp_path / "train" / "red" / "2.jpg"
    damaged.write_bytes(damaged.read_bytes()[:40])
    line = f"picture {damaged} must be a picture, but is damaged"
    refused(lambda: folder((4, 4), settings), line)
    for path in (tmp_path / "train" / "red").iterdir():
        path.unlink()
    (tmp_path / "train" / "red").rmdir()
    line = f"folder {tmp_path / 'train'} must have 2 classes or more, not 1"
    refused(lambda: folder((4, 4), settings), line)


def test_images_are_resized_as_asked(tmp_path: Path) -> None:
    x = np.repeat(classes(50, 2)[:, None, None] * 200, 8, 1).repeat(8, 2).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x=x, y=classes(50, 2))
    task = npz(None, NpzSettings(path="d.npz", folder=tmp_path))
    assert task.resized((8, 8)) is task
    small = task.resized((4, 5))
    assert small.image == (4, 5, 1)
    assert torch.allclose(small.test.images[:, 0, 0, 0] * 255, 200.0 * small.test.labels)
