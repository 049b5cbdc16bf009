"""Contents of memory as an executable of 32 bits (ELF) holds them."""

import struct

__all__ = ["memory_words", "stored_bytes"]

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SEGMENT = struct.Struct("<IIIIIIII")
_IDENTITY = b"\x7fELF\x01\x01"
"""ELF of 32 bits, little endian."""

_RISCV = 243
_LOADED = 1


def stored_bytes(executable: bytes, base: int, limit: int) -> bytes:
    """Return what an executable for RISC-V keeps in a memory, from its first byte on; gaps are zeros.

    Parameters
    ----------
    executable : bytes
    base, limit : int
        First address of the memory, and the next after its last.

    Raises
    ------
    ValueError
        If it is none, or keeps something elsewhere.
    """
    if executable[: len(_IDENTITY)] != _IDENTITY or len(executable) < _HEADER.size:
        raise ValueError("executable must be ELF of 32 bits, little endian")
    header = _HEADER.unpack_from(executable)
    machine, table, size, count = header[2], header[5], header[9], header[10]
    if machine != _RISCV:
        raise ValueError(f"executable must be for RISC-V (machine {_RISCV}), not machine {machine}")
    image = bytearray()
    for index in range(count):
        kind, offset, _, address, stored, *_ = _SEGMENT.unpack_from(
            executable, table + index * size
        )
        if kind != _LOADED or not stored:
            continue
        if not base <= address <= limit - stored:
            rule = f"lie in {base:#x} … {limit - 1:#x}"
            raise ValueError(f"segment must {rule}, not {stored} bytes at {address:#x}")
        first = address - base
        image.extend(bytes(max(0, first + stored - len(image))))
        image[first : first + stored] = executable[offset : offset + stored]
    return bytes(image)


def memory_words(image: bytes) -> str:
    """Return bytes as words of 32 bits, little endian, hexadecimal, a line each, as ``$readmemh`` reads."""
    padded = image + bytes(-len(image) % 4)
    return "".join(f"{word:08x}\n" for (word,) in struct.iter_unpack("<I", padded))
