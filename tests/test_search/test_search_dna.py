"""DNA: its estimator against its formula, and that costs teach accelerators and networks."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search.choice_logits import sampled
from search.driver import run_search
from search.evaluator import Evaluation, Evaluator
from search.experiment import TrainSettings
from search.moving_mean import MovingMean
from search.strategies.dna_sampling import (
    HardwareLogits,
    graded_cost,
    temperature,
)
from search.strategies.dna_settings import DnaSettings
from search.supernet import sample_gates
from sim.cost.area import area
from sim.cost.objective import Objective
from sim.networks.named import named_network
from small_co_searches import small_experiment, small_settings
from small_spaces import SMALL


def test_a_sample_has_the_gradient_of_the_product_of_its_probabilities() -> None:
    """Π (1 - p) detached + p, written with the soft values of the same noise."""
    logits = {"a": torch.tensor([0.3, -0.2, 1.0]), "b": torch.tensor([0.0, 2.0])}
    for seed in range(20):
        heat = 0.5 + seed / 4
        gradients = []
        for direct in (False, True):
            leaves = {name: logit.clone().requires_grad_() for name, logit in logits.items()}
            generator = torch.Generator().manual_seed(seed)
            if direct:
                product, chosen = torch.ones(()), {}
                for name, logit in leaves.items():
                    uniform = torch.rand(logit.shape, generator=generator)
                    soft = torch.softmax((logit - torch.log(-torch.log(uniform))) / heat, 0)
                    chosen[name] = int(soft.argmax())
                    p = soft[chosen[name]]
                    product = product * ((1 - p).detach() + p)
            else:
                gates = sample_gates(leaves, temperature=heat, generator=generator)
                chosen, product = sampled(gates)
            assert product.item() == pytest.approx(1)
            (3.5 * product).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            gradients.append((chosen, [leaf.grad for leaf in leaves.values()]))
        (chosen, mine), (expected, formula) = gradients
        assert chosen == expected
        for a, b in zip(mine, formula, strict=True):
            assert a is not None
            assert b is not None
            torch.testing.assert_close(a, b)


def test_the_temperature_falls_over_the_search() -> None:
    assert temperature(0) == 5
    assert temperature(0.5) == pytest.approx(5 * 0.975**50)
    assert temperature(1) == temperature(3) == pytest.approx(5 * 0.975**100)


def test_the_advantage_is_above_the_moving_mean() -> None:
    mean = MovingMean()
    assert mean.mean is None
    assert mean.advantage(2.0) == 0
    assert mean.advantage(3.0) == 1
    assert mean.mean == pytest.approx(2.05)


def test_every_feasible_cost_is_below_every_other() -> None:
    """Both are graded: by the ratio of costs, and by the distance from the rules and the budgets."""
    network = named_network("autoencoder")
    rows = Evaluator().evaluate(tuple(SMALL), network, phase="all")
    objective = Objective(metric="latency", area_budget=area(SMALL.default).total)
    reference = 1000.0

    def cost(row: Evaluation) -> float:
        return graded_cost(objective, row, reference)

    feasible = [row for row in rows if objective.feasible(row)]
    too_large = [row for row in rows if row.realizable and not objective.feasible(row)]
    assert feasible
    assert too_large
    by_cycles = sorted(feasible, key=lambda row: row["cycles"])
    assert [cost(row) for row in by_cycles] == sorted(cost(row) for row in feasible)
    for row in feasible:
        assert cost(row) == pytest.approx(row["cycles"] / (row["cycles"] + reference))
    assert max(map(cost, feasible)) < 1 < min(map(cost, too_large))
    by_area = sorted(too_large, key=lambda row: row["area"])
    assert [cost(row) for row in by_area] == sorted(cost(row) for row in too_large)
    near, far = (
        replace(feasible[0], violations=("MAP_TILE",) * count, excess=excess)
        for count, excess in ((1, 0.2), (3, 4.0))
    )
    assert 1 < cost(near) < cost(far) < 2.5


def test_costs_teach_the_fields() -> None:
    """A cost with a single optimum: the most probable accelerator becomes it."""
    target = tuple(size - 1 if i % 2 else 0 for i, size in enumerate(SMALL.sizes))
    generator = torch.Generator().manual_seed(0)
    logits = HardwareLogits(SMALL, 0.05, generator)

    def distance(point: tuple[int, ...]) -> float:
        return sum(abs(a - b) for a, b in zip(point, target, strict=True)) / 10

    for i in range(800):
        config, factor = logits.sample(i / 800)
        logits.learn(distance(SMALL.indices(config)), factor)
    assert SMALL.indices(logits.most_probable) == target


def test_a_quarter_of_the_budget_is_kept_for_the_final_network(tmp_path: Path) -> None:
    settings = DnaSettings(budget=24)
    assert [settings.limit(stage) for stage in ("warm-up", "co-search", "refinement")] == [
        18,
        18,
        24,
    ]
    assert settings.limit("training") is None
    assert DnaSettings().limit("refinement") is None
    result = run_search(small_experiment("dna"), tmp_path, seed=1)
    refined = [row for row in result.history if row.phase == "refinement"]
    assert result.architecture is not None
    assert {row.network for row in refined} == {result.architecture.key}
    assert 4 <= len(refined) <= 6


@pytest.mark.long
def test_many_batches_do_not_spend_the_budget_in_the_first_rounds(tmp_path: Path) -> None:
    """Here a round has 24 batches, and 7 evaluations: 3 of networks, the others of accelerators."""
    settings = small_settings("dna", budget=60, rounds=6, warmup_epochs=0)
    experiment = small_experiment("dna", search=settings, train=TrainSettings(epochs=1, batch=16))
    result = run_search(experiment, tmp_path, seed=1)
    spent = Counter(row.phase for row in result.history)
    assert spent["network"] <= 6 * 3
    assert spent["co-search"] > spent["network"]
    epochs = result.trained_images / (397 // 16 * 16)
    assert epochs >= 5 + 1  # of the shared weights, and of the final network
    assert len(result.history) - spent["final"] <= 60


@pytest.mark.long
def test_costs_teach_the_network(tmp_path: Path) -> None:
    """A network for which cycles weigh much has fewer of them on the same accelerator.

    Long: costs teach the accelerator's fields by the same estimator.
    """
    cycles = []
    for weight in (0.0, 100.0):
        settings = small_settings(
            "dna", latency_weight=weight, rounds=20, samples=1, budget=0, network_rate=0.1
        )
        experiment = small_experiment("dna", search=settings)
        experiment = replace(experiment, hardware=replace(experiment.hardware, fixed=True))
        result = run_search(experiment, tmp_path / str(weight), seed=2)
        cycles.append(result.default["cycles"])
    assert cycles[1] < 0.8 * cycles[0]
