"""Descriptors: packing, limits of every field, errors."""

import random

import numpy as np
import pytest

from sim.arrays.geometry import MAX_HALO
from sim.spec.accelerator import (
    MAX_ACCUMULATOR_ROWS,
    REQUANTIZER_PHASES,
    STORE_DISTANCE,
    WINDOW_VECTORS,
)
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
    encode_many,
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
def test_many_descriptors_at_once_are_the_same(queue: Queue) -> None:
    rng = np.random.default_rng(int(queue))
    values = {
        field.name: rng.integers(field.low, field.high + 1, 50)
        for field in FIELDS[queue]
        if field.name != "queue"
    }
    data = encode_many(queue, values, 50)
    assert data.shape == (50, DESCRIPTOR_BYTES)
    for index, descriptor in enumerate(data):
        expected = {name: int(column[index]) for name, column in values.items()}
        assert decode(descriptor.tobytes()) == expected | {"queue": queue}
    assert encode_many(queue, {name: column[:0] for name, column in values.items()}, 0).size == 0


def test_the_first_value_beyond_a_field_is_named() -> None:
    rows = np.array([1, 4096, 5000])
    with pytest.raises(ValueError, match=r"^rows must be in 0 … 4095, not 4096$"):
        encode_many(Queue.LOAD, {"rows": rows}, 3)


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


def test_a_field_of_two_queues_has_the_same_limits_in_both() -> None:
    """A schedule keeps both in one column and checks it once."""
    limits: dict[str, tuple[int, int]] = {}
    for fields in FIELDS.values():
        for field in fields:
            assert limits.setdefault(field.name, (field.low, field.high)) == (field.low, field.high)


@pytest.mark.parametrize(
    ("queue", "name", "most"),
    [
        # the widest configuration: 128 SIMD units, 8 lanes, 8 x 8 PEs, a bus of 1 to 128 bytes
        (Queue.LOAD, "lanes", 8),
        (Queue.LOAD, "lane_mask", 0xFF),
        (Queue.LOAD, "parameter_rows", REQUANTIZER_PHASES),
        (Queue.LOAD, "weight_rows", (128 * 1024 // 16 - MAX_ACCUMULATOR_ROWS) // 2),
        (Queue.LOAD, "vector_beats", 128),
        (Queue.LOAD, "pe_x", 7),
        (Queue.EXECUTE, "lanes", 8),
        (Queue.EXECUTE, "pixels", 8),
        (Queue.EXECUTE, "bank", 7),
        (Queue.EXECUTE, "out_bank", 7),
        (Queue.EXECUTE, "first_quad", 31),
        (Queue.EXECUTE, "last_quads", 32),
        # until it has drained: 8 pixels that three rows and three columns of PEs keep
        (Queue.EXECUTE, "hold", 7 + STORE_DISTANCE + 3 * 3 * 8),
        # a ring of reads, and stores in all but one of the cycles from a set's end to its first store
        (Queue.EXECUTE, "row_lead", WINDOW_VECTORS - 1 + STORE_DISTANCE - 1 - 1),
        (Queue.EXECUTE, "halo_top", MAX_HALO),
        (Queue.EXECUTE, "halo_right", MAX_HALO),
    ],
)
def test_fields_hold_what_the_widest_configuration_needs(
    queue: Queue, name: str, most: int
) -> None:
    (field,) = (field for field in FIELDS[queue] if field.name == name)
    assert field.low <= 0 <= most <= field.high


def test_a_split_with_pixel_lanes_survives() -> None:
    values = {
        "queue": int(Queue.EXECUTE),
        "pixels": 4,
        "bank": 3,
        "out_bank": 2,
        "restore": 1,
        "save": 1,
        "hold": 75,
        "window_rows": 2,
        "window_columns": 5,
        "first_row": 6,
        "first_column": 1023,
        "first_quad": 7,
        "last_quads": 9,
        "origin_y": -4096,
        "origin_x": 4095,
    }
    decoded = decode(encode(Queue.EXECUTE, values))
    assert {name: decoded[name] for name in values} == values
    assert not any(decoded[name] for name in decoded if name not in values)


def test_encode_leaves_its_argument_alone() -> None:
    values = {"op": int(ExecuteOp.ADD)}
    encode(Queue.EXECUTE, values)
    assert values == {"op": int(ExecuteOp.ADD)}
