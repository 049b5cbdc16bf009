"""The amortized agent on networks that it never saw, against the optimum and against simpler answers.

Run as ``python benchmarks/amortized.py [--cases …] [--agents DIR] [--out FILE]``. For each space and metric,
an agent is trained over drawn networks: members of the digits', Fashion-MNIST's and FBNet's spaces, and
random topologies. Then it answers for members of other seeds, other topologies and named networks, with
20 evaluations for each, the default's included. The optimum is that of ``certified``, with its proof.
Beside it stand a constant design and a constant list of 19 designs, which are best on average over the
training networks, and random and local search with 20 evaluations.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosilico.progress import progress_bar
from search.agent import Args
from search.amortized_agent import AmortizedAgent, FeatureScale
from search.evaluator import Evaluation, Evaluator
from search.export import shape_network
from search.in_memory import search_in_memory
from search.networks.plans import NETWORK_PLANS
from search.strategies.baseline_settings import LocalSearchSettings, RandomSettings
from search.strategies.budget_settings import BudgetSettings
from search.strategies.certified_settings import CertifiedSettings
from sim.cost.area import area
from sim.cost.costs import evaluate_many
from sim.cost.objective import METRICS, Objective
from sim.networks.named import named_network
from sim.networks.seeded import seeded_network
from sim.networks.topology import LayerShape, conv, depthwise, fully_connected, pool
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.network import Network, TensorSpec
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace
from testbench.validation.workers import worker_pool

CASES = tuple(f"{space}:{metric}" for space, metric in product(HARDWARE_SPACES, ("latency", "edp")))
NAMED = ("resnet8", "ds_cnn", "mobilenet_v1_025", "autoencoder")
TRAINED, UNSEEN = 16, 6
"""Networks of each kind that the agent is trained on, and of other seeds that it answers for."""

UPDATES, PER_UPDATE, BATCH = 120, 8, 128
BUDGET, SEEDS = 20, 3


def main() -> None:
    """Train and judge the agents, case by case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--agents", type=Path, default=Path("build/amortized"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    arguments.agents.mkdir(parents=True, exist_ok=True)
    known = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    with progress_bar() as report, worker_pool(arguments.jobs) as workers:
        futures = {
            workers.submit(run_case, case, arguments.agents): case for case in arguments.cases
        }
        for done, future in enumerate(as_completed(futures)):
            known[futures[future]] = future.result()
            report("cases", done + 1, len(futures))
            ordered = {case: known[case] for case in CASES if case in known}
            write_atomic(arguments.out, json.dumps(ordered, indent=1) + "\n")


def run_case(case: str, agents: Path) -> dict[str, Any]:
    """Train an agent, and judge its answers for all unseen networks."""
    torch.set_num_threads(1)
    space_name, metric_name = case.split(":")
    (metric,) = (known for known in METRICS if known == metric_name)
    hardware = HARDWARE_SPACES[space_name]
    budget = area(hardware.default).total
    objective = Objective(metric=metric, area_budget=budget)
    started = time.process_time()
    training = [network for i in range(TRAINED) for network in drawn(i)]
    agent, evaluator = trained(hardware, objective, training)
    spent, seconds = len(evaluator.records), time.process_time() - started
    (agents / f"{space_name}-{metric}.npz").write_bytes(agent.to_bytes())
    designs = constants(hardware, objective, training, evaluator)
    unseen = [network for i in range(1000, 1000 + UNSEEN) for network in drawn(i)]
    unseen += [named_network(name) for name in NAMED]
    rows = {
        network.name: judged(hardware, objective, agent, designs, network) for network in unseen
    }
    return {
        "training": {
            "networks": len(training),
            "evaluations": spent,
            "constant_evaluations": len(evaluator.records) - spent,
            "cpu_s": round(seconds),
        },
        "summary": summary([row for row in rows.values() if row is not None]),
        "not_run_by_default": sorted(name for name, row in rows.items() if row is None),
        "networks": rows,
    }


def drawn(seed: int) -> list[Network]:
    """Draw a network of each kind."""
    random = np.random.default_rng(seed)
    networks = [random_topology(f"topology{seed}", random)]
    for plan, image in (("digits", (8, 8, 1)), ("fashion", (28, 28, 1)), ("fbnet", (32, 32, 3))):
        family = NETWORK_PLANS[plan].space(image, 10)
        sizes = {name: len(values) for name, values in family.decisions.items()}
        member = family.architecture({name: int(random.integers(sizes[name])) for name in sizes})
        networks.append(shape_network(family.layers(member), name=f"{plan}{seed}"))
    return networks


