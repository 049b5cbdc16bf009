"""Both views of the PE grid, cycle by cycle, at every width; and that a difference is found."""

import pytest

from hwgen.simulation_view import grid_view
from sim.spec.accelerator import AcceleratorConfig
from testbench import equivalence
from testbench.equivalence import compare_views

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

CYCLES = 5000


def config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with 16 vectors per bank or more, and 16 rows per register file or more."""
    return AcceleratorConfig(
        pes_x=pes_x,
        pes_y=pes_y,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=max(1, 16 * lanes * simd // 1024),
        register_file_kb=max(1, 128 * simd // 1024),
        io_bandwidth_gbps=1.0,
        clock_mhz=100,
    )


@pytest.mark.parametrize(
    "shape",
    [
        (2, 2, 2, 4),
        (1, 2, 3, 4),
        (3, 1, 1, 8),
        (1, 1, 4, 16),
        (1, 2, 1, 32),
        (2, 1, 1, 64),
        (1, 1, 1, 128),
    ],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_views_agree_in_every_cycle(shape: tuple[int, int, int, int]) -> None:
    for seed in (1, 2):
        comparison = compare_views(config(*shape), seed=seed, cycles=CYCLES)
        assert comparison.different == ()
        assert comparison.compared >= CYCLES


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("<< left[k]", "<< left[0]"),
        ("tail[k] = result[k]", "tail[k] = drain_0[k]"),
        ("source = target - 4", "source = target"),
        ("vector[n][1 + i]", "vector[n][2 + i]"),
        ("accumulator[k] = saved[k] + dot[k]", "accumulator[k] = dot[k]"),
        ("$signed(window_2[k]) : 8'sh80", "$signed(window_2[k]) : 8'sh81"),
        ("accumulator[k] = $signed(dot[k][7:0])", "accumulator[k] = dot[k]"),
        ("$signed(accumulator[k][7:0]) > $signed", "accumulator[k][7:0] > $signed"),
    ],
    ids=["shift", "drain", "halo", "operand", "restore", "tap", "least", "larger"],
)
def test_a_difference_is_found(line: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: AcceleratorConfig, module: str) -> str:
        text = grid_view(config, module)
        assert line in text
        return text.replace(line, wrong)

    monkeypatch.setattr(equivalence, "grid_view", broken)
    comparison = compare_views(config(2, 2, 2, 4), seed=1, cycles=CYCLES)
    assert comparison.different
    assert comparison.compared < CYCLES
