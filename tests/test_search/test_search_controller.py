"""A recurrent controller: what it draws, how probable it is, and what rewards teach it."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from search.controller import RecurrentController
from search.policy_gradient import ProximalUpdates, Reinforce

SIZES = (2, 3, 1, 2)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def everything() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(list(itertools.product(*map(range, SIZES))))


def disturbed(seed: int = 0) -> RecurrentController:
    """Return a controller whose choices are far from equally probable."""
    controller = RecurrentController(SIZES, hidden=16, seed=seed)
    with torch.no_grad():
        for weight in controller.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator(seed)))
    return controller


def test_all_sequences_are_equally_probable_at_the_start() -> None:
    controller = RecurrentController(SIZES, seed=3)
    log_prob, entropy = controller.log_prob_and_entropy(everything())
    assert torch.allclose(log_prob.exp(), torch.full((12,), 1 / 12))
    assert torch.allclose(entropy, torch.full((12,), float(np.log(12))))


def test_probabilities_are_those_of_a_distribution_and_of_what_is_drawn() -> None:
    controller = disturbed()
    log_prob, _ = controller.log_prob_and_entropy(everything())
    probabilities = log_prob.exp().detach()
    assert float(probabilities.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(probabilities.max()) > 0.25
    drawn = controller.draw(4000, generator())
    assert (drawn[:, 2] == 0).all()
    shares = (drawn[:, None] == everything()[None]).all(2).mean(0)
    # Four standard deviations of the largest share of 4,000 draws are 0.029.
    assert np.abs(shares - probabilities.numpy()).max() < 0.029


def test_a_choice_depends_on_those_before_it() -> None:
    log_prob, _ = disturbed().log_prob_and_entropy(everything())
    table = log_prob.exp().detach().numpy().reshape(2, 3, 2)
    last = table[..., 1] / table.sum(2)  # probability of the last choice, given the two before it
    assert np.ptp(last, 0).max() > 0.05
    assert np.ptp(last, 1).max() > 0.05


def test_the_best_guess_takes_the_most_probable_choice_at_every_step() -> None:
    for seed in range(5):
        controller = disturbed(seed)
        log_prob, _ = controller.log_prob_and_entropy(everything())
        table = log_prob.exp().detach().numpy().reshape(2, 3, 2)
        first = table.sum((1, 2)).argmax()
        second = table[first].sum(1).argmax()
        assert controller.best_guess().tolist() == [first, second, 0, table[first, second].argmax()]


def test_a_controller_without_a_choice_learns_nothing() -> None:
    controller = RecurrentController((1, 1), seed=0)
    assert controller.draw(2, generator()).tolist() == [[0, 0], [0, 0]]
    updates = ProximalUpdates(controller, batch=2, step_size=0.1, clip=1.0, passes=1, entropy=0.0)
    reinforce = Reinforce(controller, step_size=0.1)
    before = {name: value.clone() for name, value in controller.state_dict().items()}
    for _ in range(2):
        updates.observe(np.array([0, 0]), 1.0)
        reinforce.learn(np.array([0, 0]), 1.0)
    for name, value in controller.state_dict().items():
        assert torch.equal(value, before[name])


def coupled(actions: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> np.ndarray[
    tuple[int, ...], np.dtype[np.float64]
]:  # fmt: skip
    """Two fields share a budget: their sum is worth something up to 4, and costs above."""
    total = actions.sum(-1)
    worth: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.where(
        total <= 4, total / 4, -1.0
    ) + 0.2 * (actions[..., 0] == 3)
    return worth


def test_proximal_updates_learn_fields_that_share_a_budget() -> None:
    controller = RecurrentController((5, 5), seed=0)
    updates = ProximalUpdates(
        controller, batch=10, step_size=0.005, clip=1.0, passes=4, entropy=0.0
    )
    draws = generator()
    for _ in range(400):
        action = controller.draw(1, draws)[0]
        updates.observe(action, float(coupled(action)))
    assert coupled(controller.draw(500, draws)).mean() > 0.95
    assert coupled(controller.best_guess()) >= 1.0


def test_reinforce_learns_fields_that_share_a_budget() -> None:
    controller = RecurrentController((5, 5), seed=0)
    reinforce = Reinforce(controller, step_size=0.002)
    draws = generator()
    for _ in range(600):
        action = controller.draw(1, draws)[0]
        reinforce.learn(action, float(coupled(action)))
    assert coupled(controller.draw(500, draws)).mean() > 0.9
    assert coupled(controller.best_guess()) >= 1.0


def test_an_update_leaves_probabilities_within_the_clip() -> None:
    """Beyond it no trial has a gradient; Adam's momentum alone goes a little further."""
    actions = np.array([[0], [1]])
    ratios = []
    for clip in (0.2, 10.0):
        controller = RecurrentController((2,), seed=0)
        updates = ProximalUpdates(
            controller, batch=2, step_size=0.0005, clip=clip, passes=200, entropy=0.0
        )
        before, _ = controller.log_prob_and_entropy(actions)
        updates.learn(actions, np.array([1.0, 0.0]))
        after, _ = controller.log_prob_and_entropy(actions)
        ratios.append(float((after - before).exp()[0].detach()))
    assert 1.2 <= ratios[0] < 1.4
    assert ratios[1] > 1.9


def test_an_entropy_bonus_keeps_choices_open() -> None:
    entropies = []
    for weight in (0.0, 1.0):
        controller = RecurrentController((5, 5), seed=0)
        updates = ProximalUpdates(
            controller, batch=10, step_size=0.005, clip=1.0, passes=4, entropy=weight
        )
        draws = generator()
        for _ in range(200):
            action = controller.draw(1, draws)[0]
            updates.observe(action, float(coupled(action)))
        _, entropy = controller.log_prob_and_entropy(controller.draw(100, draws))
        entropies.append(float(entropy.detach().mean()))
    assert entropies[0] + 0.5 < entropies[1]


def test_the_moving_baseline_follows_the_rewards() -> None:
    reinforce = Reinforce(RecurrentController((2,), seed=0), step_size=0.001)
    baselines = []
    for reward in (4.0, 0.0, 8.0):
        reinforce.learn(np.array([0]), reward)
        baselines.append(reinforce.baseline.mean)
    assert baselines == pytest.approx([4.0, 3.8, 4.01])
