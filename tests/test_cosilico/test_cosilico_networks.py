"""Names and files by which a user may call a network."""

import json
from pathlib import Path

import numpy as np
import pytest

from cosilico.networks import is_named, network_argument
from project_root import ROOT
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.spec.design import Design, save
from sim.spec.errors import CosilicoError
from sim.spec.spaces import TINY
from testbench.cases.random_networks import Stratum, random_network, strata


def test_names_and_files_are_told_apart(tmp_path: Path) -> None:
    assert is_named("mobilenet_v2")
    assert not is_named("absent.json")
    (tmp_path / "plain").write_text("{}")
    assert not is_named(str(tmp_path / "plain"))


def test_neither_name_nor_file_is_refused() -> None:
    message = (
        rf"^network must be one of {', '.join(NAMED_NETWORKS)}, a JSON file or an imported "
        r"folder, not 'vgg'$"
    )
    with pytest.raises(CosilicoError, match=message):
        network_argument("vgg")


def test_a_name_takes_its_seed() -> None:
    assert network_argument("mobilenet_v2", 4) is named_network("mobilenet_v2", 4)


def test_a_file_may_hold_shapes_alone(tmp_path: Path) -> None:
    document = json.loads((ROOT / "examples" / "handwritten" / "design.json").read_text())
    path = tmp_path / "network.json"
    path.write_text(json.dumps(document["network"]))
    network = network_argument(str(path))
    assert network.name == document["network"]["name"]
    assert not network.layers[0].weights.any()


@pytest.mark.parametrize("stratum", strata(), ids=str)
def test_shapes_alone_do_for_every_kind(tmp_path: Path, stratum: Stratum) -> None:
    made = random_network(stratum, TINY.default, np.random.default_rng(3))
    save(Design(network=made, accelerator=TINY.default), tmp_path / "design.json")
    document = json.loads((tmp_path / "design.json").read_text())["network"]
    path = tmp_path / "network.json"
    path.write_text(json.dumps(document))
    network = network_argument(str(path))
    assert network.tensors == made.tensors
    assert stratum.kind in {layer.kind for layer in network.layers}
    for ours, theirs in zip(network.layers, made.layers, strict=True):
        assert ours.multiplier.shape == theirs.multiplier.shape
        assert not ours.multiplier.any()
