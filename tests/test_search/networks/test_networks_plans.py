"""Network spaces: their sizes, their layers, and one supernet for all of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from search.architecture import SKIP, Architecture, NetworkSpace
from search.children import build_from_layers
from search.networks.plans import DIGITS_SPACE, NETWORK_PLANS, NetworkPlan, Stage
from search.networks.settings import NetworkSettings, StageSettings
from search.supernet import Supernet, one_hot_gates
from sim.spec.network import LayerKind

SMALL = {
    "no head": NetworkPlan(
        stages=(Stage(widths=(8, 16), blocks=1), Stage(widths=(8,), blocks=2, stride=2)),
        kernels=(3, 5, 7), expansions=(1, 2), heads=(0,), stem_stride=2,
    ),
    "no expansion 1, no skip, head always": NetworkPlan(
        stages=(
            Stage(widths=(8,), blocks=0),
            Stage(widths=(8, 12), blocks=1, expansions=(1,), kernels=(3,)),
            Stage(widths=(16,), blocks=2, stride=2),
        ),
        kernels=(3, 5), expansions=(2, 3), heads=(8, 24), skip=False,
    ),
}  # fmt: skip


def drawn(space: NetworkSpace, seed: int) -> Architecture:
    random = np.random.default_rng(seed)
    return space.architecture(
        {name: int(random.integers(len(values))) for name, values in space.decisions.items()}
    )


@pytest.mark.parametrize(
    ("name", "size", "blocks"),
    [
        ("mobilenet_v2", 3 * 6**16, 17),  # 8.4e12: the first block has no choice of expansion
        ("efficientnet", 3 * 6**15, 16),  # 1.4e12
        ("fbnet", 7**16 * 6**6, 22),
        ("digits", 2**3 * 3 * 6**2 * 7**3, 5),
        ("fashion", 2 * 3 * 3 * 2 * 3 * 7**5 * 6**3, 8),
    ],
)
def test_the_built_in_spaces_have_their_sizes(name: str, size: int, blocks: int) -> None:
    space = NETWORK_PLANS[name].space((32, 32, 3), 10)
    assert len(space.blocks) == blocks
    assert space.size == size


def test_the_sizes_are_those_of_nahas() -> None:
    sizes = [
        NETWORK_PLANS[name].space((224, 224, 3), 1000).size
        for name in ("mobilenet_v2", "efficientnet")
    ]
    assert [f"{size:.1e}" for size in sizes] == ["8.5e+12", "1.4e+12"]


def test_size_counts_every_architecture_once() -> None:
    space = NetworkPlan(
        stages=(Stage(widths=(8, 16), blocks=2),), kernels=(3, 5), expansions=(1, 2), heads=(0, 8)
    ).space((4, 4, 1), 2)
    decisions = space.decisions
    grids = np.meshgrid(*(np.arange(len(values)) for values in decisions.values()))
    chosen = np.stack([grid.reshape(-1) for grid in grids], 1)
    architectures = {
        space.architecture(dict(zip(decisions, map(int, row), strict=True))) for row in chosen
    }
    assert len(architectures) == space.size
    assert any(SKIP in architecture.expansions for architecture in architectures)


@pytest.mark.parametrize(
    ("name", "multiplies"), [("mobilenet_v2", 300.8e6), ("efficientnet", 385.9e6)]
)
def test_the_papers_networks_are_in_their_spaces(name: str, multiplies: float) -> None:
    """Multiply-adds as torchvision states them: EfficientNet-B0's include 0.7 million of squeezing."""
    space = NETWORK_PLANS[name].space((224, 224, 3), 1000)
    kernels: tuple[int, ...] = (3,) * len(space.blocks)
    if name == "efficientnet":  # Tan and Le, 2019, Table 1
        kernels = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3)
    chosen = Architecture(
        widths=tuple(widths[0] for widths in space.stage_widths),
        kernels=kernels,
        expansions=(1, *(6,) * (len(space.blocks) - 1)),
        head=1280,
    )
    assert space.architecture(space.choices(chosen)) == chosen
    total = 0
    for layer in space.layers(chosen):
        if layer.kind in (LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.FULLY_CONNECTED):
            depth = 1 if layer.kind is LayerKind.DEPTHWISE else layer.in_shape[2]
            total += int(np.prod(layer.out_shape)) * depth * int(np.prod(layer.kernel))
    assert total == pytest.approx(multiplies, rel=0.002)


@pytest.mark.parametrize("plan", SMALL.values(), ids=SMALL.keys())
def test_gates_paths_and_children_agree_in_every_space(plan: NetworkPlan) -> None:
    space = plan.space((9, 10, 2), 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        supernet = Supernet(space).double()
        images = torch.randn(6, 2, 9, 10, dtype=torch.float64)
        for parameter in supernet.parameters():  # norms that do nothing would hide mistakes
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    for seed in range(12):
        architecture = drawn(space, seed)
        path = supernet.forward_architecture(images, architecture)
        gates = {k: gate.double() for k, gate in one_hot_gates(space, architecture).items()}
        assert torch.allclose(supernet(images, gates), path, atol=1e-9)
        child = build_from_layers(space.layers(architecture), seed=0).double()
        supernet.inherit(child, architecture)
        child.train()
        assert torch.allclose(child(images), path, atol=1e-9)


@pytest.mark.parametrize("plan", SMALL.values(), ids=SMALL.keys())
def test_every_decision_gets_a_gradient(plan: NetworkPlan) -> None:
    space = plan.space((9, 10, 2), 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        supernet, images = space.supernet(), torch.randn(6, 2, 9, 10)
    gates = {
        name: torch.full((len(values),), 1 / len(values), requires_grad=True)
        for name, values in space.decisions.items()
    }
    supernet(images, gates).square().sum().backward()
    for name, values in space.decisions.items():
        if len(values) > 1:
            gradient = gates[name].grad
            assert gradient is not None
            assert gradient.abs().max() > 0, name


def test_the_digits_space_is_the_plan_of_its_name() -> None:
    assert NetworkSettings().family((8, 8, 1), 10, default="digits") == DIGITS_SPACE


def test_given_fields_change_a_built_in_space() -> None:
    changed = NetworkSettings(space="fashion", kernels=(3,), heads=(0,), skip=False).plan("digits")
    assert changed == replace(NETWORK_PLANS["fashion"], kernels=(3,), heads=(0,), skip=False)
    stages = (StageSettings(widths=(8, 16), blocks=3, stride=2, expansions=(4,)),)
    own = NetworkSettings(stages=stages, stem_stride=2).plan("digits")
    assert own.stages == (Stage(widths=(8, 16), blocks=3, stride=2, expansions=(4,)),)
    assert (own.kernels, own.stem_stride) == (NETWORK_PLANS["digits"].kernels, 2)


def test_images_have_the_size_that_is_asked_for() -> None:
    assert NetworkSettings(space="mobilenet_v2").size("digits") == (224, 224)
    assert NetworkSettings(space="mobilenet_v2", image=(32, 40)).size("digits") == (32, 40)
    assert NetworkSettings().size("digits") is None
