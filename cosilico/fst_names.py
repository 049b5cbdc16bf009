"""Names of the signals of a waveform file in the format FST."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sim.spec.errors import CosilicoError

__all__ = ["FstSignal", "fst_signals", "unpacked"]

_HIERARCHY = 6
"""Type of the block that has the names, compressed by LZ4."""

_ATTRIBUTE, _ATTRIBUTE_END, _SCOPE, _SCOPE_END = 252, 253, 254, 255
"""First bytes of the entries of that block that are no signal."""

_SIZE_LIMIT = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class FstSignal:
    """A signal and the scopes around it, the outermost first.

    Parameters
    ----------
    scopes : tuple of str
    name : str
    bits : int
    code : int
        Number of its values in the file, from 1; several names may have the same.
    """

    scopes: tuple[str, ...]
    name: str
    bits: int
    code: int


def fst_signals(path: Path) -> list[FstSignal]:
    """Return all signals of a file that a simulation wrote, in its order.

    Raises
    ------
    CosilicoError
        If the file is none or is incomplete.
    """
    try:
        return list(_signals(_hierarchy(path)))
    except (IndexError, ValueError):
        raise CosilicoError(f"waveforms {str(path)!r} must be a complete FST file") from None


def _hierarchy(path: Path) -> bytes:
    """Text of the block with the names. A block is a type, its size but for the type, and the rest."""
    with path.open("rb") as file:
        while head := file.read(9):
            kind, size = head[0], int.from_bytes(head[1:], "big")
            if kind == _HIERARCHY:
                whole = int.from_bytes(file.read(8), "big")
                if whole > _SIZE_LIMIT or size > _SIZE_LIMIT:
                    raise ValueError
                return unpacked(file.read(size - 16), whole)
            if size < 8:
                break
            file.seek(size - 8, 1)
    raise ValueError


def unpacked(packed: bytes, size: int) -> bytes:
    """Decompress a block of LZ4 of which the size is known.

    Raises
    ------
    IndexError, ValueError
        If it is damaged.
    """
    result = bytearray()
    at = 0

    def length(nibble: int) -> int:
        nonlocal at
        total = nibble
        more = nibble == 15
        while more:
            total += packed[at]
            more = packed[at] == 255
            at += 1
        return total

    while at < len(packed):
        token = packed[at]
        at += 1
        literals = length(token >> 4)
        result += packed[at : at + literals]
        at += literals
        if at >= len(packed):
            break
        offset = int.from_bytes(packed[at : at + 2], "little")
        at += 2
        count = length(token & 15) + 4
        first = len(result) - offset
        if offset == 0 or first < 0 or len(result) + count > size:
            raise ValueError
        for index in range(first, first + count):  # it may overlap what it makes
            result.append(result[index])
    if len(result) != size:
        raise ValueError
    return bytes(result)


def _signals(text: bytes) -> Iterator[FstSignal]:
    at = 0

    def name() -> str:
        nonlocal at
        end = text.index(0, at)
        word, at = text[at:end].decode(errors="replace"), end + 1
        return word

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = text[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    scopes: list[str] = []
    codes = 0
    while at < len(text):
        kind = text[at]
        at += 1
        if kind == _SCOPE:
            at += 1
            scopes.append(name())
            name()
        elif kind == _SCOPE_END:
            scopes.pop()
        elif kind == _ATTRIBUTE:
            at += 2
            name()
            number()
        elif kind != _ATTRIBUTE_END:
            at += 1
            word, bits, alias = name(), number(), number()
            codes += alias == 0
            yield FstSignal(
                scopes=tuple(scopes),
                name=word.partition(" ")[0],
                bits=bits,
                code=alias or codes,
            )
