"""Values of all signals in waveform files: VCD, and FST by its description alone."""

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosilico.fst_names import FstSignal, fst_signals, unpacked

__all__ = ["WaveValues", "read_fst", "read_vcd"]

VALUES = 8
"""Type of the blocks with values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveValues:
    """Times of a file, and what each signal becomes when, by path below the outermost scope: (time, value)."""

    times: list[int]
    changes: dict[str, list[tuple[int, int]]]

    def part(self, first: int, last: int) -> dict[str, list[tuple[int, int]]]:
        """Changes of all signals from one time to another, beginning with what each is at the first."""
        return {path: cut(changes, first, last) for path, changes in self.changes.items()}


def cut(changes: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """Changes of a signal in a range of times, beginning with its value at the first."""
    known: list[tuple[int, int]] = []
    for time, value in changes:
        if time > last:
            break
        if time <= first:
            known = [(first, value)]
        elif not known or known[-1][1] != value:
            known.append((time, value))
    return known


def read_vcd(path: Path) -> WaveValues:
    """Read all of a VCD file."""
    scopes: list[str] = []
    codes: dict[str, str] = {}
    values: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    times: list[int] = []
    with path.open(encoding="ascii") as file:
        for line in file:
            words = line.split()
            if not words:
                continue
            match words[0]:
                case "$scope":
                    scopes.append(words[2])
                case "$upscope":
                    scopes.pop()
                case "$var":
                    codes[".".join((*scopes[1:], words[4]))] = words[3]
                case word if word[0] == "#":
                    times.append(int(word[1:]))
                case word if word[0] == "b":
                    values[words[1]].append((times[-1], int(word[1:], 2)))
                case word if word[0] in "01":
                    values[word[1:]].append((times[-1], int(word[0])))
    return WaveValues(times=times, changes={name: values[code] for name, code in codes.items()})


class Reader:
    """Numbers at successive places of bytes."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def fixed(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def number(self, signed: bool = False) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value - (1 << shift) if signed and byte & 64 else value


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type of every block, and what follows its size."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 9], "big")
        yield data[at], data[at + 9 : at + 1 + size]
        at += 1 + size


def inflated(data: bytes, size: int) -> bytes:
    return data if len(data) == size else zlib.decompress(data)


def read_fst(path: Path) -> WaveValues:
    """Read all of an FST file."""
    signals = fst_signals(path)
    widths = {signal.code: signal.bits for signal in signals}
    times: list[int] = []
    values: dict[int, list[tuple[int, int]]] = {code: [] for code in widths}
    for kind, block in blocks(path.read_bytes()):
        if kind == VALUES:
            own, changes = block_values(block, widths)
            times += own
            for code, pairs in changes.items():
                values[code] += pairs
    named = {vcd_path(signal): values[signal.code] for signal in signals}
    return WaveValues(times=times, changes=named)


def vcd_path(signal: FstSignal) -> str:
    """Path as VCD has it, where the elements of an array lie beside other signals and not in a scope of their own."""
    array, bracket, _ = signal.name.partition("[")
    own = [scope for scope in signal.scopes[1:] if scope[0] != "["]
    scopes = own[:-1] if bracket and own[-1:] == [array] else own
    return ".".join((*scopes, signal.name))


def block_values(
    block: bytes, widths: dict[int, int]
) -> tuple[list[int], dict[int, list[tuple[int, int]]]]:
    """Times of a block, and the changes of every code."""
    tail = Reader(block, len(block) - 24)
    size, packed, count = tail.fixed(), tail.fixed(), tail.fixed()
    time_reader = Reader(inflated(block[-24 - packed : -24], size))
    times: list[int] = []
    for _ in range(count):
        times.append((times[-1] if times else 0) + time_reader.number())
    reader = Reader(block, 24)
    size, packed, codes = reader.number(), reader.number(), reader.number()
    assert codes == len(widths)
    first = inflated(reader.take(packed), size).decode()
    assert reader.number() == codes
    begin = reader.at  # the kind of compression, a byte ahead of the first values
    assert block[begin : begin + 1] == b"4"
    places_end = len(block) - 24 - int(Reader(block, len(block) - 16).fixed()) - 8
    places_size = Reader(block, places_end).fixed()
    places = Reader(block, places_end - places_size)
    offsets = positions(places, codes, begin, places_end)
    changes: dict[int, list[tuple[int, int]]] = {}
    bounds = [*sorted({offset for offset in offsets if offset}), places_end - places_size]
    at = 0
    for code in range(1, codes + 1):
        width = widths[code]
        bits = first[at : at + width]
        at += width
        known = [(times[0], int(bits, 2))] if set(bits) <= {"0", "1"} else []
        offset = offsets[code - 1]
        if offset:
            end = bounds[bounds.index(offset) + 1]
            chunk = Reader(block[offset:end])
            size = chunk.number()
            rest = chunk.data[chunk.at :]
            known += list(decoded(unpacked(rest, size) if size else rest, width, times))
        changes[code] = known
    return times, changes


def positions(places: Reader, codes: int, begin: int, end: int) -> list[int]:
    """Where the changes of every code begin, or 0."""
    offsets: list[int] = []
    offset, alias = begin, 0
    while len(offsets) < codes:
        assert places.at < end
        if places.data[places.at] & 1 == 0:
            offsets += [0] * (places.number() >> 1)
            continue
        step = places.number(signed=True) >> 1
        if step > 0:
            offset += step
            offsets.append(offset)
            continue
        alias = step or alias
        offsets.append(offsets[-alias - 1])
    return offsets


def decoded(data: bytes, width: int, times: list[int]) -> Iterator[tuple[int, int]]:
    """Times and values of the changes of a signal that is never unknown."""
    reader, index = Reader(data), 0
    while reader.at < len(data):
        word = reader.number()
        assert word & 1 == 0, "the value must be known"
        if width == 1:
            index += word >> 2
            yield times[index], word >> 1 & 1
        else:
            index += word >> 1
            size = -(-width // 8)
            yield times[index], int.from_bytes(reader.take(size), "big") >> (8 * size - width)
