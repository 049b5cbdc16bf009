"""Memories as values: their ranges, and their way through text, files and records."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from sim.spec.dram import DRAM_PRESETS
from sim.spec.errors import DesignFileError
from sim.spec.memories import DETERMINISTIC, DRAM, LIMITS, FixedLatency, MemorySystem
from sim.spec.memory_record import MEMORY_NAMES, memory_of, parse_memory

SLOW = FixedLatency(latency=40, outstanding=4, width_bytes=8, clock_mhz=333, burst_gap=2)


@pytest.mark.parametrize(
    "memory",
    [DETERMINISTIC, SLOW, FixedLatency(write_latency=7), *DRAM_PRESETS.values()],
    ids=str,
)
def test_a_memory_is_read_again_from_its_record_and_from_its_text(memory: MemorySystem) -> None:
    assert memory_of(json.loads(json.dumps(memory.to_json()))) == memory
    assert parse_memory(str(memory)) == memory


def test_values_in_a_line_are_those_of_the_fields() -> None:
    assert parse_memory("latency=40,outstanding=4") == FixedLatency(latency=40, outstanding=4)
    assert str(SLOW) == "latency=40,outstanding=4,width_bytes=8,clock_mhz=333,burst_gap=2"
    assert LIMITS.keys() == {field.name for field in fields(FixedLatency)}


def test_names_stand_for_memories() -> None:
    assert parse_memory("deterministic") == FixedLatency()
    assert parse_memory("dram") == DRAM == parse_memory("lpddr4-3200")
    assert all(parse_memory(name) for name in MEMORY_NAMES)


@pytest.mark.parametrize("name", LIMITS)
def test_every_field_has_a_range(name: str) -> None:
    low, high = LIMITS[name]
    assert getattr(FixedLatency(**{name: low}), name) == low
    assert getattr(FixedLatency(**{name: high}), name) == high
    for value in (low - 1, high + 1, 2.0, True):
        line = f"{name} must be an integer in {low} … {high}, not {value!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            FixedLatency(**{name: value})  # type: ignore[arg-type]  # that is the point


def test_widths_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match=r"^width_bytes must be a power of two, not 12$"):
        FixedLatency(width_bytes=12)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "sram",
            f"memory must be {', '.join(MEMORY_NAMES)}, a .toml file or values as "
            "latency=40,outstanding=4, not 'sram'",
        ),
        ("latency=x", "memory.latency must be an integer, not 'x'"),
        ("latency=0", "memory.latency must be an integer in 1 … 4096, not 0"),
        ("latency=1,latency=2", "memory must give latency once, not 'latency=1,latency=2'"),
        ("delay=3", "memory has no field 'delay'"),
        ("absent.toml", "memory file absent.toml cannot be read: No such file or directory"),
    ],
)
def test_a_text_that_is_no_memory_is_refused_in_a_line(text: str, line: str) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "memory must be an object, not []"),
        ({}, "memory.kind must be one of fixed_latency, dram, queued, not None"),
        ({"kind": "fixed_latency", "latency": "9"}, "memory.latency must be an integer, not '9'"),
        (
            {"kind": "fixed_latency", "burst_gap": None},
            "memory.burst_gap must be an integer, not None",
        ),
        ({"kind": "fixed_latency", "delay": 9}, "memory has no field 'delay'"),
    ],
)
def test_a_record_that_is_no_memory_is_refused_in_a_line(data: object, line: str) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        memory_of(data)


def test_a_file_names_the_kind_and_the_values(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text('kind = "fixed_latency"\nlatency = 40\nclock_mhz = 333\n')
    assert parse_memory(str(path)) == FixedLatency(latency=40, clock_mhz=333)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("latency = ", "must be TOML: Invalid value (at end of document)"),
        ("latency = 3", ": memory.kind must be one of fixed_latency, dram, queued, not None"),
        (
            'kind = "fixed_latency"\nlatency = 0',
            ": memory.latency must be an integer in 1 … 4096, not 0",
        ),
    ],
)
def test_a_file_that_is_no_memory_is_refused_by_its_name(
    tmp_path: Path, content: str, line: str
) -> None:
    path = tmp_path / "board.toml"
    path.write_text(content)
    between = " " if line.startswith("must") else ""
    with pytest.raises(
        DesignFileError, match=f"^{re.escape(f'memory file {path}{between}{line}')}$"
    ):
        parse_memory(str(path))
