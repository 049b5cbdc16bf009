"""Realizability: each rule's message, and agreement with the compiler."""

import itertools
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hwgen.emit import emit
from hwgen.program import compile_design
from sampled import sampled
from sim.cost.costs import evaluate_many
from sim.mapping.descriptor_counts import most_descriptors
from sim.plan import map_network
from sim.realizability import (
    MAX_BANK_DEPTH,
    Violation,
    arithmetic_violations,
    check,
    require,
    require_generable,
)
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError
from sim.spec.network import WINDOW_POOLS, LayerKind, Network, Padding
from sim.spec.spaces import EDGE, NAHAS, TINY
from sim.timing.clock_reach import slowest_module
from stress_cases import random_accelerator, random_windows
from testbench.cases.layers import add, fully_connected, padded, pool, random_tensor, window_pool

DEFAULT = TINY.default


@pytest.mark.parametrize(
    ("changes", "code", "detail"),
    [
        ({"pes_x": 9}, "GEN_GRID", "pes_x must be at most 8, not 9"),
        ({"simd_units": 12}, "GEN_WIDTH", "simd_units must be a power of two in 4 … 128, not 12"),
        ({"compute_lanes": 3}, "GEN_WIDTH", "compute_lanes must be a power of two in 1 … 8, not 3"),
        (
            {"local_memory_kb": 4096, "compute_lanes": 1},
            "GEN_BANK_DEPTH",
            "local_memory_kb gives banks of 524288 vectors, but they must have 2 … 262144",
        ),
        (
            {"local_memory_kb": 1, "compute_lanes": 8, "simd_units": 128},
            "GEN_BANK_DEPTH",
            "local_memory_kb gives banks of 1 vectors, but they must have 2 … 262144",
        ),
        (
            {"register_file_kb": 1, "simd_units": 128},
            "GEN_REGISTER_FILE",
            "two weight rows and an accumulator row of simd_units 128 need 1536 bytes, "
            "but register_file_kb gives 1024",
        ),
        (
            {"io_bandwidth_gbps": 6.401},
            "GEN_BUS",
            "io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32",
        ),
        (
            {"simd_units": 64, "io_bandwidth_gbps": 25.7},
            "GEN_BUS",
            "io_bandwidth_gbps needs a bus of 256 bytes, but at simd_units 64 it can have 128",
        ),
        (
            {"register_file_kb": 4096},
            "GEN_REGISTER_FILE",
            "register_file_kb gives 131072 rows, but they must be at most 65536",
        ),
        (
            {"pes_x": 8, "pes_y": 8, "simd_units": 128, "compute_lanes": 8,
             "local_memory_kb": 8192, "register_file_kb": 2},
            "GEN_MEMORY",
            "local_memory_kb and register_file_kb of all PEs and lanes give 525312 KiB, "
            "but they must have at most 524288",
        ),
        ({"clock_mhz": 10001}, "GEN_CLOCK", "clock_mhz must be at most 10000, not 10001"),
    ],
)  # fmt: skip
def test_generator_rules_name_the_limit_and_both_numbers(
    changes: dict[str, float], code: str, detail: str
) -> None:
    violations = check(replace(DEFAULT, **changes))  # type: ignore[arg-type]  # values of mixed type
    assert [violation.code for violation in violations] == [code]
    assert violations[0].detail == detail
    assert violations[0].excess > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"register_file_kb": 1, "simd_units": 64},
        {"io_bandwidth_gbps": 0.6},
        {"io_bandwidth_gbps": 0.001},
        {"io_bandwidth_gbps": 6.4},
        {"simd_units": 4, "io_bandwidth_gbps": 3.2},
        {"simd_units": 128, "io_bandwidth_gbps": 25.6},
        {"local_memory_kb": 64, "simd_units": 4, "compute_lanes": 1},
        {"local_memory_kb": 2, "compute_lanes": 8, "simd_units": 128},
        {"pes_x": 8, "pes_y": 8},
        {"register_file_kb": 2048},
        {"pes_x": 8, "pes_y": 8, "compute_lanes": 8, "simd_units": 64, "local_memory_kb": 4096,
         "register_file_kb": 512},
    ],
)  # fmt: skip
def test_the_limits_themselves_can_be_built(changes: dict[str, float]) -> None:
    assert check(replace(DEFAULT, **changes)) == []  # type: ignore[arg-type]  # mixed types