def random_topology(name: str, random: np.random.Generator) -> Network:
    """Draw a perceptron, or convolutions of which some are separable, with rising channels."""
    if random.random() < 0.2:
        source = TensorSpec.of_shape("input", (1, 1, int(random.integers(8, 80) * 8)), 0.01, 0)
        layers = [
            fully_connected(f"layer{i}", f"layer{i - 1}" if i else "input", width, relu=True)
            for i, width in enumerate((8 * random.integers(1, 33, size=7)).tolist())
        ]
        return seeded_network(name, source, layers, 0)
    side = int(random.choice([16, 24, 32, 48]))
    source = TensorSpec.of_shape("input", (side, side, int(random.choice([1, 3]))), 0.01, 0)
    channels = int(random.choice([8, 16, 24, 32]))
    layers = [conv("stem", "input", channels, 3, int(random.integers(1, 3)), relu6=True)]
    for i in range(int(random.integers(2, 9))):
        last: LayerShape = layers[-1]
        stride = 1 + int(random.random() < 0.3)
        channels = min(128, channels * stride)
        if random.random() < 0.5:
            layers.append(conv(f"layer{i}", last.name, channels, 3, stride, relu6=True))
        else:
            layers.append(depthwise(f"depthwise{i}", last.name, 3, stride, relu6=True))
            layers.append(conv(f"layer{i}", f"depthwise{i}", channels, relu6=True))
    layers += [pool("pool", layers[-1].name), fully_connected("classifier", "pool", 10)]
    return seeded_network(name, source, layers, 0)


def trained(
    hardware: HardwareSpace, objective: Objective, networks: Sequence[Network]
) -> tuple[AmortizedAgent, Evaluator]:
    """Train an agent on some networks after others, in a random order."""
    args = Args(batch=BATCH, total_updates=UPDATES, learning_rate=0.003, entropy=0.2)
    agent = AmortizedAgent(hardware, objective, FeatureScale.of(networks), args, seed=0)
    evaluator, random = Evaluator(), np.random.default_rng(0)
    for _ in range(UPDATES):
        chosen = [networks[i] for i in random.choice(len(networks), PER_UPDATE, replace=False)]

        def evaluate(
            i: int, configs: Sequence[AcceleratorConfig], these: list[Network] = chosen
        ) -> list[Evaluation]:
            return evaluator.evaluate(configs, these[i], phase="train")

        agent.learn(chosen, evaluate)
    return agent, evaluator


def constants(
    hardware: HardwareSpace, objective: Objective, networks: Sequence[Network], evaluator: Evaluator
) -> list[AcceleratorConfig]:
    """List of designs for all networks: the first is the best on average, each next helps the list most.

    Of the best that the training evaluated for each of its networks, all tried on all networks. The
    average is that of the logarithm of the cost over the best for the network.
    """
    best: dict[str, Evaluation] = {}
    for row in filter(objective.feasible, evaluator.records):
        known = best.get(row.network)
        if known is None or objective.rank(row) < objective.rank(known):
            best[row.network] = row
    candidates = list(dict.fromkeys(row.accelerator for row in best.values()))
    costs = np.array(
        [
            costs_of(objective, evaluator.evaluate(candidates, network, phase="constant"))
            for network in networks
        ]
    )  # [networks, candidates]
    costs = costs[np.isfinite(costs.min(1))]
    ratios = np.log(costs / costs.min(1, keepdims=True))
    ratios = np.where(np.isfinite(ratios), ratios, np.log(100.0))
    chosen: list[int] = []
    reached = np.full((len(ratios), 1), np.inf)
    while len(chosen) < min(BUDGET - 1, len(candidates)):
        means = np.minimum(reached, ratios).mean(0)
        means[chosen] = np.inf
        chosen.append(int(means.argmin()))
        reached = np.minimum(reached, ratios[:, chosen[-1:]])
    return [candidates[i] for i in chosen]


def judged(
    hardware: HardwareSpace,
    objective: Objective,
    agent: AmortizedAgent,
    designs: Sequence[AcceleratorConfig],
    network: Network,
) -> dict[str, float] | None:
    """Regret in percent of every answer for a network; None where the default does not run it."""
    default = hardware.default
    if not evaluate_many([default], network).realizable[0]:
        return None

    def searched(settings: BudgetSettings, seed: int = 0) -> float:
        history = search_in_memory(network, hardware, objective, settings, evaluate_many, seed=seed)
        return float(costs_of(objective, history).min())

    def answered(configs: Sequence[AcceleratorConfig]) -> float:
        rows = Evaluator().evaluate([default, *configs], network, phase="answer")
        return float(costs_of(objective, rows).min())

    metric = objective.metric
    optimum = searched(CertifiedSettings(metric=metric, budget=0))
    mine = agent.designs(network, BUDGET - 1)
    regrets = {
        "agent": answered(mine),
        "agent, first": answered(mine[:1]),
        "constant": answered(designs[:1]),
        "constant list": answered(designs),
    }
    for name, kind in (("random", RandomSettings), ("local-search", LocalSearchSettings)):
        settings: BudgetSettings = kind(metric=metric, budget=BUDGET)
        regrets[name] = float(np.median([searched(settings, seed) for seed in range(SEEDS)]))
    return {name: round(100 * (cost / optimum - 1), 3) for name, cost in regrets.items()}


def costs_of(objective: Objective, rows: Sequence[Evaluation]) -> NDArray[np.float64]:
    """Cost of each evaluation; infinite where it is not feasible."""
    return np.array(
        [float(objective.cost(row)) if objective.feasible(row) else np.inf for row in rows]
    )


def summary(rows: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median, 90th percentile and worst regret of every answer, and the share within 3 %."""
    figures = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        figures[name] = {
            "median": round(float(np.median(values)), 2),
            "p90": round(float(np.quantile(values, 0.9, method="higher")), 2),
            "worst": round(float(values.max()), 2),
            "within_3": round(float((values <= 3).mean()), 3),
        }
    return figures


if __name__ == "__main__":
    main()
