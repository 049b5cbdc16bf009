"""A program as data of C: a compiler gives the same bytes and numbers back."""

import ctypes
from pathlib import Path

import pytest

from accelerators import SMALLEST
from c_driver import STRICT, TENSOR_NUMBERS, ProgramData, Tensor, build_library
from hwgen.driver.program_data import DriverProgram, program_of, program_source
from hwgen.driver.sources import driver_sources
from hwgen.placement import TensorPlacement
from hwgen.subprocesses import run_program
from sim.realizability import map_realizable
from standalone_folders import DESIGNS, STORED, one_layer, several_ends


def compiled(described: DriverProgram, folder: Path) -> ProgramData:
    """The program's variable, as it stands in a library of its source."""
    for name, text in program_source(described).items():
        (folder / name).write_text(text)
    library = build_library(folder, folder / "program.c")
    there = ProgramData.in_dll(library, described.symbol)
    there.library = library
    return there


def assert_placed(given: Tensor, wanted: TensorPlacement) -> None:
    assert all(getattr(given, name) == getattr(wanted, name) for name in TENSOR_NUMBERS)
    spans = [(span.first, span.count) for span in given.spans[: given.span_count]]
    assert spans == list(wanted.segments)


def test_all_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    described = program_of(map_realizable(SMALLEST, several_ends()))
    program, data = described.program, compiled(described, tmp_path)
    assert not data.input_moves
    ends = (
        (program.inputs, data.input, data.further_inputs, data.further_input_count),
        (program.outputs, data.output, data.further_outputs, data.further_output_count),
    )
    spans = 0
    for region, first, others, count in ends:
        given = [first, *others[:count]]
        assert [tensor.name.decode() for tensor in given] == list(region.places)
        assert len(given) > 1
        for tensor, place in zip(given, region.places.values(), strict=True):
            assert_placed(tensor, place)
            spans += tensor.span_count
    assert spans == 4  # of the concatenation, and of what is computed of its channels


@pytest.mark.parametrize("name", [STORED, "2x2, 2 lanes of 8, 16-byte bus"])
@pytest.mark.parametrize("images", [1, 2])
def test_the_data_are_the_program(name: str, images: int, tmp_path: Path) -> None:
    described = program_of(map_realizable(*DESIGNS[name], images))
    program, data = described.program, compiled(described, tmp_path)
    assert data.name == described.name.encode()
    assert data.fingerprint == DESIGNS[name][0].fingerprint
    assert (data.cold_header, data.warm_header) == (program.header_address, program.warm_address)
    assert (name == STORED) == (data.cold_header != data.warm_header)
    assert (data.images, data.memory_bytes) == (images, len(program.image))
    for given, wanted in ((data.input, program.input), (data.output, program.output)):
        assert_placed(given, wanted)
    memory = bytearray(program.image)
    memory[program.input.address : program.header_address] = bytes(
        program.header_address - program.input.address
    )
    copied = bytearray(len(memory))
    assert data.state_count == len(program.states) == 0
    for segment in data.segments[: data.segment_count]:
        piece = ctypes.string_at(segment.data, segment.bytes)
        copied[segment.offset : segment.offset + segment.bytes] = piece
    assert copied == memory


def test_two_packages_are_in_one_program(tmp_path: Path) -> None:
    """The driver is shared; a source may include both programs, whose data are apart."""
    pairs = ((SMALLEST, one_layer()), DESIGNS["1x2, 2 lanes, 2-byte bus"])
    programs = [program_of(map_realizable(*pair)) for pair in pairs]
    for folder, described in zip("ab", programs, strict=True):
        (tmp_path / folder).mkdir()
        for name, text in {**driver_sources(), **program_source(described)}.items():
            (tmp_path / folder / name).write_text(text)
    first, second = programs
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "a/program.h"\n#include "b/program.h"\n#include "b/program.h"\n'
        "int main(void) {\n"
        f'  printf("%s %s %s\\n", COSILICO_NETWORK.name, {first.symbol}.name, {second.symbol}.name);\n'
        f"  return {first.symbol}.fingerprint == {second.symbol}.fingerprint;\n"
        "}\n"
    )
    sources = ["main.c", "a/cosilico.c", "a/program.c", "b/program.c"]
    built = run_program(["gcc", *STRICT, *sources, "-o", "both"], folder=tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    ran = run_program([str(tmp_path / "both")])
    assert (ran.returncode, ran.stdout.split()) == (0, [first.name, first.name, second.name])


def test_a_network_may_have_any_name(tmp_path: Path) -> None:
    described = program_of(map_realizable(SMALLEST, one_layer()))
    renamed = DriverProgram(name='Né "t"\\n??/ */ 1', fingerprint=1, program=described.program)
    data = compiled(renamed, tmp_path)
    assert data.name.decode() == renamed.name
    assert renamed.symbol.isidentifier()
    assert renamed.symbol.isascii()
