"""The accelerator's parameters: checks, derived values, JSON."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from fractions import Fraction
from typing import Any

import pytest

from sim.spec.accelerator import MAX_ACCUMULATOR_ROWS, AcceleratorConfig
from sim.spec.errors import CosilicoError, DesignFileError

EDGE: dict[str, Any] = {
    "pes_x": 4,
    "pes_y": 4,
    "simd_units": 64,
    "compute_lanes": 4,
    "local_memory_kb": 2048,
    "register_file_kb": 32,
    "io_bandwidth_gbps": 20.0,
    "clock_mhz": 800,
}
TINY: dict[str, Any] = {
    "pes_x": 3,
    "pes_y": 2,
    "simd_units": 8,
    "compute_lanes": 2,
    "local_memory_kb": 16,
    "register_file_kb": 4,
    "io_bandwidth_gbps": 0.8,
    "clock_mhz": 200,
}
NAMES = sorted(EDGE)
INTEGERS = [name for name in NAMES if name != "io_bandwidth_gbps"]


def test_edge_baseline_has_the_published_size() -> None:
    config = AcceleratorConfig(**EDGE)
    assert config.pes == 16
    assert config.macs == 16384
    assert config.vector_bytes == 64
    assert config.row_bytes == 256
    assert config.bank_depth == 8192
    assert config.register_file_rows == 128
    assert config.accumulator_rows == 16
    assert config.weight_rows == 56
    assert config.requantizer_width == 16
    assert config.bytes_per_cycle == 25
    assert config.bus_bytes == 32


def test_tiny_configuration_derives_its_sizes() -> None:
    config = AcceleratorConfig(**TINY)
    assert config.pes == 6
    assert config.macs == 6 * 2 * 8 * 4
    assert config.bank_depth == 16 * 1024 // (2 * 8)
    assert config.register_file_rows == 4 * 1024 // 32
    assert config.weight_rows == (128 - 16) // 2
    assert config.requantizer_width == 2
    assert config.bytes_per_cycle == 4
    assert config.bus_bytes == 4


@pytest.mark.parametrize(
    ("simd_units", "register_file_kb", "accumulators", "weights"),
    [
        (64, 8, 8, 12),
        (128, 8, 4, 6),
        (128, 1, 1, 0),
        (64, 1, 1, 1),
        (32, 1, 2, 3),
        (4, 16, 16, 504),
    ],
)
def test_a_register_file_holds_accumulators_and_two_halves_of_weights(
    simd_units: int, register_file_kb: int, accumulators: int, weights: int
) -> None:
    changes = {"simd_units": simd_units, "register_file_kb": register_file_kb}
    config = AcceleratorConfig(**EDGE | changes)
    assert config.accumulator_rows == accumulators
    assert config.weight_rows == weights
    assert accumulators + 2 * weights <= max(1, config.register_file_rows)


def test_no_register_file_wastes_more_than_a_row_or_uses_more_than_it_has() -> None:
    for simd in (4, 8, 16, 32, 64, 128):
        for kilobytes in range(1, 130):
            changes = {"simd_units": simd, "register_file_kb": kilobytes}
            config = AcceleratorConfig(**EDGE | changes)
            used = config.accumulator_rows + 2 * config.weight_rows
            assert 1 <= config.accumulator_rows <= MAX_ACCUMULATOR_ROWS
            assert config.register_file_rows - 1 <= used
            assert used <= config.register_file_rows or config.register_file_rows == 0


@pytest.mark.parametrize(
    ("gbps", "clock_mhz", "earn", "cost"),
    [
        (5, 800, 25, 32),
        (10, 800, 25, 32),
        (15, 800, 75, 128),
        (20, 800, 25, 32),
        (25, 800, 125, 128),
        (0.4, 200, 1, 1),
        (3.2, 200, 1, 1),
        (0.1, 200, 1, 2),
        (0.6, 200, 3, 4),
        (1.1, 300, 11, 12),
        (0.001, 800, 1, 800),
    ],
)
def test_pacing_is_the_share_of_cycles_that_move_a_beat(
    gbps: float, clock_mhz: int, earn: int, cost: int
) -> None:
    config = AcceleratorConfig(**EDGE | {"io_bandwidth_gbps": gbps, "clock_mhz": clock_mhz})
    assert config.pacing == (earn, cost)
    assert Fraction(earn, cost) * config.bus_bytes == config.bytes_per_cycle
    assert earn <= cost


@pytest.mark.parametrize(
    ("gbps", "clock_mhz", "per_cycle", "bus_bytes"),
    [
        (5, 800, Fraction(25, 4), 8),
        (10, 800, Fraction(25, 2), 16),
        (25, 800, Fraction(125, 4), 32),
        (0.4, 200, Fraction(2), 2),
        (3.2, 200, Fraction(16), 16),
        (0.1, 200, Fraction(1, 2), 1),
        (1.1, 300, Fraction(11, 3), 4),
    ],
)
def test_bandwidth_is_exact_and_the_bus_the_next_power_of_two(
    gbps: float, clock_mhz: int, per_cycle: Fraction, bus_bytes: int
) -> None:
    config = AcceleratorConfig(**EDGE | {"io_bandwidth_gbps": gbps, "clock_mhz": clock_mhz})
    assert config.bytes_per_cycle == per_cycle
    assert config.bus_bytes == bus_bytes


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", [2.0, "2", True, None])
def test_refuses_what_is_not_an_integer(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be an integer, not {value!r}$"):
        AcceleratorConfig(**EDGE | {name: value})


@pytest.mark.parametrize("value", ["2", True, None])
def test_refuses_a_bandwidth_that_is_not_a_number(value: object) -> None:
    with pytest.raises(TypeError, match=rf"^io_bandwidth_gbps must be a number, not {value!r}$"):
        AcceleratorConfig(**EDGE | {"io_bandwidth_gbps": value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1])
def test_refuses_what_is_not_positive(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be positive, not {value}$"):
        AcceleratorConfig(**EDGE | {name: value})


def test_refuses_a_bandwidth_of_nan() -> None:
    with pytest.raises(ValueError, match=r"^io_bandwidth_gbps must be positive, not nan$"):
        AcceleratorConfig(**EDGE | {"io_bandwidth_gbps": float("nan")})


def test_is_immutable_and_hashable() -> None:
    config = AcceleratorConfig(**EDGE)
    with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'pes_x'$"):
        config.pes_x = 1  # type: ignore[misc]  # the assignment is the test
    assert len({config, AcceleratorConfig(**EDGE), AcceleratorConfig(**TINY)}) == 2


def test_json_round_trip_keeps_every_field() -> None:
    for data in (EDGE, TINY):
        config = AcceleratorConfig(**data)
        text = json.dumps(config.to_json())
        assert AcceleratorConfig.from_json(json.loads(text)) == config
        names = [field.name for field in fields(AcceleratorConfig)]
        stored = replace(config, weight_store_kb=64, activation_table=1)
        assert list(stored.to_json()) == names
        assert AcceleratorConfig.from_json(json.loads(json.dumps(stored.to_json()))) == stored
        optional = ("weight_store_kb", "activation_table")
        assert list(config.to_json()) == [name for name in names if name not in optional]


def test_fingerprint_tells_every_field_apart() -> None:
    config = AcceleratorConfig(**EDGE)
    others = [replace(config, **{name: 2 * EDGE[name]}) for name in NAMES]
    others += [replace(config, weight_store_kb=size) for size in (1, 1024)]
    others.append(replace(config, activation_table=1))
    prints = {other.fingerprint for other in [config, *others]}
    assert len(prints) == len(NAMES) + 4
    assert all(0 <= value < 2**32 for value in prints)


def test_fingerprint_does_not_depend_on_how_the_bandwidth_was_written() -> None:
    whole = AcceleratorConfig(**EDGE | {"io_bandwidth_gbps": 20})
    assert whole.fingerprint == AcceleratorConfig(**EDGE).fingerprint
    assert whole == AcceleratorConfig(**EDGE)


def test_fingerprint_is_pinned() -> None:
    """Programs and calibrations on disk bear it: it must not change unnoticed."""
    assert AcceleratorConfig(**EDGE).fingerprint == 0x1A83AEDC


def test_a_weight_store_is_rows_of_a_register_file() -> None:
    config = AcceleratorConfig(**TINY, weight_store_kb=16)
    assert config.store_rows == 16 * 1024 // config.row_bytes
    assert replace(config, weight_store_kb=0).store_rows == 0
    with pytest.raises(ValueError, match=r"^weight_store_kb must be 0 or positive, not -1$"):
        replace(config, weight_store_kb=-1)
    with pytest.raises(TypeError, match=r"^weight_store_kb must be an integer, not True$"):
        replace(config, weight_store_kb=True)


def test_activation_tables_are_there_or_not() -> None:
    config = AcceleratorConfig(**TINY)
    assert config.activation_table == 0
    for value in (-1, 2):
        with pytest.raises(ValueError, match=rf"^activation_table must be 0 or 1, not {value}$"):
            replace(config, activation_table=value)


@pytest.mark.parametrize("data", [[1], "edge", None])
def test_json_must_be_an_object(data: object) -> None:
    with pytest.raises(DesignFileError) as caught:
        AcceleratorConfig.from_json(data)
    assert str(caught.value) == f"accelerator must be an object, not {data!r}"


def test_json_must_not_have_other_fields() -> None:
    with pytest.raises(DesignFileError, match=r"^accelerator has no field 'pes_z'$"):
        AcceleratorConfig.from_json(EDGE | {"pes_z": 1})


@pytest.mark.parametrize("name", NAMES)
def test_json_must_have_every_field(name: str) -> None:
    data = {key: value for key, value in EDGE.items() if key != name}
    with pytest.raises(DesignFileError, match=rf"^accelerator\.{name} must be given$"):
        AcceleratorConfig.from_json(data)


def test_json_values_are_checked_too() -> None:
    with pytest.raises(DesignFileError, match=r"^accelerator\.pes_x must be positive, not 0$"):
        AcceleratorConfig.from_json(EDGE | {"pes_x": 0})
    with pytest.raises(DesignFileError, match=r"^accelerator\.pes_y must be an integer, not '4'$"):
        AcceleratorConfig.from_json(EDGE | {"pes_y": "4"})


def test_design_file_errors_are_faults_of_the_input() -> None:
    assert issubclass(DesignFileError, CosilicoError)
