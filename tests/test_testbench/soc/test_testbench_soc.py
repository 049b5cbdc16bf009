"""A whole system: a processor runs firmware that classifies real digits on the accelerator."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from accelerators import SMALLEST
from cosilico import __version__
from hwgen.driver.program_data import program_of
from hwgen.soc.compiler import riscv_compiler
from hwgen.soc.elf import memory_words
from hwgen.soc.files import FIRMWARE_HEX, SystemFiles, write_system
from hwgen.soc.firmware import build_firmware
from hwgen.verilog_files import generate
from linear_digits import linear_digits
from sim.realizability import map_realizable
from sim.spec.files import cache_root
from testbench.soc.classes import compare_classes, read_classes
from testbench.soc.run import run_system

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

NETWORK, IMAGES, LABELS = linear_digits()
COUNT = 24
PATIENCE = 2_000_000
HEAD = "accelerator 0000002a, network linear digits\n"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> SystemFiles:
    return write_system(
        tmp_path_factory.mktemp("system"),
        SMALLEST,
        generate(SMALLEST, version=__version__),
        program_of(map_realizable(SMALLEST, NETWORK, 1)),
        IMAGES[:COUNT],
        compiler=riscv_compiler(),
        clock_hz=25_000_000,
        baud=2_500_000,
    )


@pytest.fixture
def changed(system: SystemFiles) -> Iterator[Path]:
    """Folder of the firmware's sources, which a test may change; all is as it was afterwards."""
    folder = system.folder / "firmware"
    sources = {path: path.read_bytes() for path in folder.iterdir()}
    words = (system.folder / FIRMWARE_HEX).read_bytes()
    yield folder
    for path, content in sources.items():
        path.write_bytes(content)
    (system.folder / FIRMWARE_HEX).write_bytes(words)


def edit(folder: Path, name: str, pattern: str, text: str) -> None:
    """Replace a text of the firmware's sources, and compile them."""
    source = (folder / name).read_text()
    edited, count = re.subn(pattern, text, source)
    assert count == 1
    (folder / name).write_text(edited)
    image = build_firmware(folder, riscv_compiler())
    (folder.parent / FIRMWARE_HEX).write_text(memory_words(image))


@pytest.mark.parametrize("seed", [1, 2])
def test_firmware_prints_the_classes_of_the_reference(system: SystemFiles, seed: int) -> None:
    run = run_system(system, cache=cache_root(), cycles=PATIENCE, seed=seed)
    assert (run.halted, run.fault, run.wrong_bits) == (True, False, 0)
    printed = read_classes(run.text, SMALLEST.fingerprint)
    assert compare_classes(printed, NETWORK, IMAGES[:COUNT]) == []
    right = sum(image.label == label for image, label in zip(printed, LABELS, strict=False))
    assert (len(printed), right) == (COUNT, 23)
    cold, *warm = (image.cycles for image in printed)
    assert len(set(warm)) == 1
    assert cold >= warm[0] > 0


@pytest.mark.long
def test_a_disturbed_line_is_noticed(system: SystemFiles) -> None:
    clean = run_system(system, cache=cache_root(), cycles=PATIENCE)
    noticed = 0
    last = clean.cycles // system.config.bit_cycles
    for before in (10, 31, 52, 73, 94, 115):
        run = run_system(system, cache=cache_root(), cycles=PATIENCE, inverted_bit=last - before)
        assert run.halted
        noticed += run.wrong_bits > 0 or run.text != clean.text
    assert noticed == 6


def test_a_processor_that_goes_on_is_not_at_its_end(system: SystemFiles) -> None:
    run = run_system(system, cache=cache_root(), cycles=20_000)
    assert (run.cycles, run.halted, run.ended) == (20_000, False, False)


def test_an_access_to_nothing_stops_the_system(system: SystemFiles, changed: Path) -> None:
    edit(changed, "system.h", r"0x20000000u", "0x30000000u")
    run = run_system(system, cache=cache_root(), cycles=PATIENCE)
    assert (run.text, run.halted, run.fault, run.ended) == ("", False, True, False)


def test_a_program_of_another_accelerator_is_refused(system: SystemFiles, changed: Path) -> None:
    edit(changed, "program.c", r"(\.fingerprint = )\w+", r"\g<1>42u")
    run = run_system(system, cache=cache_root(), cycles=PATIENCE)
    assert run.ended
    assert run.text.endswith("failed: load: the program is for another accelerator\n")


def test_a_damaged_header_is_refused_by_the_accelerator(system: SystemFiles, changed: Path) -> None:
    edit(
        changed, "program.c", r"(static const uint8_t commands\[\d+\] = \{\n    0x)\w\w", r"\g<1>00"
    )
    run = run_system(system, cache=cache_root(), cycles=PATIENCE)
    assert run.ended
    assert run.text.endswith("failed: run: the run was stopped\n")


def test_a_run_that_takes_too_long_is_given_up(system: SystemFiles, changed: Path) -> None:
    edit(changed, "main.c", r"(#define PATIENCE )\w+", r"\g<1>150u")
    run = run_system(system, cache=cache_root(), cycles=PATIENCE)
    assert run.ended
    assert run.text.endswith("failed: run: the run is not over yet\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must name accelerator 0000002a, not ''"),
        ("accelerator 0000002b, network x\n", "first line must name .*, not 'accelerator .* x'"),
        (HEAD + "1 3 100 5 6\n", "line must be that of image 0, not '1 3 100 5 6'"),
        (HEAD + "0 3 100\n", "line must be that of image 0, not '0 3 100'"),
        (HEAD + "failed: run: no\n", "line must be that of image 0, not 'failed: run: no'"),
        (HEAD + "0 1 100 5 6", "last line must be that of the end, not '0 1 100 5 6'"),
    ],
)
def test_other_lines_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_classes(text, 42)


def test_differences_are_named() -> None:
    lines = HEAD + "0 9 100 1 2 3\ndone after 12 cycles\n"
    (differs,) = compare_classes(read_classes(lines, 42), NETWORK, IMAGES[:1])
    assert differs == f"image 0 must be of class {LABELS[0]}, not 9"
    assert compare_classes([], NETWORK, IMAGES[:2]) == ["images must be 2, not 0"]
    values = " ".join(["0"] * 10)
    wrong = HEAD + f"0 {LABELS[0]} 100 {values}\ndone after 12 cycles\n"
    (differs,) = compare_classes(read_classes(wrong, 42), NETWORK, IMAGES[:1])
    assert re.fullmatch(r"image 0 must have outputs \[.*\], not \[0(, 0){9}\]", differs)