def test_the_highest_clock_is_one_that_the_slowest_module_reaches() -> None:
    slowest = slowest_module(DEFAULT)
    reached = replace(DEFAULT, clock_mhz=slowest.reach_mhz)
    assert check(reached) == []
    (violation,) = check(replace(DEFAULT, clock_mhz=slowest.reach_mhz + 1))
    assert violation.code == "PHYS_CLOCK"
    assert violation.detail == (
        f"clock_mhz must be at most {slowest.reach_mhz}, which module {slowest.module!r} reaches, "
        f"not {slowest.reach_mhz + 1}"
    )
    assert violation.excess == pytest.approx(1 / slowest.reach_mhz)


def test_a_clock_beyond_the_generators_limit_is_told_once() -> None:
    assert [v.code for v in check(replace(DEFAULT, clock_mhz=10_001))] == ["GEN_CLOCK"]
    assert [v.code for v in check(replace(DEFAULT, clock_mhz=10_000))] == ["PHYS_CLOCK"]


@pytest.mark.parametrize("name", DEFAULT.to_json())
def test_every_field_has_an_upper_rule(name: str) -> None:
    """The largest value that an accelerator's file may give is refused by name."""
    (violation, *_) = check(replace(DEFAULT, **{name: (1 << 32) - 1}))
    assert violation.detail.startswith(name)
    assert violation.excess > 0


WILD: dict[str, tuple[int, int]] = {
    "pes_x": (1, 12),
    "pes_y": (1, 12),
    "local_memory_kb": (0, 18),
    "register_file_kb": (0, 18),
    "clock_mhz": (0, 16),
}
"""Range of a value, or of its power of two for sizes and clocks."""


def wild(rng: np.random.Generator) -> AcceleratorConfig:
    """Any values that an accelerator's file may give, most of them near a limit."""

    def size(name: str) -> int:
        low, high = WILD[name]
        return int(2 ** rng.uniform(low, high))

    clock = size("clock_mhz")
    bytes_per_cycle = 2 ** rng.uniform(-14, 9)
    return AcceleratorConfig(
        pes_x=int(rng.integers(*WILD["pes_x"])),
        pes_y=int(rng.integers(*WILD["pes_y"])),
        simd_units=int(rng.choice([1, 2, 4, 8, 16, 24, 32, 64, 128, 256])),
        compute_lanes=int(rng.choice([1, 2, 3, 4, 8, 16])),
        local_memory_kb=size("local_memory_kb"),
        register_file_kb=size("register_file_kb"),
        io_bandwidth_gbps=max(1, round(clock * bytes_per_cycle)) / 1000,
        clock_mhz=clock,
    )


def test_what_passes_has_sizes_that_can_be_simulated() -> None:
    rng = np.random.default_rng(11)
    passed = []
    codes: Counter[str] = Counter()
    for _ in range(20_000):
        config = wild(rng)
        violations = check(config)
        codes.update({violation.code for violation in violations})
        if not violations:
            passed.append(config)
        assert all(violation.excess > 0 for violation in violations)
    assert len(passed) > 500
    assert min(codes.values()) > 100
    assert codes.keys() == {
        "GEN_GRID", "GEN_WIDTH", "GEN_BANK_DEPTH", "GEN_REGISTER_FILE", "GEN_MEMORY", "GEN_BUS",
        "GEN_CLOCK", "PHYS_CLOCK",
    }  # fmt: skip
    for config in passed:
        memory = config.local_memory_kb + config.compute_lanes * config.register_file_kb
        assert config.pes * memory <= 512 * 1024
        assert 1 <= config.weight_rows < 1 << 15
        assert config.bus_bytes <= min(128, config.row_bytes)
        assert config.clock_mhz * slowest_module(config).delay_ns <= 1000


@pytest.mark.slow
@pytest.mark.parametrize("most", sampled([1, 4], lambda most: most == 1))
def test_what_passes_can_be_emitted(most: int) -> None:
    """Seeded: few PEs and units, as emission takes seconds; their other values are wild."""
    rng = np.random.default_rng(12)
    emitted = 0
    while emitted < most:
        config = replace(wild(rng), pes_x=1, pes_y=1, compute_lanes=1, simd_units=4)
        if violations := check(config):
            if violations[0].code == "PHYS_CLOCK":
                require_generable(config)  # its RTL is that at a lower clock
                continue
            with pytest.raises(NotRealizableError, match=f"^{re.escape(violations[0].detail)}$"):
                emit(config)
            continue
        assert "module cosilico_top_" in emit(config)
        emitted += 1


def test_every_point_of_the_tiny_space_can_be_built() -> None:
    """With the smallest and the largest store."""
    for store in (0, 5):
        assert not any(check(config) for config in itertools.islice(TINY, store, None, 6))


