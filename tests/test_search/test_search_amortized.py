"""The amortized agent: any network has features, it learns what each wants, and answers from a file."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from search.agent import Args
from search.amortized_agent import AmortizedAgent, FeatureScale
from search.driver import run_hardware_search
from search.evaluator import Evaluation, Evaluator
from search.export import shape_network
from search.network_features import FEATURES, network_features
from search.networks.plans import DIGITS_SPACE
from search.result import SearchResult
from search.strategies.amortized_settings import AmortizedSettings
from sim.cost.area import area, area_budget
from sim.cost.objective import Objective
from sim.networks.named import named_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import PRODUCT_KINDS, LayerKind, Network
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import HardwareSpace
from small_spaces import SMALL

SPACE = dataclasses.replace(
    SMALL,
    name="wide",
    values={**SMALL.values, "io_bandwidth_gbps": (0.4, 0.8, 1.6, 3.2)},
    area_budget=area(dataclasses.replace(SMALL.default, io_bandwidth_gbps=3.2)).total,
)
"""Its default, with little bandwidth, is far from good, and may have the widest interface."""

OBJECTIVE = Objective(metric="latency", area_budget=area_budget(SPACE))


def drawn(seed: int) -> Network:
    random = np.random.default_rng(seed)
    choices = {
        name: int(random.integers(len(values))) for name, values in DIGITS_SPACE.decisions.items()
    }
    member = DIGITS_SPACE.architecture(choices)
    return shape_network(DIGITS_SPACE.layers(member), name=member.key)


@pytest.fixture(scope="module")
def trained() -> AmortizedAgent:
    """Agent after some updates on eight of the networks 0 … 31 each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    networks = [drawn(seed) for seed in range(32)]
    scale = FeatureScale.of(networks)
    agent = AmortizedAgent(SPACE, OBJECTIVE, scale, Args(batch=160, total_updates=40), seed=1)
    evaluator = Evaluator()
    for update in range(40):
        learn_from = [networks[(8 * update + i) % len(networks)] for i in range(8)]

        def evaluate(
            i: int, configs: Sequence[AcceleratorConfig], chosen: list[Network] = learn_from
        ) -> list[Evaluation]:
            return evaluator.evaluate(configs, chosen[i], phase="a")

        agent.learn(learn_from, evaluate)
    torch.set_num_threads(threads)
    return agent


