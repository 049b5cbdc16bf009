"""The certified search, against enumeration."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from search.driver import run_hardware_search
from search.result import SearchResult
from search.strategies.certified_settings import CertifiedSettings
from sim.cost.area import area
from sim.cost.bounds import lower_bounds
from sim.cost.costs import evaluate_many
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import NotRealizableError
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.network import Network
from small_spaces import SMALL


@pytest.fixture(scope="module")
def network() -> Network:
    return named_network("autoencoder")


@pytest.fixture(scope="module")
def table(network: Network) -> CostTable:
    return evaluate_many(tuple(SMALL), network)


BEHIND = (
    DETERMINISTIC,
    FixedLatency(latency=4),
    FixedLatency(latency=200, write_latency=30),
    FixedLatency(latency=60, outstanding=2, width_bytes=8, clock_mhz=133, burst_gap=2),
)
"""Memories behind which a search is compared with enumeration."""


def search(
    network: Network, out: Path, budget: float | None = None, **settings: object
) -> SearchResult:
    chosen = CertifiedSettings(**settings)  # type: ignore[arg-type]  # passed on as they come
    return run_hardware_search(network, SMALL, out, settings=chosen, area_budget=budget)


@pytest.mark.parametrize("metric", ["latency", "edp"])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_the_result_is_the_enumerated_optimum_and_proved(
    metric: Metric, share: float, network: Network, table: CostTable, tmp_path: Path
) -> None:
    budget = share * area(SMALL.default).total
    result = search(network, tmp_path, budget, metric=metric, batch=1)
    objective = Objective(metric=metric, area_budget=budget)
    optimum = objective.best(table)
    assert optimum is not None
    cost, smallest = (float(figures[optimum]) for figures in objective.rank(table))
    assert objective.rank(result.best) == (cost, smallest)
    proof = result.proof
    assert proof is not None
    assert proof.complete
    assert proof.bound == proof.cost == cost
    assert proof.evaluations == result.evaluations < proof.points / 3 == len(SMALL) / 3
    document = result.to_json()["proof"]
    assert document["share"] == result.evaluations / len(SMALL)
    # all that was not evaluated has a bound above the optimum
    known = {row.accelerator for row in result.history}
    others = [config for config in SMALL if config not in known]
    bounds = lower_bounds(others, network)
    left = objective.cost(bounds)[objective.feasible(bounds)]
    assert (left > cost * (1 - 1e-8)).all()


@pytest.mark.parametrize("memory", BEHIND, ids=str)
def test_the_result_behind_a_memory_is_the_enumerated_optimum(
    memory: FixedLatency, network: Network, tmp_path: Path
) -> None:
    settings = CertifiedSettings(metric="latency", batch=16)
    result = run_hardware_search(network, SMALL, tmp_path, settings=settings, memory=memory)
    table = evaluate_many(tuple(SMALL), network, memory=memory)
    objective = Objective(metric="latency", area_budget=area(SMALL.default).total)
    optimum = objective.best(table)
    assert optimum is not None
    cost, smallest = (float(figures[optimum]) for figures in objective.rank(table))
    assert objective.rank(result.best) == (cost, smallest)
    assert result.proof is not None
    assert result.proof.complete
    assert result.proof.bound == result.proof.cost == cost
    assert result.evaluations < len(SMALL)
    default = evaluate_many([SMALL.default], network, memory=memory)
    assert result.history[0]["cycles"] == default["cycles"][0]


def test_a_budget_ends_it_with_a_bound(network: Network, tmp_path: Path) -> None:
    chosen = CertifiedSettings(batch=1, metric="edp", budget=3)
    cut = run_hardware_search(network, SMALL, tmp_path, settings=chosen)
    assert cut.evaluations == 3
    assert cut.proof is not None
    assert not cut.proof.complete
    assert 0 < cut.proof.bound < cut.proof.cost


def test_bounds_that_are_not_of_the_costs_are_noticed(network: Network, tmp_path: Path) -> None:
    def doubled(
        configs: Sequence[AcceleratorConfig], network: Network, *, columns: Sequence[str]
    ) -> CostTable:
        table = lower_bounds(configs, network, columns=columns)
        return CostTable(
            configs=table.configs,
            violations=table.violations,
            excess=table.excess,
            values=dict(table.values) | {"cycles": 2 * table["cycles"]},
        )

    with pytest.raises(
        ValueError, match=r"^bounds must be of the evaluator's cost model, not above it for "
    ):
        run_hardware_search(
            network,
            SMALL,
            tmp_path,
            settings=CertifiedSettings(),
            bounds=doubled,
        )


def test_only_columns_that_decide_are_bounded(network: Network, tmp_path: Path) -> None:
    """A cold run's bound takes as long as a warm run's, and decides nothing."""
    bounded: set[str] = set()

    def noted(
        configs: Sequence[AcceleratorConfig], network: Network, *, columns: Sequence[str]
    ) -> CostTable:
        table = lower_bounds(configs, network, columns=columns)
        bounded.update(table.values)
        return table

    result = run_hardware_search(
        network, SMALL, tmp_path, settings=CertifiedSettings(metric="edp"), bounds=noted
    )
    assert result.proof is not None
    assert result.proof.complete
    assert bounded == {"cycles", "energy", "area"}


def test_a_budget_below_every_accelerator_is_refused(network: Network, tmp_path: Path) -> None:
    with pytest.raises(NotRealizableError) as caught:
        search(network, tmp_path, 0.001)
    message = (
        "no accelerator that was evaluated for 'autoencoder' is realizable and within 0.0010 mm2"
    )
    assert str(caught.value) == message


def test_accelerators_of_equal_cost_are_compared_by_area(network: Network, tmp_path: Path) -> None:
    """With free memory many designs are equally fast: the smallest is the optimum."""
    result = search(network, tmp_path, 1e9, metric="latency")
    table = evaluate_many(tuple(SMALL), network)
    equal = table.realizable & (table["cycles"] == result.best["cycles"])
    assert equal.sum() > 1
    assert result.best["area"] == np.min(table["area"][equal])
