"""Firmware: compiled by whatever compiler there is, and read from its executable."""

import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from accelerators import SMALLEST
from hwgen.driver.program_data import DriverProgram, program_of
from hwgen.soc import compiler as compilers
from hwgen.soc.compiler import COMPILERS, GCC, CompilerError, riscv_compiler
from hwgen.soc.elf import memory_words, stored_bytes
from hwgen.soc.firmware import EXECUTABLE, build_firmware, firmware_sources, ram_bytes
from hwgen.soc.processor import processor_source
from linear_digits import linear_digits
from sim.realizability import map_realizable
from standalone_folders import several_ends

NETWORK, IMAGES, _ = linear_digits()


def described() -> DriverProgram:
    return program_of(map_realizable(SMALLEST, NETWORK, 1))


def write(folder: Path, count: int = 2) -> None:
    for name, text in firmware_sources(described(), IMAGES[:count]).items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", COMPILERS)
def test_firmware_compiles_without_a_warning_and_begins_with_its_start(
    name: str, tmp_path: Path
) -> None:
    if name == GCC and shutil.which(GCC) is None:
        pytest.skip(f"{GCC} is optional")
    write(tmp_path)
    image = build_firmware(tmp_path, riscv_compiler([name]))
    executable = (tmp_path / EXECUTABLE).read_bytes()
    assert 2000 < len(image) < 20_000
    assert image[: 4 * 64] in executable
    assert IMAGES[:2].tobytes() in image
    for _, data in described().segments.values():
        assert data in image
    assert build_firmware(tmp_path, riscv_compiler([name])) == image


def test_firmware_of_several_inputs_and_outputs_compiles(tmp_path: Path) -> None:
    ends = several_ends()
    program = program_of(map_realizable(SMALLEST, ends, 1))
    images = np.random.default_rng(1).integers(-128, 128, (2, *ends.image_shape), np.int8)
    sources = firmware_sources(program, images)
    assert f"#define SYSTEM_OUTPUTS {9 + 3 * 2 * 6 + 3 * 2 * 9}u" in sources["system.h"]
    assert "#define SYSTEM_CLASSES 9u" in sources["system.h"]
    for name, text in sources.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert images.tobytes() in build_firmware(tmp_path, riscv_compiler(list(COMPILERS)))
    rule = r"images must be int8 of shape \(N, 48\), not int8 of shape \(2, 3, 2, 3\)"
    with pytest.raises(ValueError, match=f"^{rule}$"):
        firmware_sources(program, images[:, :18].reshape(2, 3, 2, 3))


def test_sources_are_the_same_for_the_same_arguments() -> None:
    made = firmware_sources(described(), IMAGES[:3])
    assert made == firmware_sources(described(), IMAGES[:3])
    assert {"main.c", "start.S", "link.ld", "cosilico.c", "program.c", "images.c"} <= made.keys()
    assert f"#define SYSTEM_MEMORY_BYTES {described().program.memory_bytes}u" in made["system.h"]


def test_shared_memory_holds_program_and_stack() -> None:
    program = described()
    assert 4096 < program.program.memory_bytes <= 8192
    assert ram_bytes(program) == 16_384


def test_other_images_and_batches_are_refused() -> None:
    line = r"images must be int8 of shape \(N, 8, 8, 1\), not int16 of shape \(2, 8, 8, 1\)"
    with pytest.raises(ValueError, match=f"^{line}$"):
        firmware_sources(described(), IMAGES[:2].astype(np.int16))
    batched = program_of(map_realizable(SMALLEST, NETWORK, 2))
    with pytest.raises(ValueError, match=r"^program must compute 1 image, not 2$"):
        firmware_sources(batched, IMAGES[:2])


def test_without_a_compiler_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    line = (
        "firmware must have a compiler for RISC-V: pip install 'cosilico[soc]', or "
        "apt-get install gcc-riscv64-unknown-elf"
    )
    with pytest.raises(CompilerError, match=f"^{re.escape(line)}$"):
        riscv_compiler()


def test_gcc_is_taken_where_ziglang_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert riscv_compiler().name == "ziglang"
    monkeypatch.setattr(compilers, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
    assert riscv_compiler().command == (f"/somewhere/{GCC}",)


def test_an_error_of_the_compiler_is_one_line(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "main.c").write_text("int main(void) { return missing; }\n")
    with pytest.raises(CompilerError, match=r"^ziglang failed: .*error: .*'missing'$"):
        build_firmware(tmp_path, riscv_compiler(["ziglang"]))


def test_a_stack_without_room_is_an_error_of_the_linker(tmp_path: Path) -> None:
    write(tmp_path)
    script = tmp_path / "link.ld"
    small = re.sub(r"(ORIGIN = 0x40000000, LENGTH = )\d+", r"\g<1>4800", script.read_text())
    script.write_text(small)
    with pytest.raises(CompilerError, match=r"^ziglang failed: .*the stack must have \d+ bytes"):
        build_firmware(tmp_path, riscv_compiler(["ziglang"]))


def executable(*segments: tuple[int, bytes], machine: int = 243) -> bytes:
    """Return an ELF file with the segments at their addresses."""
    table, place = 52, 52 + 32 * len(segments)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, machine, 1, 0, table, 0, 0, 52, 32,
        len(segments), 0, 0, 0,
    )  # fmt: skip
    rows, contents = b"", b""
    for address, data in segments:
        offset = place + len(contents)
        rows += struct.pack("<8I", 1, offset, address, address, len(data), len(data), 4, 4)
        contents += data
    return header + rows + contents


def test_segments_lie_where_they_are_stored_with_zeros_between() -> None:
    made = executable((0x108, b"later"), (0x100, b"ab"), (0x40000000, b""))
    assert stored_bytes(made, 0x100, 0x200) == b"ab\0\0\0\0\0\0later"
    assert memory_words(b"\x01\x02\x03\x04\x05") == "04030201\n00000005\n"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"#!/bin/sh", "executable must be ELF of 32 bits, little endian"),
        (b"\x7fELF\x01\x01", "executable must be ELF of 32 bits, little endian"),
        (
            executable(machine=62),
            r"executable must be for RISC-V \(machine 243\), not machine 62",
        ),
        (
            executable((0x1FF, b"ab")),
            "segment must lie in 0x100 … 0x1ff, not 2 bytes at 0x1ff",
        ),
    ],
)
def test_other_files_are_refused(contents: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        stored_bytes(contents, 0x100, 0x200)


def test_the_processor_comes_with_its_licence() -> None:
    text = processor_source()
    assert "Permission to use, copy, modify, and/or distribute this software" in text
    assert re.search(r"^module picorv32 #\($", text, re.MULTILINE)
