"""A compiled program as data of C, for the driver."""

import re
from dataclasses import dataclass, replace

from hwgen.placement import TensorPlacement
from hwgen.program import Program, compile_mapped
from hwgen.stream_program import compile_stream
from hwgen.verilog_files import OWNERSHIP
from sim.plan import Mapped
from sim.stream import stream_of

__all__ = ["DriverProgram", "program_of", "program_source"]

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
        return self.program.input.channels <= self.program.input.vector_bytes

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
    declared = (
        f"extern const struct cosilico_program {symbol};\n#define COSILICO_NETWORK {symbol}\n"
    )
    header = (
        f"{head}#ifndef COSILICO_PROGRAM_H\n#define COSILICO_PROGRAM_H\n\n"
        f'#include "cosilico.h"\n\n/* The network {_comment(described.name)}. */\n{declared}\n#endif\n'
    )
    segments, states = described.segments, described.states
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
        "input": _tensor(program.input),
        "output": _tensor(program.output),
        "segment_count": f"{len(segments)}u",
        "segments": "segments",
        **({"state_count": f"{len(states)}u", "states": "states"} if states else {}),
    }
    body = "".join(f"    .{name} = {value},\n" for name, value in values.items())
    source = "\n".join(
        [
            f'{head}#include "program.h"\n',
            *arrays,
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


def _tensor(place: TensorPlacement) -> str:
    values = (
        *(place.address, place.height, place.width, place.channels),
        *(place.vector_bytes, place.pixel_bytes),
    )
    return f"{{{', '.join(f'{value}u' for value in values)}}}"


def _string(text: str) -> str:
    """Return a literal of C; what is not plain ASCII is written byte by byte."""
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(plain)}"'


def _comment(text: str) -> str:
    """Return a name as it may stand in a comment of C."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).replace("*/", "* /")