@pytest.mark.parametrize(
    ("edge", "nahas"), sampled([(191, 53), (7, 1)], lambda steps: steps[0] == 191, fields=True)
)
def test_every_point_of_the_edge_spaces_can_be_built(edge: int, nahas: int) -> None:
    """The deepest banks have 262,144 vectors: 4 MiB of 16 bytes each."""
    assert max(config.bank_depth for config in NAHAS) == 262_144 == MAX_BANK_DEPTH
    assert not any(check(config) for config in itertools.islice(NAHAS, 0, None, nahas))
    assert not any(check(config) for config in itertools.islice(EDGE, 0, None, edge))


def one_layer(kind: LayerKind, height: int, width: int, channels: int, kernel: int = 1) -> Network:
    rng = np.random.default_rng(0)
    source = random_tensor("input", height, width, channels, rng)
    if kind is LayerKind.FULLY_CONNECTED:
        layer = fully_connected("layer", source, 2, rng)
    else:
        taps = (kernel, kernel)
        layer = padded("layer", kind, source, taps, (1, 1), Padding(), rng, channels)
    return Network(name="one", input=source, layers=(layer,))


def test_names_the_layer_whose_weights_do_not_fit() -> None:
    """Convolutions are split; a depthwise window needs all its taps at once."""
    small = replace(DEFAULT, simd_units=32, register_file_kb=1)
    assert check(small, one_layer(LayerKind.CONV, 7, 7, 40, kernel=7)) == []
    wide = one_layer(LayerKind.DEPTHWISE, 7, 7, 40, kernel=7)
    (violation,) = check(small, wide)
    assert violation.code == "MAP_WEIGHTS"
    assert violation.detail == (
        "weights of layer 'layer' need 13 register-file rows per lane, but register_file_kb gives 3"
    )
    assert violation.excess == pytest.approx(10 / 3)
    with pytest.raises(NotRealizableError, match=f"^{re.escape(violation.detail)}$"):
        require(small, wide)


def test_names_the_layer_whose_smallest_tile_does_not_fit() -> None:
    """All input vectors of one output pixel, and the pixel: inputs are not loaded in parts."""
    config = replace(DEFAULT, local_memory_kb=1)
    wide = one_layer(LayerKind.FULLY_CONNECTED, 9, 9, 8)
    (violation,) = check(config, wide)
    assert violation.code == "MAP_TILE"
    assert config.bank_depth == 64
    assert check(config, one_layer(LayerKind.CONV, 9, 9, 8)) == []
    assert violation.detail == (
        "the smallest tile of layer 'layer' needs 82 vectors per bank, but local_memory_kb gives 64"
    )
    assert violation.excess == pytest.approx(18 / 64)


def test_names_the_field_that_a_layer_overflows() -> None:
    config = replace(DEFAULT, pes_x=1, local_memory_kb=16)
    (violation,) = check(config, one_layer(LayerKind.CONV, 1, 5000, 4))
    assert violation.code == "MAP_FIELD"
    assert violation.detail == (
        "input width 5000 of layer 'layer' exceeds 4095: descriptor field bound_x must be in "
        "0 … 4095, not 5000"
    )
    assert violation.excess == pytest.approx(905 / 4095)


def test_names_the_side_of_the_image_that_a_field_cannot_hold() -> None:
    (violation,) = check(replace(DEFAULT, pes_y=1), one_layer(LayerKind.CONV, 5000, 1, 4))
    assert violation.detail == (
        "input height 5000 of layer 'layer' exceeds 4095: descriptor field bound_y must be in "
        "0 … 4095, not 5000"
    )


def test_a_shift_beyond_the_requantizer_is_named_before_any_mapping() -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 3, 3, 4, rng)
    layer = replace(add("layer", source, source, rng), shift=np.array([12, 0, 0], np.int32))
    (violation,) = check(DEFAULT, Network(name="shift", input=source, layers=(layer,)))
    assert violation.code == "MAP_SHIFT"
    assert violation.detail == (
        "requantization of layer 'layer' shifts left by 32, "
        "but the requantizer shifts by at most 31"
    )


