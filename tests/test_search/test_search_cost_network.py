"""A learned cost model: what it predicts, how its error is told, and that it goes on where it was."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from search import device
from search.cost_network import CostNetwork
from search.evaluator import Evaluation, Evaluator
from search.learned_costs import LearnedCosts
from search.prediction_error import prediction_error
from sim.cost.objective import Objective
from sim.networks.named import named_network
from small_spaces import SMALL

OBJECTIVE = Objective(metric="latency", area_budget=1.0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def labels() -> list[tuple[tuple[int, ...], Evaluation]]:
    """Realizable points of every second of the small space on a network, in a random order."""
    points = np.random.default_rng(0).permutation(len(SMALL))[::2]
    configs = [SMALL.at(int(point)) for point in points]
    rows = Evaluator().evaluate(configs, named_network("resnet8"), phase="a")
    return [(SMALL.indices(row.accelerator), row) for row in rows if row.realizable]


def learned(labels: list[tuple[tuple[int, ...], Evaluation]], epochs: int) -> LearnedCosts:
    model = LearnedCosts(OBJECTIVE, SMALL.sizes, seed=1)
    for indices, row in labels:
        model.add(indices, row)
    for _ in range(epochs):
        model.epoch()
    return model


def test_costs_are_learned_and_the_error_is_that_of_held_out_pairs(
    labels: list[tuple[tuple[int, ...], Evaluation]],
) -> None:
    model = learned(labels, 40)
    error = model.error()
    assert error is not None
    held_out = [pair for i, pair in enumerate(labels) if i % 10 == 9]
    assert error.pairs == len(held_out) == len(labels) // 10
    predicted = np.array([model.predict(indices) for indices, _ in held_out])
    exact = np.array([(row.cycles, row.area) for _, row in held_out])
    assert error.cost_error == pytest.approx(
        np.abs(predicted[:, 0] / exact[:, 0] - 1).mean(), rel=1e-4
    )
    assert error.area_error == pytest.approx(
        np.abs(predicted[:, 1] / exact[:, 1] - 1).mean(), rel=1e-4
    )
    assert error.cost_error < 0.2
    assert error.area_error < 0.2
    assert (error.cost_correlation or 0) > 0.9
    assert (error.area_correlation or 0) > 0.9


def test_a_label_that_is_held_out_teaches_nothing(
    labels: list[tuple[tuple[int, ...], Evaluation]],
) -> None:
    def dear(row: Evaluation, factor: int) -> Evaluation:
        costs = dict(row.costs) | {"cycles": row.costs["cycles"] * factor}
        return Evaluation(
            index=0, phase="a", network="n", accelerator=row.accelerator, costs=costs,
            violations=(), excess=0.0, accuracy=None,
        )  # fmt: skip

    few = labels[:60]
    predictions = []
    for place in (8, 9):  # the tenth is held out
        changed = [(x, dear(row, 50 if i == place else 1)) for i, (x, row) in enumerate(few)]
        predictions.append(learned(changed, 3).predict(labels[100][0]))
    predictions.append(learned(few, 3).predict(labels[100][0]))
    assert predictions[1] == predictions[2]
    assert predictions[0] != predictions[2]


def test_pairs_that_are_not_realizable_are_dear(
    labels: list[tuple[tuple[int, ...], Evaluation]],
) -> None:
    """Here all accelerators with the first value of a field are said to break a rule."""
    changed = []
    for indices, row in labels:
        violations = ("MAP_WEIGHTS",) if indices[0] == 0 else ()
        changed.append(
            (
                indices,
                Evaluation(
                    index=0, phase="a", network="n", accelerator=row.accelerator, costs=row.costs,
                    violations=violations, excess=0.1, accuracy=None,
                ),
            )
        )  # fmt: skip
    model = learned(changed, 40)
    largest = max(row.cycles for _, row in changed if row.realizable)
    refused = [model.predict(indices)[0] for indices, row in changed if not row.realizable]
    assert np.median(refused) == pytest.approx(2 * largest, rel=0.2)
    assert max(model.predict(indices)[0] for indices, row in changed if row.realizable) < min(
        refused
    )
    error = model.error()
    assert error is not None
    assert error.pairs == sum(row.realizable for _, row in changed[9::10])


def test_a_realizable_label_that_is_held_out_teaches_nothing(
    labels: list[tuple[tuple[int, ...], Evaluation]],
) -> None:
    model = LearnedCosts(OBJECTIVE, SMALL.sizes, seed=1)
    for i, (indices, row) in enumerate(labels[:10]):
        model.add(indices, row if i == 9 else replace(row, violations=("MAP_WEIGHTS",)))
    assert (len(model), model.realizable) == (10, 0)
    model.add(labels[10][0], labels[10][1])
    assert model.realizable == 1
    model.epoch()


def test_training_goes_on_where_it_was(
    labels: list[tuple[tuple[int, ...], Evaluation]],
) -> None:
    whole = learned(labels[:150], 4)
    cut = learned(labels[:150], 2)
    other = LearnedCosts(OBJECTIVE, SMALL.sizes, seed=1)
    other.load_state_dict(cut.state_dict())
    for _ in range(2):
        other.epoch()
    assert other.predict(labels[200][0]) == whole.predict(labels[200][0])
    assert other.error() == whole.error()


def test_dropout_is_there_in_training_alone() -> None:
    network = CostNetwork(4, seed=0)
    x = torch.eye(4)
    network.train()
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()  # no unit is cut off, so that the mean is the network without dropout
        network.train()
        many = torch.stack([network(x) for _ in range(400)]).mean(0)
        network.eval()
        assert torch.allclose(many, network(x), rtol=0.02)


def test_errors_of_predictions() -> None:
    exact = np.array([[100.0, 1.0], [200.0, 2.0], [400.0, 4.0]])
    predicted: NDArray[np.float64] = np.array([[110.0, 3.0], [200.0, 2.0], [300.0, 1.0]])
    error = prediction_error(predicted, exact)
    assert error is not None
    assert error.pairs == 3
    assert error.cost_error == pytest.approx((0.1 + 0.0 + 0.25) / 3)
    assert error.area_error == pytest.approx((2.0 + 0.0 + 0.75) / 3)
    assert (error.cost_correlation, error.area_correlation) == (1.0, -1.0)
    alike = prediction_error(np.ones((2, 2)), exact[:2])
    assert alike is not None
    assert alike.cost_correlation is None
    assert prediction_error(np.zeros((0, 2)), np.zeros((0, 2))) is None


def test_a_cost_network_computes_where_its_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's ``meta`` refuses to compute with a tensor from elsewhere, as CUDA does."""
    meta = torch.device("meta")
    monkeypatch.setattr(device, "training_device", lambda: meta)
    network = CostNetwork(4, seed=0)
    assert all(weight.device == meta for weight in network.parameters())
    assert network.centre.device == meta
    assert network(torch.zeros(3, 4, device=meta)).shape == (3, 2)
