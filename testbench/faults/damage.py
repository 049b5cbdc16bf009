"""Damaged programs: headers and descriptors that are not as the compiler made them."""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from hwgen.program import Program
from sim.spec.descriptor import DESCRIPTOR_BYTES, Field, Queue, decode, encode, fields_of
from sim.spec.header import CHECK_BYTES, CHECK_OFFSET, HEADER_BYTES, read_header, seal

__all__ = ["KINDS", "SLACK_DESCRIPTORS", "Damaged", "draw_damaged"]

SLACK_DESCRIPTORS = 4
"""How many more descriptors than the good program a damaged program may have."""

_NO_QUEUE = len(Queue)

_EXTENT = (
    *("address", "groups", "rows", "columns", "group_stride", "row_stride", "vector_beats"),
    *("local_address", "local_plane", "local_row"),
)
"""Fields of a tile transfer that say where it goes and how much it moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A damaged program: a header and descriptors that are not as the compiler made them.

    Parameters
    ----------
    index : int
        In its draw.
    kind : str
        One of ``KINDS``.
    address : int
        Header of the good program that is damaged: of its cold run, or of its warm run.
    data : bytes
        Header and descriptors, to lie there.
    sealed : bool
        Whether check words were made to fit the damage, so that they do not hide what is behind it.
    """

    index: int
    kind: str
    address: int
    data: bytes
    sealed: bool


def draw_damaged(program: Program, count: int, seed: int) -> list[Damaged]:
    """Damage a program in ``count`` ways, all kinds in turn; the same seed gives the same damage.

    Where weights stay in the weight store, every second turn damages the descriptors of the warm run.
    """
    entries = [program, *([program.warm] if program.warm != program else [])]
    names = list(KINDS)
    drawn = []
    for index in range(count):
        generator = random.Random(f"{seed} {index}")
        turn, number = divmod(index, len(names))
        kind, entry = names[number], entries[turn % len(entries)]
        good = entry.image[entry.header_address :][: HEADER_BYTES + len(entry.encoded)]
        data, sealed = KINDS[kind](generator, good)
        # The rest is not what another program has left there.
        data = data.ljust(len(good) + SLACK_DESCRIPTORS * DESCRIPTOR_BYTES, b"\0")
        drawn.append(
            Damaged(index=index, kind=kind, address=entry.header_address, data=data, sealed=sealed)
        )
    return drawn


def _descriptors(good: bytes) -> list[bytes]:
    return [
        good[start : start + DESCRIPTOR_BYTES]
        for start in range(HEADER_BYTES, len(good), DESCRIPTOR_BYTES)
    ]


def _sealed(good: bytes, descriptors: list[bytes]) -> bytes:
    return seal(read_header(good).fingerprint, b"".join(descriptors))


def _flip(generator: random.Random, data: bytes, bits: int) -> bytes:
    damaged = bytearray(data)
    for _ in range(bits):
        place = generator.randrange(8 * len(data))
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


def _value(generator: random.Random, field: Field) -> int:
    """A value of a field: its limits, a small value, a single bit, or any."""
    choice = generator.randrange(5)
    if choice == 0:
        return generator.choice([field.low, field.high])
    if choice == 1:
        return min(field.high, generator.randrange(4))
    if choice == 2:
        return min(field.high, 1 << generator.randrange(field.bits))
    return generator.randint(field.low, field.high)


def _random_descriptor(generator: random.Random, queue: Queue) -> bytes:
    values = {field.name: _value(generator, field) for field in fields_of(queue, tables=False)}
    return encode(queue, values | {"queue": queue})


