"""Descriptors: packing, limits of every field, errors."""

import random

import pytest

from sim.spec.descriptor import (
    COMMON_FIELDS,
    DESCRIPTOR_BYTES,
    FIELDS,
    ExecuteOp,
    Field,
    LoadKind,
    Queue,
    decode,
    encode,
)

CASES = [
    pytest.param(queue, field, id=f"{queue.name}.{field.name}")
    for queue in Queue
    for field in FIELDS[queue]
    if field.name != "queue"
]


@pytest.mark.parametrize("queue", Queue)
def test_fields_fit_a_descriptor_and_start_alike(queue: Queue) -> None:
    table = FIELDS[queue]
    assert sum(field.bits for field in table) <= 8 * DESCRIPTOR_BYTES
    assert table[: len(COMMON_FIELDS)] == COMMON_FIELDS
    assert len({field.name for field in table}) == len(table)
    assert all(field.bits > 0 and field.doc for field in table)


@pytest.mark.parametrize("queue", Queue)
def test_an_empty_descriptor_is_zero_but_for_its_queue(queue: Queue) -> None:
    data = encode(queue, {})
    assert data == bytes([queue]) + bytes(DESCRIPTOR_BYTES - 1)
    assert decode(data) == {field.name: 0 for field in FIELDS[queue]} | {"queue": queue}


@pytest.mark.parametrize(("queue", "field"), CASES)
def test_both_limits_of_every_field_survive_alone(queue: Queue, field: Field) -> None:
    clear = {other.name: 0 for other in FIELDS[queue]} | {"queue": queue}
    for value in (field.low, field.high):
        data = encode(queue, {field.name: value})
        assert len(data) == DESCRIPTOR_BYTES
        assert decode(data) == clear | {field.name: value}


@pytest.mark.parametrize(("queue", "field"), CASES)
def test_values_beyond_a_field_are_refused(queue: Queue, field: Field) -> None:
    for value in (field.low - 1, field.high + 1):
        message = rf"^{field.name} must be in {field.low} … {field.high}, not {value}$"
        with pytest.raises(ValueError, match=message):
            encode(queue, {field.name: value})


@pytest.mark.parametrize("queue", Queue)
def test_random_descriptors_survive(queue: Queue) -> None:
    rng = random.Random(int(queue))
    for _ in range(200):
        values = {
            field.name: rng.choice((field.low, field.high, rng.randint(field.low, field.high)))
            for field in FIELDS[queue]
        } | {"queue": int(queue)}
        assert decode(encode(queue, values)) == values


@pytest.mark.parametrize("queue", Queue)
def test_fields_are_packed_from_bit_0_in_table_order(queue: Queue) -> None:
    position = 0
    for field in FIELDS[queue]:
        if field.name != "queue":
            word = int.from_bytes(encode(queue, {field.name: 1}), "little")
            assert word == int(queue) | 1 << position
        position += field.bits


def test_signed_fields_are_two_s_complement() -> None:
    field = Field("value", 8, "a byte", signed=True)
    assert (field.low, field.high) == (-128, 127)
    assert (Field("value", 8, "a byte").low, Field("value", 8, "a byte").high) == (0, 255)
    last = FIELDS[Queue.EXECUTE][-1]
    assert last.signed
    word = int.from_bytes(encode(Queue.EXECUTE, {last.name: -1}), "little")
    top = sum(field.bits for field in FIELDS[Queue.EXECUTE])
    assert word >> (top - last.bits) == 0xFF


@pytest.mark.parametrize("queue", Queue)
def test_unknown_fields_are_refused(queue: Queue) -> None:
    message = rf"^{queue.name} descriptors have no field 'speed'$"
    with pytest.raises(ValueError, match=message):
        encode(queue, {"speed": 1})


def test_a_field_of_another_queue_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^STORE descriptors have no field 'kind'$"):
        encode(Queue.STORE, {"kind": LoadKind.TILE})


def test_a_queue_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^3 is not a valid Queue$"):
        decode(b"\x03" + bytes(DESCRIPTOR_BYTES - 1))


def test_codes_fit_their_fields() -> None:
    execute = {field.name: field for field in FIELDS[Queue.EXECUTE]}
    load = {field.name: field for field in FIELDS[Queue.LOAD]}
    assert max(ExecuteOp) <= execute["op"].high
    assert max(LoadKind) <= load["kind"].high
    assert max(Queue) <= execute["queue"].high
    assert len(Queue) <= execute["wait"].bits == execute["post"].bits


def test_encode_leaves_its_argument_alone() -> None:
    values = {"op": int(ExecuteOp.ADD)}
    encode(Queue.EXECUTE, values)
    assert values == {"op": int(ExecuteOp.ADD)}
