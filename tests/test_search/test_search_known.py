"""Co-searches of networks whose accuracies are known: every strategy, within its budgets, and repeatable."""

import numpy as np
import pytest
import torch

from known_cells import LARGEST, cell_costs, known_cells
from sampled import sampled
from search.evaluator import BudgetSpent, Evaluator
from search.in_memory import CoSearched, co_search_in_memory
from search.known_training import KnownTraining
from search.networks.cells import CellMember, CellNetworks
from search.score import Score
from search.strategies import CO_SEARCHES
from search.strategies.rhnas_settings import RhnasSettings
from search.strategies.settings import PairBudgetSettings
from sim.cost.area import area_budget
from sim.cost.objective import Objective
from sim.spec.spaces import TINY

BUDGET = 48
OBJECTIVE = Objective(metric="latency", area_budget=area_budget(TINY))


@pytest.fixture(scope="module")
def networks() -> CellNetworks:
    return known_cells()


def settings_of(strategy: str) -> PairBudgetSettings:
    kind = CO_SEARCHES[strategy].settings
    assert issubclass(kind, PairBudgetSettings)
    return kind(strategy=strategy).spending(BUDGET)


def run(strategy: str, networks: CellNetworks, seed: int) -> CoSearched:
    return co_search_in_memory(
        networks, TINY, OBJECTIVE, settings_of(strategy), cell_costs, seed=seed, steps=2
    )


@pytest.mark.parametrize("strategy", sampled(CO_SEARCHES, lambda name: name != "nahas-oneshot"))
def test_a_strategy_keeps_both_budgets_and_repeats(strategy: str, networks: CellNetworks) -> None:
    made = run(strategy, networks, seed=1)
    assert 1 < len([row for row in made.history if row.phase != "final"]) <= BUDGET
    assert 0 < len(made.trainings) <= BUDGET
    assert set(made.trainings) <= {row.network for row in made.history} | {
        networks.architecture(dict(zip(networks.decisions, choices, strict=True))).key
        for choices in np.ndindex(*(2,) * 6)
    }
    for row in made.history:
        if row.accuracy is not None:
            assert row.accuracy == networks.known_accuracy(CellMember(key=row.network))
    again = run(strategy, networks, seed=1)
    assert [(row.network, row.accelerator) for row in again.history] == [
        (row.network, row.accelerator) for row in made.history
    ]
    other = run(strategy, networks, seed=2)
    assert [row.accelerator for row in other.history] != [row.accelerator for row in made.history]
    if made.best is not None:
        assert OBJECTIVE.feasible(made.best)
        assert made.best.network == made.architecture.key


@pytest.mark.parametrize("strategy", sorted(CO_SEARCHES))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_result_is_the_best_pair_that_was_met(
    strategy: str, seed: int, networks: CellNetworks
) -> None:
    """Whatever a strategy has learned: rhnas, dna and nahas-phase once ended with worse pairs than they had met."""
    made = run(strategy, networks, seed=seed)
    target = float(cell_costs([TINY.default], networks.network(LARGEST))["cycles"][0])
    score = Score(OBJECTIVE, target)
    met = [
        score(networks.known_accuracy(CellMember(key=row.network)), row)
        for row in made.history
        if OBJECTIVE.feasible(row) and row.network in made.trainings
    ]
    if made.best is None:
        assert not met
    else:
        accuracy = networks.known_accuracy(made.architecture)
        assert score(accuracy, made.best) == max(met)


def test_look_ups_count_once_and_end_at_the_limit(networks: CellNetworks) -> None:
    evaluator = Evaluator(cell_costs)
    training = KnownTraining(networks, evaluator, steps=3)
    members = [
        networks.architecture(dict(zip(networks.decisions, choices, strict=True)))
        for choices in ((0,) * 6, (1,) * 6, (1, 0, 0, 0, 0, 0))
    ]
    evaluator.limit = 2
    for member in (*members[:2], *members[:2]):
        assert training.accuracy(member) == networks.known_accuracy(member)
    assert len(training.spent) == 2
    with pytest.raises(BudgetSpent):
        training.accuracy(members[2])
    training.epoch(lambda: pytest.fail("no network may be drawn"))
    assert len(list(training.batches())) == 3
    assert training.trained_images == 0


def test_gates_learn_from_the_sampled_network(networks: CellNetworks) -> None:
    training = KnownTraining(networks, Evaluator(cell_costs), steps=1)
    logits = {name: torch.zeros(2, requires_grad=True) for name in networks.decisions}

    def loss(index: int) -> float:
        gates = {}
        for name, logit in logits.items():
            soft = logit.softmax(0)
            gates[name] = torch.eye(2)[index] + soft - soft.detach()
            logit.grad = None
        value = training.loss(training.validation_batch(8), gates)
        value.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        return float(value.detach())

    assert loss(0) == 0.0  # the first has nothing to be compared with
    assert loss(1) < 0.0  # the larger network is more accurate
    for logit in logits.values():
        assert logit.grad is not None
        assert logit.grad[1] < 0.0 < logit.grad[0]  # a step makes it more probable


def test_a_budget_of_rhnas_lasts_for_all_stages() -> None:
    settings = RhnasSettings().spending(1000)
    assert settings.designs_per_update == 15
    limits = [
        settings.limit(stage) for stage in ("pretraining", "co-search", "refinement", "polish")
    ]
    assert limits == [200, 700, 1000, 1000]
    assert settings.limit("training") is None
    assert RhnasSettings().limit("pretraining") is None
    assert RhnasSettings().spending(100_000).designs_per_update == 128
