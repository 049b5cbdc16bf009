"""Accelerators that a mapping cannot tell apart: figures that are shared are those of each alone."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from sim.alike import Alike
from sim.arrays.plan_columns import Failure
from sim.arrays.tables import Hw, accelerator_row
from sim.cost.costs import evaluate_many
from sim.mapping.mapper import plan_network
from sim.networks.named import named_network
from sim.plan import network_tables
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import TINY
from testbench.cases.random_networks import Case, draw_cases


def grid(config: AcceleratorConfig) -> Iterator[AcceleratorConfig]:
    """Memories, register files and weight stores around an accelerator's."""
    for memory, file, store in product((1, 2, 8), (1, 4, 32), (0, 1, 64)):
        yield replace(
            config,
            local_memory_kb=memory * config.local_memory_kb,
            register_file_kb=file * config.register_file_kb,
            weight_store_kb=store * config.local_memory_kb,
        )


def small_cases() -> list[Case]:
    return draw_cases(12, TINY, 71)


def test_a_grid_costs_what_each_of_its_accelerators_costs_alone() -> None:
    for case in small_cases():
        configs = tuple(grid(case.config))
        together = evaluate_many(configs, case.network)
        for row, config in enumerate(configs):
            alone = evaluate_many([config], case.network)
            assert together.violations[row] == alone.violations[0]
            assert together.excess[row] == alone.excess[0]
            assert together.row(row) == alone.row(0)


def test_few_of_a_grid_are_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return plan_network(*arguments)

    monkeypatch.setattr("sim.sweep.plan_network", counted)
    config = replace(TINY.default, register_file_kb=64, local_memory_kb=64)
    configs = tuple(
        replace(config, local_memory_kb=memory, register_file_kb=file)
        for memory, file in product((64, 128, 256), (64, 128))
    )
    assert evaluate_many(configs, named_network("resnet8")).realizable.all()
    assert calls == 1


def test_depths_within_the_reach_are_mapped_alike_and_no_depth_beyond_counts_as_alike() -> None:
    wider = refused = 0
    for case in small_cases():
        _, layers, tensors = network_tables(case.network)[0]
        hw, reach = accelerator_row(case.config), np.zeros(2, np.int64)
        failure, *_, plan, tensor_plan, end = plan_network(layers, tensors, hw, 0, reach)
        if failure != Failure.NONE:
            continue
        least, most = map(int, reach)
        assert least <= hw.bank_depth <= most
        for depth in {least, (least + hw.bank_depth) // 2, min(most, 4 * hw.bank_depth)}:
            other = plan_network(layers, tensors, hw._replace(bank_depth=depth), 0)
            assert other[0] == Failure.NONE
            np.testing.assert_array_equal(other[4], plan)
            np.testing.assert_array_equal(other[5], tensor_plan)
            assert other[6] == end
            wider += depth != hw.bank_depth
        found = Alike(network_tables(case.network))
        found.note(hw, np.arange(3), reach)
        for depth, like in ((least, True), (least - 1, False), (most, True), (most + 1, False)):
            assert (found.find(hw._replace(bank_depth=depth)) is not None) == like
        refused += least > 0
    assert min(wider, refused) > 5


def test_what_is_large_enough_is_as_good_as_more() -> None:
    network = named_network("resnet8")
    hw = accelerator_row(replace(TINY.default, register_file_kb=16, weight_store_kb=256))
    found = Alike(network_tables(network))
    figures = np.arange(3)
    found.note(hw, figures, np.array([1, 1 << 20]))

    def like(**changes: int) -> bool:
        other: Hw = hw._replace(**changes)
        return found.find(other) is not None

    assert like(weight_rows=2 * hw.weight_rows, accumulator_rows=9)
    assert not like(weight_rows=8)
    assert like(store_rows=2 * hw.store_rows)
    assert not like(store_rows=100)
    for name in ("pes_x", "pes_y", "simd", "lanes", "bus_bytes", "earn", "cost", "clock_mhz"):
        assert not like(**{name: getattr(hw, name) + 1})
    assert not like(images=2)


def test_of_several_images_the_depth_counts() -> None:
    network = named_network("resnet8")
    hw = accelerator_row(TINY.default, 2)
    found = Alike(network_tables(network))
    found.note(hw, np.arange(3), np.array([0, 1 << 20]))
    assert found.find(hw) is not None
    assert found.find(hw._replace(bank_depth=hw.bank_depth + 1)) is None