def _bits(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    return _flip(generator, good, generator.choice([1, 1, 2, 8, 64])), False


def _sealed_bits(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    rows = _descriptors(good)
    for _ in range(generator.choice([1, 1, 2, 5])):
        place = generator.randrange(len(rows))
        rows[place] = _flip(generator, rows[place][:CHECK_OFFSET], 1).ljust(DESCRIPTOR_BYTES, b"\0")
    return _sealed(good, rows), True


def _field(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """Some fields of a descriptor have other values."""
    rows = _descriptors(good)
    place = generator.randrange(len(rows))
    values = decode(rows[place])
    queue = Queue(values["queue"])
    for field in generator.sample(
        fields_of(queue, tables=False)[1:], generator.choice([1, 1, 2, 4])
    ):
        values[field.name] = _value(generator, field)
    rows[place] = encode(queue, values)
    return _sealed(good, rows), True


def _extent(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """A transfer goes elsewhere, or is of another size."""
    rows = _descriptors(good)
    moves = [i for i, row in enumerate(rows) if decode(row)["queue"] != Queue.EXECUTE]
    place = generator.choice(moves)
    values = decode(rows[place])
    queue = Queue(values["queue"])
    chosen = generator.sample(_EXTENT, generator.choice([1, 2, 4]))
    fields = {field.name: field for field in fields_of(queue, tables=False)}
    values |= {name: _value(generator, fields[name]) for name in chosen}
    rows[place] = encode(queue, values)
    return _sealed(good, rows), True


def _descriptor(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """A descriptor is replaced by a random descriptor of any queue."""
    rows = _descriptors(good)
    queue = generator.choice(list(Queue))
    rows[generator.randrange(len(rows))] = _random_descriptor(generator, queue)
    return _sealed(good, rows), True


def _bytes(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """A descriptor is of random bytes; at times it names no queue."""
    rows = _descriptors(good)
    row = bytearray(generator.randbytes(DESCRIPTOR_BYTES))
    row[0] = row[0] & ~3 | generator.choice([0, 1, 2, _NO_QUEUE])
    rows[generator.randrange(len(rows))] = bytes(row)
    return _sealed(good, rows), True


def _tokens(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """Some descriptors wait for other queues and give tokens to others."""
    rows = _descriptors(good)
    for _ in range(generator.choice([1, 2, 8])):
        place = generator.randrange(len(rows))
        values = decode(rows[place])
        values |= {name: generator.randrange(8) for name in ("wait", "post")}
        rows[place] = encode(Queue(values["queue"]), values)
    return _sealed(good, rows), True


def _swapped(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    rows = _descriptors(good)
    first, second = (generator.randrange(len(rows)) for _ in range(2))
    rows[first], rows[second] = rows[second], rows[first]
    sealed = generator.random() < 0.7
    return (_sealed(good, rows) if sealed else good[:HEADER_BYTES] + b"".join(rows)), sealed


def _missing(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    rows = _descriptors(good)
    first = generator.randrange(len(rows))
    del rows[first : first + generator.choice([1, 1, 2, len(rows)])]
    sealed = generator.random() < 0.7
    return (_sealed(good, rows) if sealed else good[:HEADER_BYTES] + b"".join(rows)), sealed


def _repeated(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    rows = _descriptors(good)
    for _ in range(generator.randint(1, SLACK_DESCRIPTORS)):
        rows.insert(generator.randrange(len(rows) + 1), generator.choice(rows))
    return _sealed(good, rows), True


def _truncated(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """All bytes behind some place are 0, 255, or anything."""
    kept = generator.randrange(len(good))
    rest = len(good) - kept
    return good[:kept] + generator.choice(
        [bytes(rest), b"\xff" * rest, generator.randbytes(rest)]
    ), False


def _count(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """The header names another number of descriptors, its own check word right or not."""
    present = read_header(good).count
    count = generator.choice([0, 1, present - 1, present + 1, present + 2, 1 << 31, (1 << 32) - 1])
    return _with_header(generator, good, {2: count})


def _header(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """Other words in the header, its own check word right or not."""
    words = {generator.randrange(15): generator.getrandbits(32) for _ in range(2)}
    return _with_header(generator, good, words)


def _with_header(
    generator: random.Random, good: bytes, words: dict[int, int]
) -> tuple[bytes, bool]:
    header = bytearray(good[:HEADER_BYTES])
    for place, word in words.items():
        header[4 * place : 4 * place + 4] = word.to_bytes(4, "little")
    sealed = generator.random() < 0.7
    if sealed:
        header[CHECK_OFFSET:] = zlib.crc32(header[:CHECK_OFFSET]).to_bytes(CHECK_BYTES, "little")
    return bytes(header) + good[HEADER_BYTES:], sealed


def _any(generator: random.Random, good: bytes) -> tuple[bytes, bool]:
    """All descriptors are random."""
    rows = [
        _random_descriptor(generator, generator.choice(list(Queue)))
        for _ in range(generator.randint(1, len(_descriptors(good)) + SLACK_DESCRIPTORS))
    ]
    return _sealed(good, rows), True


KINDS: dict[str, Callable[[random.Random, bytes], tuple[bytes, bool]]] = {
    "bits": _bits,
    "bits, sealed": _sealed_bits,
    "fields": _field,
    "extent": _extent,
    "descriptor": _descriptor,
    "bytes": _bytes,
    "tokens": _tokens,
    "swapped": _swapped,
    "missing": _missing,
    "repeated": _repeated,
    "truncated": _truncated,
    "count": _count,
    "header": _header,
    "any": _any,
}
"""Ways to damage a program, by name."""