@pytest.fixture(scope="module")
def agent_file(trained: AmortizedAgent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent.npz"
    path.write_bytes(trained.to_bytes())
    return path


def test_features_are_those_of_the_layers() -> None:
    """Against a plain sum over the layers, for a network of each kind of space."""
    for network in (drawn(3), named_network("resnet8"), named_network("autoencoder")):
        features = network_features(network)
        assert features.shape == (FEATURES,)
        assert np.isfinite(features).all()
        totals = 2 + 4 * (len(LayerKind) - len(PRODUCT_KINDS))
        weights = sum(layer.weights.size for layer in network.layers)
        assert features[totals] == pytest.approx(np.log2(1 + len(network.layers)))
        assert features[totals + 2] == pytest.approx(np.log2(1 + weights))
        depthwise = 2 + 4 * list(LayerKind).index(LayerKind.DEPTHWISE)
        macs = sum(layer.macs for layer in network.layers if layer.kind is LayerKind.DEPTHWISE)
        assert features[depthwise + 1] == pytest.approx(np.log2(1 + macs))


def test_a_quantile_is_that_of_a_list_with_each_layer_as_often_as_its_work() -> None:
    network = named_network("resnet8")
    counted = [layer for layer in network.layers if layer.macs]
    assert len(counted) < len(network.layers)
    outputs = network_features(network)[2 + 4 * (len(LayerKind) - len(PRODUCT_KINDS)) + 9 :][:5]
    inputs = {name: spec.shape for name, spec in network.tensors.items()}
    work = [layer.macs or int(np.prod(inputs[layer.inputs[0]])) for layer in network.layers]
    listed = sorted(
        (layer.output.channels, share) for layer, share in zip(network.layers, work, strict=True)
    )
    for place, share in enumerate((0.1, 0.25, 0.5, 0.75, 0.9)):
        reached = np.cumsum([amount for _, amount in listed])
        channels, _ = listed[int(np.argmax(reached >= share * sum(work)))]
        assert 2.0 ** outputs[place] == pytest.approx(channels)


def test_networks_of_other_shapes_have_other_features() -> None:
    rows = [network_features(drawn(seed)) for seed in range(20)]
    assert len({row.tobytes() for row in rows}) == len({drawn(seed).name for seed in range(20)})


def test_the_scale_keeps_unlike_networks_within_bounds() -> None:
    scale = FeatureScale.of([drawn(seed) for seed in range(8)])
    rows = np.stack([scale(drawn(seed)) for seed in range(8)])
    assert abs(rows.mean()) < 0.2
    unlike = scale(named_network("autoencoder"))
    assert np.isfinite(unlike).all()
    assert np.abs(unlike).max() == 4


def test_the_agent_answers_for_networks_that_it_never_saw(trained: AmortizedAgent) -> None:
    """Nineteen designs come near the optimum, which the default is far from, and differ by the network."""
    regrets, answered = [], set()
    for seed in range(100, 106):
        network = drawn(seed)
        evaluator = Evaluator()
        every = evaluator.evaluate(list(SPACE), network, phase="a")
        least = min(row.cycles for row in every if OBJECTIVE.feasible(row))
        designs = trained.designs(network, 19)
        answers = evaluator.evaluate(designs, network, phase="b")
        assert len(answers) <= 19
        best = min(row.cycles for row in answers if OBJECTIVE.feasible(row))
        (default,) = evaluator.evaluate([SPACE.default], network, phase="b")
        regrets.append(best / least - 1)
        answered.add(tuple(designs))
        assert default.cycles > 1.2 * least
    assert max(regrets) < 0.05
    assert np.mean(regrets) < 0.02
    assert len(answered) > 1


def test_designs_keep_what_can_be_told_without_an_evaluation(trained: AmortizedAgent) -> None:
    designs = trained.designs(drawn(50), 200)
    assert len(set(designs)) == len(designs) > 60
    assert all(area(config).total <= OBJECTIVE.area_budget for config in designs)
    assert not any(check(config) for config in designs)
    assert trained.designs(drawn(50), 5) == trained.designs(drawn(50), 40)[:5]


def answer(path: Path, out: Path, space: HardwareSpace = SPACE, **fields: object) -> SearchResult:
    settings = AmortizedSettings(**{"agent": str(path), "budget": 12} | fields)  # type: ignore[arg-type]  # of mixed kinds
    return run_hardware_search(drawn(60), space, out, settings=settings, seed=0)


def test_the_answer_comes_from_the_file(
    trained: AmortizedAgent, agent_file: Path, tmp_path: Path
) -> None:
    result = answer(agent_file, tmp_path)
    assert result.evaluations == 12
    first, *others = result.history
    assert first.accelerator == SPACE.default
    assert [row.accelerator for row in others] == [
        config for config in trained.designs(drawn(60), 12) if config != SPACE.default
    ][:11]
    assert result.best.cycles == min(row.cycles for row in result.history if row.realizable)
    assert result.best.cycles < result.default.cycles


def test_an_answer_is_resumed(agent_file: Path, tmp_path: Path) -> None:
    whole = answer(agent_file, tmp_path)
    settings = AmortizedSettings(agent=str(agent_file), budget=12)
    resumed = run_hardware_search(
        drawn(60), SPACE, tmp_path, settings=settings, seed=0, resume=True
    )
    assert resumed.history == whole.history


def test_an_answer_may_be_polished(agent_file: Path, tmp_path: Path) -> None:
    result = answer(agent_file, tmp_path, polish=True)
    phases = [row.phase for row in result.history]
    assert phases.count("polish") == 6
    assert phases.index("polish") == 6


def test_no_agent_is_told(tmp_path: Path) -> None:
    message = "search.agent must be given: a file agent.npz that rhnas left"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        run_hardware_search(drawn(60), SPACE, tmp_path, settings=AmortizedSettings(), seed=0)


def test_another_space_or_objective_is_told(agent_file: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(SPACE, name="other")
    message = f"agent {agent_file} must be trained for the same space"
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        answer(agent_file, tmp_path, other)
    message = f"agent {agent_file} must be trained for the same metric"
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        answer(agent_file, tmp_path, metric="edp")
    less = Objective(metric="latency", area_budget=0.5 * area_budget(SPACE))
    message = f"agent {agent_file} must be trained for the same budgets"
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        AmortizedAgent.load(agent_file, SPACE, less)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("about", "must be a file that a search with an agent left"),
        ("mean", f"must have the arrays of an agent of {FEATURES} features"),
        ("policy.outer.bias", f"must have the arrays of an agent of {FEATURES} features"),
    ],
)
def test_a_file_without_an_array_is_told(
    agent_file: Path, tmp_path: Path, name: str, message: str
) -> None:
    arrays = read_arrays(agent_file, "agent")
    for change in ({}, {name: arrays[name][:-1]}):
        kept = {other: array for other, array in arrays.items() if other != name} | change
        path = tmp_path / "agent.npz"
        path.write_bytes(npz_bytes(kept))
        with pytest.raises(DesignFileError, match=f"^{re.escape(f'agent {path} {message}')}$"):
            AmortizedAgent.load(path, SPACE, OBJECTIVE)
