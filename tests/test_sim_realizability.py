"""Realizability: each rule's message, and agreement with the compiler."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hwgen.program import compile_design
from sim.realizability import check, require
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError
from sim.spec.network import LayerKind
from sim.spec.spaces import TINY
from testbench.cases import Stratum, random_network

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
            "local_memory_kb gives banks of 524288 vectors, but they must have 2 … 65536",
        ),
        (
            {"register_file_kb": 1, "simd_units": 128, "io_bandwidth_gbps": 0.2},
            None,
            None,
        ),
        (
            {"io_bandwidth_gbps": 0.6},
            "GEN_BANDWIDTH",
            "io_bandwidth_gbps must give a power of two of bytes per cycle at clock_mhz 200, not 3",
        ),
        (
            {"simd_units": 8, "io_bandwidth_gbps": 3.2},
            "GEN_BUS",
            "io_bandwidth_gbps needs a bus of 16 bytes, but simd_units gives vectors of 8",
        ),
    ],
)
def test_generator_rules_name_the_limit_and_both_numbers(
    changes: dict[str, float], code: str | None, detail: str | None
) -> None:
    found = check(replace(DEFAULT, **changes))  # type: ignore[arg-type]  # values of mixed type
    if code is None:
        assert found == []
        return
    assert [violation.code for violation in found] == [code]
    assert found[0].detail == detail
    assert found[0].excess > 0


def network(kind: LayerKind, config: AcceleratorConfig, seed: int, kernel: int = 1):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return random_network(Stratum(kind=kind, kernel=kernel, stride=1), config, rng)


def test_names_the_layer_whose_weights_do_not_fit() -> None:
    wide = network(LayerKind.CONV, replace(DEFAULT, simd_units=32), 1, kernel=5)
    small = replace(DEFAULT, register_file_kb=1)
    (violation,) = check(small, wide)
    assert violation.code == "MAP_WEIGHTS"
    assert re.fullmatch(
        r"weights of layer '\w+' need \d+ register-file rows per lane, "
        r"but register_file_kb gives 16",
        violation.detail,
    )
    with pytest.raises(NotRealizableError, match=f"^{re.escape(violation.detail)}$"):
        require(small, wide)


def test_area_beyond_the_budget_is_a_violation() -> None:
    (violation,) = check(DEFAULT, area_mm2=2.0, area_budget_mm2=1.0)
    assert violation.code == "PHYS_AREA"
    assert violation.excess == pytest.approx(1.0)


def test_what_passes_compiles_and_what_fails_does_not() -> None:
    rng = np.random.default_rng(3)
    accepted = 0
    for index in range(150):
        config = TINY.at(int(rng.integers(len(TINY))))
        made = network(LayerKind.CONV, DEFAULT, index, kernel=int(rng.choice([1, 3, 5])))
        design = Design(network=made, accelerator=config)
        if check(config, made):
            with pytest.raises(NotRealizableError):
                compile_design(design)
        else:
            accepted += 1
            assert compile_design(design).memory_bytes > 0
    assert 20 < accepted < 140
