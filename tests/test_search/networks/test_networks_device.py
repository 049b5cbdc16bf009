"""Networks on a device of their own: everything they compute with is there, and the rest is not.

The device is torch's ``meta``, whose tensors have shapes alone: it refuses to compute with a tensor
from elsewhere, as CUDA does.
"""

import pytest
import torch

from search import device
from search.architecture import NetworkSpace
from search.children import build_from_layers
from search.networks.plans import NETWORK_PLANS
from search.supernet import one_hot_gates
from search.training import logits_of

META = torch.device("meta")


@pytest.fixture(params=["digits", "mobilenet_v2", "fbnet"])
def space(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> NetworkSpace:
    monkeypatch.setattr(device, "training_device", lambda: META)
    return NETWORK_PLANS[request.param].space((16, 16, 3), 5)


def test_a_supernet_computes_where_its_weights_are(space: NetworkSpace) -> None:
    supernet = space.supernet()
    assert all(weight.device == META for weight in supernet.parameters())
    architecture = space.architecture(dict.fromkeys(space.decisions, 0))
    images = torch.zeros(4, 3, 16, 16, device=META)
    gates = one_hot_gates(space, architecture)
    assert all(gate.device.type == "cpu" for gate in gates.values())
    logits = supernet(images, gates)
    assert (logits.shape, logits.device) == ((4, 5), META)
    logits.sum().backward()  # of the weights; a gate's gradient would have to leave the device
    assert supernet.forward_architecture(images, architecture).shape == (4, 5)


def test_a_child_computes_where_its_weights_are(space: NetworkSpace) -> None:
    architecture = space.architecture(dict.fromkeys(space.decisions, 0))
    child = build_from_layers(space.layers(architecture), seed=0)
    assert all(weight.device == META for weight in child.parameters())
    space.supernet().inherit(child, architecture)
    child.eval()
    assert logits_of(child, torch.zeros(4, 3, 16, 16, device=META)).shape == (4, 5)


def test_images_from_elsewhere_are_brought_there(space: NetworkSpace) -> None:
    child = build_from_layers(
        space.layers(space.architecture(dict.fromkeys(space.decisions, 0))), seed=0
    )
    made = child.activations(torch.zeros(4, 3, 16, 16))
    assert all(values.device == META for name, values in made.items())
