"""A compiled program as data of C, for the driver."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hwgen.placement import TensorPlacement
from hwgen.program import Program, compile_mapped
from hwgen.stream_program import compile_stream
from hwgen.verilog_files import OWNERSHIP
from sim.plan import Mapped
from sim.stream import stream_of

__all__ = ["DriverProgram", "comment_text", "program_of", "program_source"]

_BYTES_PER_LINE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverProgram:
    """A program with all of its kinds of run, as the driver takes it.

    Parameters
    ----------
    name : str
        Of the network.
    fingerprint : int
        Of the accelerator.
    program : Program
        Its image ends with the last descriptor.
    first_address, steady_address : int
        Headers of a stream's two kinds of run; 0 where there can be no stream.
    """

    name: str
    fingerprint: int
    program: Program
    first_address: int = 0
    steady_address: int = 0

    @property
    def input_moves(self) -> bool:
        """Whether INPUT_OFFSET moves the input: LOADs gather it from packed rows."""
        alone = len(self.program.inputs.places) == 1
        return alone and self.program.input.channels <= self.program.input.vector_bytes

    @property
    def symbol(self) -> str:
        """Name of the program's variable in C."""
        return "cosilico_program_" + re.sub(r"\W", "_", self.name, flags=re.ASCII)

    @property
    def segments(self) -> dict[str, tuple[int, bytes]]:
        """Parts that a host must copy into memory: offset and bytes by name. Between them lie tensors."""
        image = self.program.image
        weights, commands = self.program.input.address, self.program.header_address
        parts = {"weights": (0, image[:weights]), "commands": (commands, image[commands:])}
        return {name: part for name, part in parts.items() if part[1]}

    @property
    def states(self) -> dict[str, tuple[int, bytes]]:
        """Offset and first values of each state, by its array in C: what the first run finds."""
        return {
            f"state{number}": (
                place.address,
                self.program.image[place.address :][: place.size_bytes],
            )
            for number, place in enumerate(self.program.states.values())
        }


def program_of(mapped: Mapped) -> DriverProgram:
    """Compile a planned pair for the driver, with a stream's kinds of run where it can have a stream."""
    stream = stream_of(mapped)
    name, fingerprint = mapped.source.name, mapped.config.fingerprint
    if stream is None:
        return DriverProgram(name=name, fingerprint=fingerprint, program=compile_mapped(mapped))
    alone = compile_stream(mapped, stream).alone
    return DriverProgram(
        name=name,
        fingerprint=fingerprint,
        program=replace(alone, image=alone.image[: stream.end]),
        first_address=stream.first_header,
        steady_address=stream.header,
    )


def program_source(described: DriverProgram) -> dict[str, str]:
    """Return the files of C that hold a program: ``program.h`` and ``program.c``."""
    program, symbol = described.program, described.symbol
    head = f"/* {OWNERSHIP} */\n\n"
    guard = f"{symbol.upper()}_H"
    header = (
        f'{head}#ifndef {guard}\n#define {guard}\n\n#include "cosilico.h"\n\n'
        f"/* The network {comment_text(described.name)}. */\nextern const struct cosilico_program {symbol};\n\n"
        "/* Where several programs are included, the first. */\n"
        f"#ifndef COSILICO_NETWORK\n#define COSILICO_NETWORK {symbol}\n#endif\n\n#endif\n"
    )
    segments, states = described.segments, described.states
    (first_input, *inputs), (first_output, *outputs) = (
        list(region.places.items()) for region in (program.inputs, program.outputs)
    )
    arrays = [
        f"static const uint8_t {name}[{len(data)}] = {{\n{_array(data)}\n}};\n"
        for name, (_, data) in (segments | states).items()
    ]
    tables = _table("segments", segments) + (_table("states", states) if states else [])
    values = {
        "name": _string(described.name),
        "fingerprint": f"0x{described.fingerprint:08X}u",
        "memory_bytes": f"{program.memory_bytes}u",
        "cold_header": f"{program.header_address}u",
        "warm_header": f"{program.warm_address}u",
        "first_header": f"{described.first_address}u",
        "steady_header": f"{described.steady_address}u",
        "images": f"{program.images}u",
        "input_moves": "true" if described.input_moves else "false",
        "input": _tensor(first_input, "input"),
        "output": _tensor(first_output, "output"),
        "further_input_count": f"{len(inputs)}u",
        "further_output_count": f"{len(outputs)}u",
        "further_inputs": "further_inputs" if inputs else "NULL",
        "further_outputs": "further_outputs" if outputs else "NULL",
        "segment_count": f"{len(segments)}u",
        "segments": "segments",
        **({"state_count": f"{len(states)}u", "states": "states"} if states else {}),
    }
    body = "".join(f"    .{name} = {value},\n" for name, value in values.items())
    source = "\n".join(
        [
            f'{head}#include "program.h"\n',
            *arrays,
            *_further("input", first_input, inputs),
            *_further("output", first_output, outputs),
            *tables,
            f"const struct cosilico_program {symbol} = {{\n{body}}};\n",
        ]
    )
    return {"program.h": header, "program.c": source}


def _table(name: str, segments: dict[str, tuple[int, bytes]]) -> list[str]:
    """Return the lines of an array of ``struct cosilico_segment``."""
    rows = [
        f"    {{{offset}u, {len(data)}u, {array}}}," for array, (offset, data) in segments.items()
    ]
    return [f"static const struct cosilico_segment {name}[] = {{", *rows, "};\n"]


def _array(data: bytes) -> str:
    """Return the bytes as lines of numbers."""
    rows = (data[i : i + _BYTES_PER_LINE] for i in range(0, len(data), _BYTES_PER_LINE))
    return "\n".join(f"    0x{row.hex(' ').replace(' ', ', 0x')}," for row in rows)


_Named = tuple[str, TensorPlacement]


def _further(kind: str, first: _Named, others: Sequence[_Named]) -> Iterator[str]:
    """Yield the tensors of a kind behind the first, and where channels of all of them lie."""
    names = [kind, *(f"further_{kind}_{index}" for index in range(len(others)))]
    for symbol, (_, place) in zip(names, (first, *others), strict=True):
        if place.segments:
            spans = ", ".join(f"{{{begin}u, {count}u}}" for begin, count in place.segments)
            yield f"static const struct cosilico_span {symbol}_spans[] = {{{spans}}};\n"
    if others:
        rows = (
            f"    {_tensor(named, symbol)},\n"
            for symbol, named in zip(names[1:], others, strict=True)
        )
        yield f"static const struct cosilico_tensor further_{kind}s[] = {{\n{''.join(rows)}}};\n"


def _tensor(named: _Named, symbol: str) -> str:
    """Return a tensor's initializer; ``symbol`` begins the name of its spans."""
    name, place = named
    values = (
        *(place.address, place.image_bytes, place.height, place.width, place.channels),
        *(place.vector_bytes, place.pixel_bytes, len(place.segments)),
    )
    spans = f"{symbol}_spans" if place.segments else "NULL"
    return f"{{{_string(name)}, {', '.join(f'{value}u' for value in values)}, {spans}}}"


def _string(text: str) -> str:
    """Return a literal of C; what is not plain ASCII is written byte by byte."""
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(plain)}"'


def comment_text(text: str) -> str:
    """Return a name as it may stand in a comment of C."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).replace("*/", "* /")
