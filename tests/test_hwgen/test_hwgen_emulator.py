"""Compiler against the integer reference, through the functional emulator (no RTL)."""

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from bordered_networks import bordered_networks
from chain_cases import draw_chains
from emulator import Emulator
from hwgen.program import compile_design
from sampled import sampled
from sim import golden
from sim.arrays.plan_columns import Failure, LayerPlan, TensorPlan
from sim.arrays.tables import COLUMNS, LayerColumn
from sim.networks.named import named_network
from sim.plan import Mapped, map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, ExecuteOp, Queue
from sim.spec.design import Design
from sim.spec.header import HEADER_BYTES
from sim.spec.network import PRODUCT_KINDS, Layer, LayerKind, Network, Padding
from sim.spec.spaces import EDGE, TINY
from stress_cases import draw_stress
from testbench.cases.layers import padded, pool, random_tensor
from testbench.cases.random_networks import Case, draw_cases
from testbench.cases.tabled import tabled
from testbench.rtl.activations import assemble_activations


@cache
def tiny_cases() -> list[Case]:
    return draw_cases(45, TINY, 11)


@cache
def edge_cases() -> list[Case]:
    return draw_cases(30, EDGE, 11, max_macs=32768)


@cache
def stress() -> list[Case]:
    return draw_stress(190, 16)


@cache
def chains() -> list[Case]:
    return draw_chains(list(dict.fromkeys(case.config for case in tiny_cases() + edge_cases())), 11)


def assert_equals_reference(
    config: AcceleratorConfig, network: Network, seed: int = 0, runs: int = 1, batch: int = 1
) -> None:
    shape = (runs * batch, *network.input.shape)
    images = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
    program = compile_design(Design(network=network, accelerator=config), batch)
    emulator = Emulator(config, program)
    expected = golden.run(network, images)
    for first in range(0, len(images), batch):
        own = slice(first, first + batch)
        outputs, dumps = emulator.run(images[own])
        raw = b"".join(dump for index in sorted(dumps) for dump in dumps[index])
        activations = assemble_activations(
            config, network, program.probes, np.frombuffer(raw, np.int8)[None]
        )
        for index, layer in enumerate(network.layers):
            np.testing.assert_array_equal(activations[index], expected[layer.name][own], layer.name)
        np.testing.assert_array_equal(outputs, expected[network.output.name][own])


FAMILIES = {
    "tiny": (tiny_cases, 45),
    "edge": (edge_cases, 30),
    "stress": (stress, 190),
    "chain": (chains, 25),
}
"""Cases, which are drawn when a test first asks for them, and how many."""


@pytest.mark.parametrize(
    ("family", "index"),
    sampled(
        ((family, index) for family, (_, count) in FAMILIES.items() for index in range(count)),
        lambda case: case[1] % 3 == 0,
        fields=True,
    ),
)
def test_every_activation_of_a_compiled_network_equals_the_reference(
    family: str, index: int
) -> None:
    case = FAMILIES[family][0]()[index]
    assert_equals_reference(case.config, case.network, case.image_seed, batch=case.batch)


def test_every_drawn_case_is_compared() -> None:
    for draw, count in FAMILIES.values():
        assert len(draw()) == count


