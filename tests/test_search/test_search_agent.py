"""The PPO agent finds a known optimum, uses its context and keeps clear of violations."""

import copy
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from search.agent import Args, HardwareAgent
from search.evaluator import Evaluation
from search.reward import reward
from sim.cost.objective import Objective
from sim.spec.spaces import TINY

SIZES = (4, 4, 4, 3, 5, 5, 4)
OPTIMUM = np.array([2, 0, 3, 1, 4, 0, 2])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Let PyTorch use a single thread: small networks wait for a second more than it gains."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _distance_reward(actions: NDArray[np.int64]) -> NDArray[np.float64]:
    rewards: NDArray[np.float64] = -np.abs(actions - OPTIMUM).sum(1) / 10.0
    return rewards


def test_finds_the_optimum_of_a_synthetic_reward() -> None:
    args = Args(batch=64, total_updates=60)
    agent = HardwareAgent(SIZES, 3, args, seed=0)
    contexts = np.zeros((64, 3), np.float32)
    first = agent.learn(contexts, _distance_reward)
    rewards = [agent.learn(contexts, _distance_reward) for _ in range(59)]
    assert first < -0.5
    assert rewards[-1] > -0.15
    assert agent.best_guess(contexts[0]).tolist() == OPTIMUM.tolist()


def test_learns_one_answer_per_context() -> None:
    args = Args(batch=64, total_updates=60, entropy=0.05)
    agent = HardwareAgent((4, 4), 2, args, seed=1)
    contexts = np.eye(2, dtype=np.float32)[np.arange(64) % 2]
    wanted = np.array([[0, 3], [3, 0]])[np.arange(64) % 2]
    for _ in range(60):
        agent.learn(contexts, lambda actions: (actions == wanted).mean(1))
    assert agent.best_guess(contexts[0]).tolist() == [0, 3]
    assert agent.best_guess(contexts[1]).tolist() == [3, 0]


def test_learns_around_non_realizable_designs() -> None:
    """A violation wherever field 0 is large, though the reward would grow with it."""
    args = Args(batch=64, total_updates=60)
    agent = HardwareAgent((8, 4), 1, args, seed=2)
    contexts = np.zeros((64, 1), np.float32)

    def rewards_of(actions: NDArray[np.int64]) -> NDArray[np.float64]:
        excess = np.maximum(0, actions[:, 0] - 4) / 4
        return np.where(excess > 0, -1.1 - excess / (1 + excess), actions[:, 0] / 4)

    for _ in range(60):
        agent.learn(contexts, rewards_of)
    sampled = agent.propose(np.zeros((500, 1), np.float32))[:, 0]
    assert (sampled > 4).mean() < 0.05
    assert agent.best_guess(contexts[0])[0] == 4


def test_an_update_leaves_probabilities_within_the_clip() -> None:
    """Of two choices the rewarded one rises until its ratio is 1 + clip and the other's 1 - clip.

    Beyond it no sample has a gradient; without the bound, as many steps make the choice certain.
    """
    clip = 0.2
    args = Args(
        batch=256, epochs=800, minibatches=1, clip=clip, entropy=0.0, learning_rate=1e-4,
        max_norm=1e9, total_updates=1_000_000,
    )  # fmt: skip
    agent = HardwareAgent((2,), 1, args, seed=5)
    context = np.zeros((1, 1), np.float32)

    def probabilities() -> NDArray[np.float64]:
        with torch.no_grad():
            (logits,) = agent.policy(
                torch.from_numpy(context), torch.zeros(1, 1, dtype=torch.int64)
            )
        distribution: NDArray[np.float64] = torch.softmax(logits[0], 0).double().numpy()
        return distribution

    before = probabilities()
    agent.learn(
        np.repeat(context, args.batch, axis=0),
        lambda actions: actions[:, 0].astype(np.float64),
    )
    ratio = probabilities() / before
    assert ratio.tolist() == pytest.approx([1 - clip, 1 + clip], abs=0.05)