@pytest.mark.parametrize("stride", [7, 8])
def test_a_stride_beyond_its_field_is_named(stride: int) -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 20, 20, 4, rng)
    taps, strides = (2, 2), (1, stride)
    layer = window_pool("layer", LayerKind.MAX_POOL, source, taps, strides, Padding(), rng)
    violations = check(DEFAULT, Network(name="one", input=source, layers=(layer,)))
    expected = [] if stride == 7 else [
        "horizontal stride 8 of layer 'layer' exceeds 7: descriptor field stride_x must be in "
        "0 … 7, not 8"
    ]  # fmt: skip
    assert [violation.detail for violation in violations] == expected
    assert {violation.code for violation in violations} <= {"MAP_FIELD"}


@pytest.mark.parametrize("kind", WINDOW_POOLS)
def test_names_the_pool_whose_taps_do_not_fit(kind: LayerKind) -> None:
    small = replace(DEFAULT, simd_units=32, register_file_kb=1)
    rng = np.random.default_rng(0)
    source = random_tensor("input", 9, 9, 40, rng)
    for kernel, codes in ((3, []), (4, ["MAP_WEIGHTS"])):
        taps = (kernel, kernel)
        layer = window_pool("layer", kind, source, taps, (1, 1), Padding(), rng)
        violations = check(small, Network(name="one", input=source, layers=(layer,)))
        assert [violation.code for violation in violations] == codes


def averages(kind: LayerKind, height: int, width: int) -> Network:
    """An average of height x width values."""
    rng = np.random.default_rng(0)
    source = random_tensor("input", height, width, 1, rng)
    if kind is LayerKind.AVERAGE_POOL:
        layer = window_pool("layer", kind, source, (height, width), (1, 1), Padding(), rng)
    else:
        layer = pool("layer", source)
    return Network(name="one", input=source, layers=(layer,))


@pytest.mark.parametrize("kind", [LayerKind.AVERAGE_POOL, LayerKind.GLOBAL_AVERAGE_POOL])
def test_a_count_beyond_the_reciprocal_is_named_before_any_mapping(kind: LayerKind) -> None:
    assert arithmetic_violations(averages(kind, 2048, 2047)) == []
    (violation,) = check(DEFAULT, averages(kind, 2048, 2048))
    assert violation.code == "MAP_COUNT"
    assert violation.detail == (
        "layer 'layer' averages 4194304 values, but the requantizer divides by at most 4194303"
    )
    assert 0 < violation.excess < 1e-6


@pytest.mark.parametrize("images", [60_000, 1 << 19, (1 << 19) + 1, 10**12, 10**30])
def test_a_batch_beyond_memory_is_named_before_it_is_listed(images: int) -> None:
    network = one_layer(LayerKind.CONV, 40, 40, 16, kernel=3)
    small = replace(DEFAULT, local_memory_kb=4)
    assert check(small, network, images=8) == []
    alone = map_network(small, network)
    most = most_descriptors(alone.layer_plan, alone.tensor_plan, small.pes, 1)
    needed = images if images > 1 << 19 else most * images
    (violation,) = check(small, network, images=images)
    assert violation.code == "MAP_PROGRAM"
    assert violation.detail == (
        f"a program of {images} images needs up to {needed} descriptors, but it may have 524288"
    )
    assert violation.excess > 0


def test_a_network_of_more_descriptors_than_memory_holds_is_named() -> None:
    network = one_layer(LayerKind.CONV, 500, 500, 64)
    small = replace(TINY.at(0), pes_x=1, pes_y=1, local_memory_kb=1)
    (violation,) = check(small, network)
    assert violation.code == "MAP_PROGRAM"
    assert re.fullmatch(
        r"a program needs up to \d+ descriptors, but it may have 524288", violation.detail
    )
    assert evaluate_many([small], network).violations == [("MAP_PROGRAM",)]


def test_area_beyond_the_budget_is_a_violation() -> None:
    (violation,) = check(DEFAULT, area_mm2=2.0, area_budget_mm2=1.0)
    assert violation.code == "PHYS_AREA"
    assert violation.excess == pytest.approx(1.0)


def test_what_passes_compiles_and_what_fails_does_not() -> None:
    rng = np.random.default_rng(3)
    codes: Counter[str] = Counter()
    for _ in range(200):
        config, made = random_accelerator(rng), random_windows(rng)
        design = Design(network=made, accelerator=config)
        violations = check(config, made)
        codes.update(violation.code for violation in violations or [Violation("", "", 0.0)])
        if violations:
            with pytest.raises(NotRealizableError, match=f"^{re.escape(violations[0].detail)}$"):
                compile_design(design)
            assert violations[0].excess > 0
        else:
            assert compile_design(design).memory_bytes > 0
    assert 40 < codes[""] < 190
    assert codes["MAP_WEIGHTS"] > 5
    assert codes["MAP_TILE"] > 5
