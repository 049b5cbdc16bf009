"""Weight sharing: gates, single paths and static children are the same network."""

import pytest
import torch

from search.architecture import Architecture
from search.children import build_from_layers
from search.networks.plans import DIGITS_SPACE
from search.supernet import Supernet, one_hot_gates, sample_gates

ARCHITECTURES = [
    Architecture(widths=(16, 32, 48), kernels=(3, 3, 3, 3, 3), expansions=(0, 1, 0, 1, 0), head=0),
    Architecture(widths=(24, 48, 64), kernels=(5, 5, 5, 5, 5), expansions=(4, 4, 4, 4, 4), head=64),
    Architecture(widths=(16, 48, 48), kernels=(3, 5, 3, 5, 3), expansions=(1, 2, 0, 4, 2), head=32),
]


@pytest.fixture
def supernet() -> Supernet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Supernet(DIGITS_SPACE)
        for parameter in net.parameters():  # gains and biases that differ channel by channel
            parameter.data += 0.1 * torch.randn(parameter.shape)
        return net


@pytest.mark.parametrize(
    "architecture", ARCHITECTURES, ids=lambda architecture: str(architecture.key)
)
def test_gates_path_and_child_agree(supernet: Supernet, architecture: Architecture) -> None:
    images = torch.rand((32, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    gated = supernet(images, one_hot_gates(DIGITS_SPACE, architecture))
    path = supernet.forward_architecture(images, architecture)
    child = build_from_layers(DIGITS_SPACE.layers(architecture), seed=5)
    supernet.inherit(child, architecture)
    static = child.train()(images)
    assert gated.std() > 0.1
    # float32 sums in another order, through at most 18 layers
    torch.testing.assert_close(path, gated, rtol=0, atol=1e-4)
    torch.testing.assert_close(static, gated, rtol=0, atol=1e-4)


def test_sampled_gates_are_one_hot_with_a_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = {"kernel0": torch.zeros(2, requires_grad=True)}
    counts = torch.zeros(2)
    for _ in range(200):
        gate = sample_gates(logits, temperature=1.0, generator=generator)["kernel0"]
        counts += gate.detach()
        assert sorted(gate.detach().round(decimals=6).tolist()) == [0, 1]
    assert counts.min() > 70
    (gate[0] * 3).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    assert logits["kernel0"].grad is not None
    assert logits["kernel0"].grad.abs().sum() > 0


def test_every_decision_has_a_gradient(supernet: Supernet) -> None:
    logits = {
        name: torch.zeros(len(values), requires_grad=True)
        for name, values in DIGITS_SPACE.decisions.items()
    }
    images = torch.rand((16, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    full = one_hot_gates(DIGITS_SPACE, ARCHITECTURES[1])
    gates = {name: full[name] + torch.softmax(logits[name], 0) for name in logits}
    gates = {name: gate - torch.softmax(logits[name], 0).detach() for name, gate in gates.items()}
    supernet(images, gates).square().sum().backward()
    # on the last block's 2x2 pixels a 5x5 kernel's outer taps see only padding
    for name in set(logits) - {"kernel4"}:
        gradient = logits[name].grad
        assert gradient is not None, name
        assert gradient.abs().sum() > 0, name


def test_children_of_one_seed_are_equal_and_leave_the_global_generator() -> None:
    layers = DIGITS_SPACE.layers(ARCHITECTURES[2])
    before = torch.random.get_rng_state()
    first, second = build_from_layers(layers, seed=3), build_from_layers(layers, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)
