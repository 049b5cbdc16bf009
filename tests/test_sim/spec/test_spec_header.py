"""Program header and check words."""

import zlib

import pytest

from sim.spec.descriptor import DESCRIPTOR_BYTES, FIELDS, Queue, decode, encode
from sim.spec.header import (
    CHECK_OFFSET,
    HEADER_BYTES,
    HEADER_MAGIC,
    HEADER_VERSION,
    Header,
    read_header,
    seal,
)

FINGERPRINT = 0x13579BDF
DESCRIPTORS = [encode(Queue.LOAD, {"rows": 3}), encode(Queue.STORE, {"rows": 4})]


def test_no_field_lies_in_the_place_of_the_check_word() -> None:
    for queue in Queue:
        assert sum(field.bits for field in FIELDS[queue]) <= 8 * CHECK_OFFSET


def test_header_announces_the_first_descriptor_and_each_the_next() -> None:
    program = seal(FINGERPRINT, b"".join(DESCRIPTORS))
    parts = [program[i : i + DESCRIPTOR_BYTES] for i in range(0, len(program), DESCRIPTOR_BYTES)]
    assert len(parts) == 3
    header = read_header(parts[0])
    assert header == Header(fingerprint=FINGERPRINT, count=2, checksum=zlib.crc32(parts[1]))
    assert parts[1][CHECK_OFFSET:] == zlib.crc32(parts[2]).to_bytes(4, "little")
    assert parts[2][CHECK_OFFSET:] == bytes(4)
    assert [decode(part) for part in parts[1:]] == [decode(part) for part in DESCRIPTORS]
    words = [int.from_bytes(parts[0][i : i + 4], "little") for i in range(0, HEADER_BYTES, 4)]
    assert words[:5] == [HEADER_MAGIC, FINGERPRINT, 2, HEADER_VERSION, zlib.crc32(parts[1])]
    assert words[5:15] == [0] * 10
    assert words[15] == zlib.crc32(parts[0][:CHECK_OFFSET])


def test_empty_program_is_a_header() -> None:
    program = seal(FINGERPRINT, b"")
    assert len(program) == HEADER_BYTES
    assert read_header(program) == Header(fingerprint=FINGERPRINT, count=0, checksum=0)


def test_sealing_again_changes_nothing() -> None:
    program = seal(FINGERPRINT, b"".join(DESCRIPTORS))
    assert seal(FINGERPRINT, program[HEADER_BYTES:]) == program


def test_every_bit_of_the_program_is_in_the_checksum() -> None:
    body = b"".join(DESCRIPTORS)
    before = read_header(seal(FINGERPRINT, body)).checksum
    for descriptor in range(2):
        for bit in range(8 * CHECK_OFFSET):
            changed = bytearray(body)
            changed[descriptor * DESCRIPTOR_BYTES + bit // 8] ^= 1 << bit % 8
            assert read_header(seal(FINGERPRINT, bytes(changed))).checksum != before


def test_descriptors_that_are_not_whole_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^descriptors must have a multiple of 64 bytes, not 65$"):
        seal(FINGERPRINT, bytes(65))


def test_headers_that_are_none_are_refused() -> None:
    good = seal(FINGERPRINT, b"")
    with pytest.raises(ValueError, match=r"^a header must have 64 bytes, not 63$"):
        read_header(good[:63])
    with pytest.raises(
        ValueError, match=r"^the header's magic must be 0x4c49534f, not 0x4c495300$"
    ):
        read_header(b"\0" + good[1:])
    with pytest.raises(ValueError, match=r"^the header's version must be 5, not 1$"):
        read_header(good[:12] + b"\1" + good[13:])
    check = zlib.crc32(good[:CHECK_OFFSET])
    with pytest.raises(
        ValueError,
        match=rf"^the header's check word must be {check:#010x}, not {check ^ 255:#010x}$",
    ):
        read_header(good[:CHECK_OFFSET] + bytes([good[CHECK_OFFSET] ^ 255]) + good[61:])