@pytest.mark.parametrize("number", sampled([4, 12], lambda number: number == 4))
def test_an_image_leaves_nothing_behind_for_the_next(number: int) -> None:
    for case in stress()[:number] + chains()[: number // 4]:
        assert_equals_reference(case.config, case.network, case.image_seed, 3, case.batch)


def test_the_drawn_cases_cover_spills_passes_partial_tiles_and_grids() -> None:
    for cases in (tiny_cases(), edge_cases()):
        assert any(case.partial_tile for case in cases)
        assert any(case.config.pes_x != case.config.pes_y for case in cases)
        assert any(case.config.compute_lanes == 1 for case in cases)
        assert any(case.pixels > 1 for case in cases)
        assert any(case.splits > 1 for case in cases)
    assert any(case.spills for case in tiny_cases())
    assert any(case.passes > 1 for case in tiny_cases())
    assert {case.config.pes_x for case in edge_cases()} >= {1, 6}


def test_the_deep_networks_cover_skips_that_stay_and_skips_that_spill() -> None:
    assert len(chains()) >= 8
    assert any(case.spills for case in chains())
    assert any(not case.spills for case in chains())


def layers_of(mapped: Mapped, op: ExecuteOp) -> NDArray[np.bool_]:
    return np.equal(mapped.layers[:, LayerColumn.OP], op)


def halos(mapped: Mapped) -> NDArray[np.bool_]:
    columns = range(LayerPlan.HALO_TOP, LayerPlan.HALO_RIGHT + 1)
    return np.array([row[columns].any() for row in mapped.layer_plan])


def plan(mapped: Mapped, column: LayerPlan) -> NDArray[np.int64]:
    return mapped.layer_plan[:, column]


def fewest(case: Case, mapped: Mapped) -> NDArray[np.int64]:
    """Lanes of a PE that work on a pixel, by EXECUTE."""
    return np.int64(case.config.compute_lanes) // executes(mapped, "pixels")


def is_pool(mapped: Mapped, *, reads: bool) -> NDArray[np.bool_]:
    """Whether a layer pools windows; with ``reads``, of a resident tensor with halos."""
    shared = np.equal(mapped.layers[:, LayerColumn.SHARED], 1)
    pools: NDArray[np.bool_] = layers_of(mapped, ExecuteOp.DEPTHWISE) & shared
    if not reads:
        return pools
    columns = range(TensorPlan.HALO_TOP, TensorPlan.HALO_RIGHT + 1)
    sources = mapped.tensor_plan[mapped.layers[:, LayerColumn.INPUT]]
    resident = mapped.layer_plan[:, LayerPlan.LOADED] == 0
    kept: NDArray[np.bool_] = pools & resident & sources[:, columns].any(axis=1)
    return kept


def executes(mapped: Mapped, name: str) -> NDArray[np.int64]:
    column: NDArray[np.int64] = mapped.rows[:, COLUMNS[name]]
    return np.compress(mapped.rows[:, COLUMNS["queue"]] == Queue.EXECUTE, column)


MAPPINGS: dict[str, Callable[[Case, Mapped], bool]] = {
    "windows in vectors": lambda case, m: m.network is not case.network,
    "narrow pixels": lambda case, m: bool(
        (m.tensor_plan[:, TensorPlan.PIXEL_BYTES] < case.config.simd_units).any()
    ),
    "bus wider than a vector": lambda case, m: case.config.bus_bytes > case.config.simd_units,
    "pixel lanes of CONV": lambda case, m: bool(
        (layers_of(m, ExecuteOp.CONV) & (plan(m, LayerPlan.PIXELS) > 1)).any()
    ),
    "pixel lanes of ADD": lambda case, m: bool(
        (layers_of(m, ExecuteOp.ADD) & (plan(m, LayerPlan.PIXELS) > 1)).any()
    ),
    "pixel lanes, last set partial": lambda case, m: bool(
        (executes(m, "window_columns") % executes(m, "pixels") > 0).any()
    ),
    "pixel lanes with halos": lambda case, m: bool(
        (halos(m) & (plan(m, LayerPlan.PIXELS) > 1)).any()
    ),
    "two splits": lambda case, m: 2 in plan(m, LayerPlan.SPLITS),
    "more splits": lambda case, m: case.splits > 2,
    "splits between tap rows": lambda case, m: bool(
        (
            layers_of(m, ExecuteOp.CONV)
            & (plan(m, LayerPlan.SPLIT_TAP_ROWS) < m.layers[:, LayerColumn.KERNEL_Y])
        ).any()
    ),
    "splits between tap columns": lambda case, m: bool(
        (
            layers_of(m, ExecuteOp.CONV)
            & (plan(m, LayerPlan.SPLIT_TAP_COLUMNS) < m.layers[:, LayerColumn.KERNEL_X])
        ).any()
    ),
    "splits within a channel group": lambda case, m: bool((executes(m, "first_quad") > 0).any()),
    "splits with halos": lambda case, m: bool((halos(m) & (plan(m, LayerPlan.SPLITS) > 1)).any()),
    "splits of pixel lanes": lambda case, m: bool(
        ((plan(m, LayerPlan.PIXELS) > 1) & (plan(m, LayerPlan.SPLITS) > 1)).any()
    ),
    "blocks of rows": lambda case, m: bool(
        (plan(m, LayerPlan.BLOCK_ROWS) < plan(m, LayerPlan.TILE_Y)).any()
    ),
    "blocks of columns": lambda case, m: bool(
        (plan(m, LayerPlan.BLOCK_COLUMNS) < plan(m, LayerPlan.TILE_X)).any()
    ),
    "restored set drained first": lambda case, m: bool(
        ((executes(m, "restore") == 1) & (executes(m, "wait_drain") == 1)).any()
    ),
    "chunks of rounds": lambda case, m: bool(
        (plan(m, LayerPlan.CHUNK) < plan(m, LayerPlan.ROUNDS)).any()
    ),
    "depthwise in the window ring": lambda case, m: bool((executes(m, "window") == 1).any()),
    "row lead": lambda case, m: bool((executes(m, "row_lead") > 0).any()),
    "depthwise beyond the window ring": lambda case, m: bool(
        ((executes(m, "op") == ExecuteOp.DEPTHWISE) & (executes(m, "window") == 0)).any()
    ),
    "largest taps in the window ring": lambda case, m: bool(
        ((executes(m, "maximum") == 1) & (executes(m, "window") == 1)).any()
    ),
    "largest taps beyond the window ring": lambda case, m: bool(
        ((executes(m, "maximum") == 1) & (executes(m, "window") == 0)).any()
    ),
    "pools of windows with halos": lambda case, m: bool((halos(m) & is_pool(m, reads=False)).any()),
    "pools of windows of a tensor with halos": lambda case, m: bool(is_pool(m, reads=True).any()),
    "pools of windows with rounds": lambda case, m: bool(
        (is_pool(m, reads=False) & (plan(m, LayerPlan.ROUNDS) > 1)).any()
    ),
    "images together": lambda case, m: bool((plan(m, LayerPlan.IMAGES) > 1).any()),
    "images one after another": lambda case, m: bool(
        (plan(m, LayerPlan.IMAGES) < case.batch).any()
    ),
    "images together behind others": lambda case, m: (
        len(set(plan(m, LayerPlan.IMAGES).tolist())) > 1
    ),
    "images share accumulator rows": lambda case, m: bool(
        (executes(m, "accumulator_row") > 0).any()
    ),
    "more images than accumulator rows": lambda case, m: bool(
        (
            (plan(m, LayerPlan.SPLITS) > 1)
            & (plan(m, LayerPlan.IMAGES) > case.config.accumulator_rows)
        ).any()
    ),
    "PE columns split channel groups": lambda case, m: bool((plan(m, LayerPlan.SPREAD) > 1).any()),
    "the last PE column has fewer groups": lambda case, m: bool(
        ((executes(m, "spread") == 1) & (executes(m, "lanes") % fewest(case, m) > 0)).any()
    ),
    "depthwise over PE columns": lambda case, m: bool(
        (layers_of(m, ExecuteOp.DEPTHWISE) & (plan(m, LayerPlan.SPREAD) > 1)).any()
    ),
    "POOL of rows only": lambda case, m: bool(
        (layers_of(m, ExecuteOp.POOL) & (plan(m, LayerPlan.SPREAD) > 0)).any()
    ),
    "splits over PE columns": lambda case, m: bool(
        ((plan(m, LayerPlan.SPREAD) > 1) & (plan(m, LayerPlan.SPLITS) > 1)).any()
    ),
    "tiles to strips": lambda case, m: bool(
        ((plan(m, LayerPlan.SOURCES) > 1) & (plan(m, LayerPlan.IN_STRIPS) == 0)).any()
    ),
    "strips to strips by pixels": lambda case, m: bool(
        (
            (plan(m, LayerPlan.SOURCES) > 1)
            & (plan(m, LayerPlan.SPREAD) == 0)
            & (plan(m, LayerPlan.IN_STRIPS) == 1)
        ).any()
    ),
    "strips to tiles": lambda case, m: bool(
        ((plan(m, LayerPlan.SOURCES) == 0) & (plan(m, LayerPlan.IN_STRIPS) == 1)).any()
    ),
    "strips with halos": lambda case, m: bool((halos(m) & (plan(m, LayerPlan.SOURCES) > 1)).any()),
    "loaded strips": lambda case, m: bool(
        ((plan(m, LayerPlan.LOADED) == 1) & (plan(m, LayerPlan.IN_STRIPS) == 1)).any()
    ),
    "passes": lambda case, m: case.passes > 1,
    "spills": lambda case, m: case.spills,
}
"""Situations into which short register files, banks and buses bring the mapper."""


def test_the_stress_cases_meet_every_kind_of_mapping() -> None:
    pairs = [(case, map_network(case.config, case.network, case.batch)) for case in stress()]
    for name, holds in MAPPINGS.items():
        assert sum(holds(*pair) for pair in pairs) >= 2, name


@pytest.mark.parametrize("seed", [4, 7])
def test_sources_may_fill_a_part_of_the_banks_each(seed: int) -> None:
    """PE columns split channel groups, and lanes split pixels."""

    def holds(case: Case) -> bool:
        own = map_network(case.config, case.network, case.batch).layer_plan
        return bool(((own[:, LayerPlan.SPREAD] > 1) & (own[:, LayerPlan.PIXELS] > 1)).any())

    case = next(filter(holds, draw_stress(120, seed)))
    assert_equals_reference(case.config, case.network, case.image_seed, batch=case.batch)


def pooled(kernel: tuple[int, int], padding: Padding, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    source = random_tensor("input", 5, 5, 6, rng)
    first = pool("pool", source)
    layers: tuple[Layer, ...] = (
        first,
        padded("layer", LayerKind.CONV, first.output, kernel, (1, 1), padding, rng, 9),
    )
    return Network(name="pooled", input=source, layers=layers)


@pytest.mark.parametrize("pes", [1, 2, 3])
@pytest.mark.parametrize(
    "padding",
    [
        Padding(top=1, bottom=2, left=1, right=2),
        Padding(top=2, bottom=2, left=2, right=2),
        Padding(top=1, bottom=1, left=0, right=4),
    ],
)
def test_a_pooled_pixel_serves_the_windows_of_every_pe(pes: int, padding: Padding) -> None:
    """POOL pushes no halo, but a pixel with wide padding lies in the windows of several PEs."""
    config = dataclasses.replace(TINY.default, pes_x=pes, pes_y=pes)
    for seed in range(4):
        assert_equals_reference(config, pooled((3, 3), padding, seed), seed)


def test_rows_that_are_computed_apart_equal_the_reference() -> None:
    apart = 0
    for index, (config, network) in enumerate(bordered_networks(30, 3)):
        mapped = map_network(config, network)
        if mapped.failure is Failure.NONE and mapped.layer_plan[0, LayerPlan.BORDER_TOP]:
            apart += 1
            assert_equals_reference(config, network, index, batch=1 + index % 2)
    assert apart > 5


def test_rows_of_sums_that_are_computed_apart_equal_the_reference() -> None:
    """Both operands of ADD begin where the block of rows does."""
    network = named_network("resnet8", 0)
    config = dataclasses.replace(
        TINY.default, pes_x=4, pes_y=2, compute_lanes=4, simd_units=16, local_memory_kb=32,
        register_file_kb=1, io_bandwidth_gbps=1.6,
    )  # fmt: skip
    mapped = map_network(config, network)
    sums = layers_of(mapped, ExecuteOp.ADD)
    assert (sums & (mapped.layer_plan[:, LayerPlan.BORDER_TOP] > 0)).any()
    assert_equals_reference(config, network)


def test_layers_with_activation_tables_equal_the_reference() -> None:
    """Some of a network's layers, whose tables take turns; of a batch image after image, and together."""
    kinds = set()
    for family in (tiny_cases()[::3], chains()[::5]):
        for case in family:
            config = dataclasses.replace(case.config, activation_table=1)
            network = tabled(case.network, np.random.default_rng(case.image_seed))
            kinds |= {layer.kind for layer in network.layers if layer.table is not None}
            assert_equals_reference(config, network, case.image_seed, 2, case.batch)
    assert kinds == {*LayerKind} - {*PRODUCT_KINDS}


def test_a_program_of_another_configuration_is_refused() -> None:
    case = tiny_cases()[0]
    program = compile_design(Design(network=case.network, accelerator=case.config))
    other = dataclasses.replace(case.config, clock_mhz=case.config.clock_mhz + 1)
    with pytest.raises(ValueError, match=r"^the program is not for this configuration$"):
        Emulator(other, program).run(case.images[:1])


def test_refuses_a_damaged_descriptor_by_its_number() -> None:
    case = tiny_cases()[0]
    program = compile_design(Design(network=case.network, accelerator=case.config))
    image = bytearray(program.image)
    image[program.header_address + HEADER_BYTES + DESCRIPTOR_BYTES] ^= (
        0x80  # of the second descriptor
    )
    emulator = Emulator(case.config, dataclasses.replace(program, image=bytes(image)))
    with pytest.raises(ValueError, match=r"^descriptor 1 must have the CRC-32 0x[0-9a-f]{8}$"):
        emulator.run(case.images[:1])
