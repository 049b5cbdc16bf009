"""Random networks with activation tables, on accelerators that have them, in RTL."""

import pytest

from sim.spec.spaces import TINY
from testbench.cases.random_networks import draw_group
from testbench.cases.random_tables import TABLES_PER_CONFIG, draw_table_group
from testbench.validation.random_pairs import DRAWS, run_case

SEED = 3


def test_every_network_of_a_group_has_tables_and_so_has_the_accelerator() -> None:
    cases = draw_table_group(0, 4, 4, TINY, SEED, max_macs=64)
    assert [case.index for case in cases] == [4, 5, 6, 7]
    assert {case.config.activation_table for case in cases} == {1}
    assert all(any(layer.table for layer in case.network.layers) for case in cases)
    again = draw_table_group(0, 4, 4, TINY, SEED, max_macs=64)
    assert [case.network.name for case in again] == [case.network.name for case in cases]
    assert DRAWS["tables"].per_config == TABLES_PER_CONFIG


def test_pairs_without_tables_are_drawn_as_ever() -> None:
    cases = draw_group(0, 0, 3, TINY, SEED, max_macs=64)
    assert {case.config.activation_table for case in cases} == {0}
    assert not any(layer.table for case in cases for layer in case.network.layers)


@pytest.mark.rtl
@pytest.mark.slow
def test_random_networks_with_tables_are_exact_in_rtl() -> None:
    for case in draw_table_group(1, 0, 6, TINY, SEED, max_macs=64):
        assert run_case(case).passed, case.title
