"""Both views of the PE grid, cycle by cycle, at every width; and that a difference is noticed."""

import pytest

import view_equivalence
from accelerators import small_accelerator
from hwgen.simulation_view import grid_view
from sim.spec.accelerator import AcceleratorConfig
from view_equivalence import ViewPair, build_views

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

CYCLES = 5000


def config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with 16 vectors per bank or more, and 16 rows per register file or more.

    Those of two rows have a weight store, so that each column of PEs takes rows of its own; those of four lanes have
    activation tables.
    """
    return small_accelerator(
        pes_y,
        pes_x,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=max(1, 16 * lanes * simd // 1024),
        register_file_kb=max(1, 128 * simd // 1024),
        io_bandwidth_gbps=1.0,
        clock_mhz=100,
        weight_store_kb=1 if pes_y == 2 else 0,
        activation_table=1 if lanes == 4 else 0,
    )


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((2, 2, 2, 4), marks=pytest.mark.long),  # that of the faults, without them
        pytest.param((1, 2, 4, 4), marks=pytest.mark.long),
        (3, 1, 1, 8),
        pytest.param((1, 1, 4, 16), marks=pytest.mark.long),
        pytest.param((1, 2, 1, 32), marks=pytest.mark.long),
        pytest.param((2, 1, 1, 64), marks=pytest.mark.long),
        pytest.param((1, 1, 1, 128), marks=pytest.mark.long),
    ],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_views_agree_in_every_cycle(shape: tuple[int, int, int, int]) -> None:
    views = build_views(config(*shape))
    for seed in (1, 2):
        comparison = views.compare(seed=seed, cycles=CYCLES)
        assert comparison.different == ()
        assert comparison.compared >= CYCLES


FAULTS = {
    "shift": ("<< left_0[k]", "<< ({} ? left_0[0] : left_0[k])"),
    "drain": ("tail[k] = result[k]", "tail[k] = {} ? drain_0[k] : result[k]"),
    "halo": ("source = target - 4", "source = {} ? target : target - 4"),
    "operand": ("vector[n][1 + i]", "vector[n][{} ? 2 + i : 1 + i]"),
    "row": ("weight_memory[source]", "weight_memory[{} ? n : source]"),
    "restore": (
        "accumulator[k] = saved[k] + dot[k]",
        "accumulator[k] = {} ? dot[k] : saved[k] + dot[k]",
    ),
    "tap": ("control_maximum ? 32'd128", "control_maximum ? ({} ? 32'd129 : 32'd128)"),
    "least": (
        "accumulator[k] = $signed(dot[k][7:0])",
        "accumulator[k] = {} ? dot[k] : 32'($signed(dot[k][7:0]))",
    ),
    "larger": (
        "$signed(accumulator[k][7:0]) > $signed(dot[k][7:0])",
        "({} ? accumulator[k][7:0] > dot[k][7:0]"
        " : $signed(accumulator[k][7:0]) > $signed(dot[k][7:0]))",
    ),
}
"""Parts of the simulation view, and the same with a fault where `{}` holds."""

DECLARATION = "  reg exists;\n"
CHOICE = """  int unsigned fault;
  initial if (!$value$plusargs("fault=%d", fault)) fault = 0;
"""


@pytest.fixture(scope="module")
def faulty() -> ViewPair:
    """Build of both views with all faults; a run chooses a fault by number, or none."""

    def with_faults(config: AcceleratorConfig, module: str) -> str:
        text = grid_view(config, module)
        assert text.count(DECLARATION) == 1
        for number, (right, wrong) in enumerate(FAULTS.values(), 1):
            assert right in text
            text = text.replace(right, wrong.format(f"fault == {number}"))
        return text.replace(DECLARATION, DECLARATION + CHOICE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_equivalence, "grid_view", with_faults)
        return build_views(config(2, 2, 2, 4))


def test_a_build_with_faults_agrees_without_them(faulty: ViewPair) -> None:
    assert faulty.compare(seed=1, cycles=CYCLES).different == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_difference_is_found(fault: str, faulty: ViewPair) -> None:
    number = list(FAULTS).index(fault) + 1
    comparison = faulty.compare(seed=1, cycles=CYCLES, plusargs=(f"+fault={number}",))
    assert comparison.different
    assert comparison.compared < CYCLES
