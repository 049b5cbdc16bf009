"""A family of a single network: what names it, and a supernet that is the whole family's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from search.experiment import load_experiment
from search.networks.fixed import FixedFamily, fixed_choices
from search.networks.plans import DIGITS_SPACE
from search.supernet import one_hot_gates
from sim.spec.errors import DesignFileError

CHOICES = {
    name: (i * 7) % len(values) for i, (name, values) in enumerate(DIGITS_SPACE.decisions.items())
}
TASK = "[task]\nname = 'digits'\n"


def test_words_and_tables_name_a_network() -> None:
    decisions = {"a": (1, 2, 4), "b": (0, 8)}
    assert fixed_choices(decisions, "smallest") == {"a": 0, "b": 0}
    assert fixed_choices(decisions, "largest") == {"a": 2, "b": 1}
    assert fixed_choices(decisions, {"a": 2}) == {"a": 1, "b": 0}
    assert fixed_choices(decisions, {"b": 8, "a": 4}) == {"a": 2, "b": 1}
    with pytest.raises(ValueError, match=r"^fixed.a must be one of \[1, 2, 4\], not 3$"):
        fixed_choices(decisions, {"a": 3})
    with pytest.raises(
        ValueError, match=r"^fixed must name decisions of the space, a, b, not 'c'$"
    ):
        fixed_choices(decisions, {"c": 3})


def test_the_only_member_is_that_of_the_family() -> None:
    family = FixedFamily(DIGITS_SPACE, CHOICES)
    member = DIGITS_SPACE.architecture(CHOICES)
    assert family.size == 1
    assert list(family.decisions) == list(DIGITS_SPACE.decisions)
    assert all(len(values) == 1 for values in family.decisions.values())
    zeros = dict.fromkeys(family.decisions, 0)
    assert family.architecture(zeros) == member
    assert family.choices(member) == zeros
    assert family.layers(member) == DIGITS_SPACE.layers(member)
    code = family.encode(member)
    assert code.dtype == np.float32
    assert code.tolist() == [1.0] * len(family.decisions)
    with pytest.raises(IndexError):
        family.architecture(zeros | {"head": 1})
    other = DIGITS_SPACE.architecture(CHOICES | {"width0": 1 - CHOICES["width0"]})
    with pytest.raises(ValueError, match=rf"^architecture must be {member.key}, not {other.key}$"):
        family.choices(other)


def test_its_gates_are_those_of_the_whole_family() -> None:
    """The same weights and the same logits; a gate has the gradient of the family's gate."""
    family = FixedFamily(DIGITS_SPACE, CHOICES)
    member = DIGITS_SPACE.architecture(CHOICES)
    torch.manual_seed(3)
    supernet = family.supernet()
    torch.manual_seed(3)
    whole = DIGITS_SPACE.supernet()
    images = torch.randn(6, 1, 8, 8)
    gates = {name: torch.ones(1, requires_grad=True) for name in family.decisions}
    wide = {
        name: gate.clone().requires_grad_()
        for name, gate in one_hot_gates(DIGITS_SPACE, member).items()
    }
    logits, expected = supernet(images, gates), whole(images, wide)
    assert torch.equal(logits, expected)
    assert torch.equal(
        supernet.forward_architecture(images, member), whole.forward_architecture(images, member)
    )
    logits.sum().backward()
    expected.sum().backward()
    chosen = DIGITS_SPACE.choices(member)
    for name, gate in gates.items():
        whole_gradient = wide[name].grad
        assert (gate.grad is None) == (whole_gradient is None)
        if gate.grad is not None and whole_gradient is not None:
            assert gate.grad.item() == whole_gradient[chosen[name]].item()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "fixed = 'medium'",
            "network.fixed must be one of smallest, largest, or a table of integers by a decision's "
            "name, not 'medium'",
        ),
        (
            "fixed = {width0 = 16.0}",
            "network.fixed must be one of smallest, largest, or a table of integers by a decision's "
            "name, not {'width0': 16.0}",
        ),
        ("fixed = {width0 = 20}", "network.fixed.width0 must be one of [16, 24], not 20"),
        (
            "space = 'mobilenet_v2'\nfixed = {width1 = 24}",
            "network.fixed.width1 must be one of [16], not 24",
        ),
    ],
)
def test_a_network_that_is_not_in_the_space_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(f"{TASK}[network]\n{text}\n")
    with pytest.raises(DesignFileError) as caught:
        load_experiment(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_network_of_a_space_of_ones_own_may_be_fixed(tmp_path: Path) -> None:
    (tmp_path / "own_networks.py").write_text(
        "from search.networks.plans import NETWORK_PLANS\n"
        "def family(image, classes):\n    return NETWORK_PLANS['digits'].space(image, classes)\n"
    )
    path = tmp_path / "experiment.toml"
    path.write_text(f"{TASK}[network]\nentry = 'own_networks:family'\nfixed = 'largest'\n")
    network = load_experiment(path).network
    family = network.family((8, 8, 1), 10, default="digits")
    assert family.architecture(dict.fromkeys(family.decisions, 0)).widths == (24, 48, 64)
    path.write_text(f"{TASK}[network]\nentry = 'own_networks:family'\nfixed = {{deep = 2}}\n")
    network = load_experiment(path).network
    with pytest.raises(DesignFileError, match=r"^network.fixed must name decisions of the space, "):
        network.family((8, 8, 1), 10, default="digits")
