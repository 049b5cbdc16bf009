"""Arrays from strangers' npz files: each trick is one line, before anything is unpacked."""

import io
import re
import resource
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.spec.errors import DesignFileError
from sim.spec.npz import npz_arrays, npz_bytes, read_arrays


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    size = struct.pack("<H" if version == 1 else "<L", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + data


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def expect(data: bytes, message: str, *, finite: bool = False) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        npz_arrays(data, "file x", finite=finite)


ZEROS = npy(np.zeros(3, np.int8))
TRUNCATED = "file x is truncated or not an npz file"


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", ">i4", "<i8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (1, 0, 2)])
def test_what_numpy_wrote_comes_back(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 100, shape).astype(dtype)
    for form in (array, np.asfortranarray(array)):
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, a=form, b=form[..., None])
            arrays = npz_arrays(buffer.getvalue(), "file x", finite=True)
            assert list(arrays) == ["a", "b"]
            assert arrays["a"].dtype == np.dtype(dtype).newbyteorder("=")
            assert arrays["a"].dtype.isnative
            assert arrays["a"].flags.writeable
            np.testing.assert_array_equal(arrays["a"], form)
            np.testing.assert_array_equal(arrays["b"], form[..., None])


def test_the_writer_gives_the_same_bytes_for_the_same_arrays() -> None:
    arrays = {"layer.weights": np.arange(6, dtype=np.int8).reshape(2, 3)}
    assert npz_bytes(arrays) == npz_bytes(arrays)
    read = npz_arrays(npz_bytes(arrays), "file x")
    np.testing.assert_array_equal(read["layer.weights"], arrays["layer.weights"], strict=True)


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_refuses_other_compressions(method: int, number: int) -> None:
    message = f"member 'a.npy' of file x must be stored or deflated, not of method {number}"
    expect(archive(("a.npy", ZEROS), method=method), message)


def test_refuses_encrypted_members() -> None:
    data = bytearray(archive(("a.npy", ZEROS)))
    data[data.index(b"PK\1\2") + 8] |= 1
    expect(bytes(data), "member 'a.npy' of file x must not be encrypted")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_refuses_an_array_that_is_there_twice() -> None:
    data = archive(("a.npy", ZEROS), ("a.npy", ZEROS))
    expect(data, "member 'a.npy' of file x must be there once")


@pytest.mark.parametrize("name", ["/a.npy", "../a.npy", "b/../a.npy", "b\\a.npy"])
def test_refuses_names_that_leave_the_folder(name: str) -> None:
    message = f"member {name!r} of file x must stay in the archive's folder"
    expect(archive((name, ZEROS)), message)


def test_refuses_names_with_control_characters_and_endless_ones() -> None:
    rule = "a member's name in file x must be at most 512 printable characters, not "
    expect(archive(("a\nb.npy", ZEROS)), rule + r"'a\nb.npy'")
    expect(archive(("a" * 600 + ".npy", ZEROS)), rule + repr("a" * 40))
    cut = archive(("a\1b.npy", ZEROS)).replace(b"a\1b", b"a\0b")
    expect(cut, rule + r"'a\x00b.npy'")


def test_refuses_members_that_are_no_arrays() -> None:
    expect(archive(("a.txt", ZEROS)), "member 'a.txt' of file x must be an array, as X.npy")
    message = "array 'a' of file x must begin with the header of an npy file"
    for content in (b"", b"no array", ZEROS[:9], b"\x93NUMPY\4\0" + ZEROS[8:]):
        expect(archive(("a.npy", content)), message)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "(" * 3000,
        "-" * 3000 + "1",
        "[]",
        "{'descr': '|i1'}",
        "{'descr': '<f4', 'shape': (1",
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_refuses_headers_that_are_none(text: str, version: int) -> None:
    content = header(text, bytes(4), version)
    expect(
        archive(("a.npy", content)), "array 'a' of file x must begin with the header of an npy file"
    )


