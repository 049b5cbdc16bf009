"""Header of a program, and the check words that tie its descriptors to it."""

import struct
import zlib
from dataclasses import dataclass

from sim.spec.descriptor import DESCRIPTOR_BYTES

__all__ = [
    "CHECK_BYTES",
    "CHECK_OFFSET",
    "HEADER_BYTES",
    "HEADER_MAGIC",
    "HEADER_VERSION",
    "Header",
    "program_bytes",
    "read_header",
    "seal",
]

HEADER_MAGIC = 0x4C49534F
"""First word of a header."""

HEADER_VERSION = 5
"""Version of the header and of the check words."""

HEADER_BYTES = DESCRIPTOR_BYTES

CHECK_BYTES = 4
"""Size of a check word: zlib's CRC-32, little endian."""

CHECK_OFFSET = DESCRIPTOR_BYTES - CHECK_BYTES
"""Where a header's or descriptor's check word lies. No descriptor has a field there."""

_WORDS = struct.Struct("<5I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Header of a program: 64 bytes, little endian 32-bit words, what is not named is 0.

    Word 0 is HEADER_MAGIC and word 3 HEADER_VERSION. The last word is the CRC-32 of the 60 bytes before
    it.

    Parameters
    ----------
    fingerprint : int
        Word 1: the configuration's.
    count : int
        Word 2: descriptors that follow the header.
    checksum : int
        Word 4: CRC-32 of the first descriptor, 0 without descriptors. As a descriptor's last word is the
        CRC-32 of the next descriptor, 0 in the last, it depends on every bit of the program.
    """

    fingerprint: int
    count: int
    checksum: int

    def pack(self) -> bytes:
        """Return the 64 bytes of the header."""
        values = (HEADER_MAGIC, self.fingerprint, self.count, HEADER_VERSION, self.checksum)
        head = _WORDS.pack(*values).ljust(CHECK_OFFSET, b"\0")
        return head + _word(zlib.crc32(head))


def seal(fingerprint: int, descriptors: bytes) -> bytes:
    """Return a program: the header, then the descriptors with their check words put in.

    Parameters
    ----------
    fingerprint : int
        The configuration's.
    descriptors : bytes
        64 bytes each; what stands in the place of the check words is replaced.

    Raises
    ------
    ValueError
        If the descriptors are not whole.
    """
    size = len(descriptors)
    if size % DESCRIPTOR_BYTES:
        raise ValueError(f"descriptors must have a multiple of 64 bytes, not {size}")
    sealed = bytearray(descriptors)
    check = 0
    for start in range(size - DESCRIPTOR_BYTES, -1, -DESCRIPTOR_BYTES):
        end = start + DESCRIPTOR_BYTES
        sealed[start + CHECK_OFFSET : end] = _word(check)
        check = zlib.crc32(sealed[start:end])
    header = Header(fingerprint=fingerprint, count=size // DESCRIPTOR_BYTES, checksum=check)
    return header.pack() + bytes(sealed)


def program_bytes(descriptors: int) -> int:
    """Bytes of a header and so many descriptors."""
    return HEADER_BYTES + descriptors * DESCRIPTOR_BYTES


def read_header(data: bytes) -> Header:
    """Return the header that a program begins with.

    Raises
    ------
    ValueError
        If the data is short, damaged or of another kind or version.
    """
    if len(data) < HEADER_BYTES:
        raise ValueError(f"a header must have {HEADER_BYTES} bytes, not {len(data)}")
    magic, fingerprint, count, version, checksum = _WORDS.unpack_from(data)
    if magic != HEADER_MAGIC:
        raise ValueError(f"the header's magic must be {HEADER_MAGIC:#010x}, not {magic:#010x}")
    if version != HEADER_VERSION:
        raise ValueError(f"the header's version must be {HEADER_VERSION}, not {version}")
    wanted = zlib.crc32(data[:CHECK_OFFSET])
    check = int.from_bytes(data[CHECK_OFFSET:HEADER_BYTES], "little")
    if check != wanted:
        raise ValueError(f"the header's check word must be {wanted:#010x}, not {check:#010x}")
    return Header(fingerprint=fingerprint, count=count, checksum=checksum)


def _word(value: int) -> bytes:
    return value.to_bytes(CHECK_BYTES, "little")
