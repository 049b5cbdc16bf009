"""First guesses of what has not learned yet: any choice, as the search's seed says, and not the first of each."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from search.agent import Args, HardwareAgent
from search.choice_logits import ChoiceLogits, largest
from search.controller import RecurrentController

SIZES = (2, 3, 5)
SEEDS = 600  # that one of 30 triples is never drawn: once in 10^7 tests


def of_logits(seed: int) -> list[int]:
    values = {str(place): range(size) for place, size in enumerate(SIZES)}
    logits = ChoiceLogits(values, 0.05, torch.Generator().manual_seed(seed))
    return list(logits.most_probable.values())


def of_controller(seed: int) -> list[int]:
    guess: list[int] = RecurrentController(SIZES, hidden=4, seed=seed).best_guess().tolist()
    return guess


def of_agent(seed: int) -> list[int]:
    agent = HardwareAgent(SIZES, 1, Args(hidden=8), seed=seed)
    guess: list[int] = agent.best_guess(np.ones(1, np.float32)).tolist()
    return guess


@pytest.mark.parametrize("guess", [of_logits, of_controller, of_agent])
def test_first_guesses_are_spread_over_all_choices(guess: Callable[[int], list[int]]) -> None:
    guesses = [guess(seed) for seed in range(SEEDS)]
    for place, size in enumerate(SIZES):
        counts = Counter(each[place] for each in guesses)
        expected = SEEDS / size
        assert set(counts) == set(range(size))
        # Five standard deviations of a count.
        bound = 5 * (expected * (1 - 1 / size)) ** 0.5
        assert all(abs(count - expected) < bound for count in counts.values())
    assert len({tuple(each) for each in guesses}) == np.prod(SIZES)


@pytest.mark.parametrize("guess", [of_logits, of_controller, of_agent])
def test_a_seed_has_the_same_first_guess_whenever_it_is_asked(
    guess: Callable[[int], list[int]],
) -> None:
    assert [guess(seed) for seed in range(20)] == [guess(seed) for seed in range(20)]


def test_a_search_that_goes_on_has_the_same_first_guess() -> None:
    """The order of equals is of the seed: states of searches do not hold it."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        logits = ChoiceLogits({"a": range(7)}, 0.05, generator)
        first = logits.most_probable
        logits.draw()
        assert logits.most_probable == first
        again = torch.Generator().manual_seed(seed)
        resumed = ChoiceLogits({"a": range(7)}, 0.05, again)
        resumed.load_state_dict(logits.state_dict())
        again.set_state(generator.get_state())
        assert resumed.most_probable == first
        assert resumed.draw() == logits.draw()


def test_the_largest_is_any_of_the_equal_ones_and_no_other() -> None:
    logits = torch.tensor([1.0, 3.0, 2.0, 3.0])
    guesses = {
        largest(logits, torch.randperm(4, generator=torch.Generator().manual_seed(seed)))
        for seed in range(40)
    }
    assert guesses == {1, 3}