def test_a_field_is_chosen_by_those_before_it() -> None:
    """Two designs are good, and no mixture of their fields: no choice of one field is good by itself."""
    args = Args(batch=64, total_updates=40)
    agent = HardwareAgent((3, 3, 3), 1, args, seed=2)
    contexts = np.zeros((64, 1), np.float32)
    good = [[0, 2, 1], [2, 0, 1]]

    def rewards_of(actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([float(action in good) for action in actions.tolist()])

    for _ in range(40):
        agent.learn(contexts, rewards_of)
    drawn = agent.propose(np.zeros((400, 1), np.float32)).tolist()
    shares = [drawn.count(design) / 400 for design in good]
    assert sum(shares) > 0.95
    assert min(shares) > 0.05


def test_a_field_sees_the_context_and_no_field_from_itself_on() -> None:
    agent = HardwareAgent(SIZES, 3, Args(), seed=6)
    random = np.random.default_rng(6)
    states = torch.from_numpy(random.normal(size=(32, 3)).astype(np.float32))
    actions = torch.from_numpy(random.integers(0, SIZES, size=(32, len(SIZES))))
    with torch.no_grad():
        before = agent.policy(states, actions)
        other = agent.policy(states + 1, actions)
        for changed, size in enumerate(SIZES):
            moved = actions.clone()
            moved[:, changed] = (moved[:, changed] + 1) % size
            after = agent.policy(states, moved)
            for field in range(len(SIZES)):
                same = bool((before[field] == after[field]).all())
                assert same == (field <= changed)
    for field in range(len(SIZES)):
        assert not bool((before[field] == other[field]).any())


def test_best_guesses_are_the_most_probable_designs() -> None:
    args = Args(batch=64, beam=4)
    agent = HardwareAgent((3, 2, 4), 2, args, seed=7)
    contexts = np.ones((64, 2), np.float32)
    for _ in range(5):
        agent.learn(contexts, lambda actions: actions.sum(1) / 6.0)
    every = np.array(list(itertools.product(range(3), range(2), range(4))))
    states = torch.ones(len(every), 2)
    with torch.no_grad():
        parts = agent.policy(states, torch.from_numpy(every))
    log_p = sum(part.log_softmax(1)[range(len(every)), every[:, i]] for i, part in enumerate(parts))
    assert isinstance(log_p, torch.Tensor)
    assert float(log_p.exp().sum()) == pytest.approx(1)
    order = every[log_p.argsort(descending=True).numpy()].tolist()
    # As wide as the count: nothing that is cut off can be among the best of all.
    assert agent.best_guesses(contexts[0], 24).tolist() == order
    assert agent.best_guesses(contexts[0], 100).tolist() == order
    assert agent.best_guess(contexts[0]).tolist() == order[0]


def test_networks_are_compared_with_themselves_alone() -> None:
    """A network whose every design is bad teaches as much as another whose every design is good."""
    args = Args(batch=64, total_updates=40)
    agent = HardwareAgent((4,), 2, args, seed=1)
    which = np.arange(64) % 2
    contexts = np.eye(2, dtype=np.float32)[which]
    for _ in range(40):
        agent.learn(
            contexts, lambda actions: 100.0 * which + 0.1 * (actions[:, 0] == 3 - 3 * which)
        )
    assert agent.best_guess(contexts[0]).tolist() == [3]
    assert agent.best_guess(contexts[1]).tolist() == [0]


def test_state_continues_exactly() -> None:
    args = Args(batch=16, total_updates=10)
    contexts = np.zeros((16, 3), np.float32)
    whole = HardwareAgent(SIZES, 3, args, seed=4)
    for _ in range(3):
        whole.learn(contexts, _distance_reward)
    resumed = HardwareAgent(SIZES, 3, args, seed=99)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    ahead = [whole.learn(contexts, _distance_reward) for _ in range(3)]
    assert [resumed.learn(contexts, _distance_reward) for _ in range(3)] == ahead
    assert np.array_equal(whole.propose(contexts), resumed.propose(contexts))


def _evaluation(**values: object) -> Evaluation:
    costs: dict[str, object] = {"cycles": 1000, "energy": 5.0, "area": 1.0}
    fields: dict[str, object] = {
        "index": 0,
        "phase": "agent",
        "network": "n",
        "accelerator": TINY.default,
        "costs": costs | {name: values.pop(name) for name in costs if name in values},
        "violations": (),
        "excess": 0.0,
        "accuracy": None,
    }
    return Evaluation(**(fields | values))  # type: ignore[arg-type]  # values of mixed kinds


def test_reward_is_the_relative_gain() -> None:
    objective = Objective(metric="latency", area_budget=1.0)
    reference = _evaluation()
    assert reward(objective, _evaluation(cycles=500), reference) == pytest.approx(1.0)
    assert reward(objective, _evaluation(cycles=4000), reference) == pytest.approx(-0.75)
    energy_delay = Objective(metric="edp", area_budget=1.0)
    assert reward(energy_delay, _evaluation(cycles=500, energy=10.0), reference) == 0


def test_blame_grows_with_count_and_distance() -> None:
    objective = Objective(metric="latency", area_budget=1.0)
    reference = _evaluation()
    blames = [
        reward(objective, _evaluation(area=1.1), reference),
        reward(objective, _evaluation(area=1.5), reference),
        reward(objective, _evaluation(area=1.5, violations=("GEN_X",), excess=0.5), reference),
        reward(
            objective, _evaluation(area=1.5, violations=("GEN_X", "MAP_Y"), excess=4.0), reference
        ),
    ]
    assert blames == sorted(blames, reverse=True)
    assert blames[0] < -1  # worse than any realizable design
    assert not objective.feasible(_evaluation(area=1.1))