def declared(descr: str, shape: str, fortran: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"
    return archive(("a.npy", header(text, bytes(12))))


@pytest.mark.parametrize(
    "descr", ["'|O'", "'<U3'", "'|V4'", "'<c8'", "'<M8[s]'", "[('x', '<i4')]", "7"]
)
def test_refuses_objects_and_structures(descr: str) -> None:
    value = repr(eval(descr))[:40]
    message = f"array 'a' of file x must hold integers, floats or booleans, not {value}"
    expect(declared(descr, "(3,)"), message)


def test_pickled_objects_are_never_read() -> None:
    data = archive(("a.npy", npy(np.array([{}], object))))
    expect(data, "array 'a' of file x must hold integers, floats or booleans, not '|O'")


@pytest.mark.parametrize(
    "shape", ["(-1,)", "(True,)", "(1.0,)", "[12]", "12", "(1,) * 9", str((1,) * 9)]
)
def test_refuses_shapes_that_are_none(shape: str) -> None:
    if "*" in shape:
        expect(
            declared("'|i1'", shape),
            "array 'a' of file x must begin with the header of an npy file",
        )
        return
    value = repr(eval(shape))[:40]
    message = f"array 'a' of file x must have a shape of at most 8 sizes, not {value}"
    expect(declared("'|i1'", shape), message)


def test_refuses_shapes_of_another_size_than_the_data() -> None:
    for shape, needed in (("(13,)", 13), ("(11,)", 11), ("(1048576, 1048576)", 1 << 40)):
        message = f"array 'a' of file x must have the {needed} bytes of its shape, not 12"
        expect(declared("'|i1'", shape), message)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_numbers_that_are_not_finite_where_asked(value: float) -> None:
    data = npz_bytes({"a": np.array([[0.0, value]], np.float32)})
    assert npz_arrays(data, "file x")["a"].shape == (1, 2)
    expect(data, "array 'a' of file x must hold finite numbers", finite=True)


def outcome(data: bytes) -> tuple[dict[str, NDArray[Any]], str]:
    """Arrays that are read from a file, or the line that refuses it."""
    try:
        return npz_arrays(data, "file x"), ""
    except DesignFileError as error:
        return {}, str(error)


def test_a_cut_or_changed_file_is_one_line() -> None:
    rng = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        "a": rng.integers(-128, 128, (5, 7)).astype(np.int8),
        "b": np.zeros(400, np.int32),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=arrays["a"], b=arrays["b"])
    whole = buffer.getvalue()
    for data in (whole, npz_bytes(arrays)):
        for cut in range(0, len(data), 7):
            expect(data[:cut], TRUNCATED)
        refused = 0
        for _ in range(600):
            changed = bytearray(data)
            for _ in range(int(rng.integers(1, 4))):
                changed[int(rng.integers(len(data)))] = int(rng.integers(256))
            read, line = outcome(bytes(changed))
            refused += bool(line)
            assert "\n" not in line
            for name in read.keys() & arrays.keys():
                np.testing.assert_array_equal(read[name], arrays[name])
        assert refused > 300


def bomb(declares: int) -> bytes:
    """An archive of 50 MB of zeros in 50 kB, whose directory declares another size."""
    text = "{'descr': '|i1', 'fortran_order': False, 'shape': (3000000000,), }\n"
    data = bytearray(
        archive(("a.npy", header(text, bytes(50_000_000))), method=zipfile.ZIP_DEFLATED)
    )
    place = data.index(b"PK\1\2") + 24
    data[place : place + 4] = struct.pack("<L", declares)
    return bytes(data)


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    message = "file x must unpack to at most 268435456 bytes, not 3000000080"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    expect(bomb(3_000_000_080), message)
    expect(bomb(1000), "member 'a.npy' of file x is truncated or damaged")
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_directory_of_millions_is_refused_before_it_is_read() -> None:
    data = archive(*((f"{i}.npy", b"") for i in range(20_001)))
    expect(data, "file x must have at most 20000 members")
    longer = archive(*((f"{i}" + "x" * 300 + ".npy", b"") for i in range(20_001)))
    expect(longer, "file x must have at most 20000 members")


def test_reads_only_regular_files_of_a_bounded_size(tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
            read_arrays(path, "image file")

    device = Path("/dev/zero")
    refused(device, "image file /dev/zero must be a regular file")
    missing = tmp_path / "none.npz"
    refused(missing, f"image file {missing} cannot be read: No such file or directory")
    refused(tmp_path, f"image file {tmp_path} cannot be read: Is a directory")
    large = tmp_path / "large.npz"
    with large.open("wb") as file:
        file.truncate(1 << 29)
    refused(large, f"image file {large} must have at most 268435456 bytes, not 536870912")
    refused(Path("a\0b"), r"image file 'a\x00b' cannot be read: it has a NUL")
    empty = tmp_path / "empty.npz"
    empty.touch()
    refused(empty, f"image file {empty} is truncated or not an npz file")
