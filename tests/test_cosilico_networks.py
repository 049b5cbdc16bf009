"""What a user may call a network."""

import json
from pathlib import Path

import pytest

from cosilico.networks import is_named, network_argument
from sim.networks import named_network
from sim.spec.errors import CosilicoError

ROOT = Path(__file__).parent.parent


def test_names_and_files_are_told_apart(tmp_path: Path) -> None:
    assert is_named("mobilenet_v2")
    assert not is_named("absent.json")
    (tmp_path / "plain").write_text("{}")
    assert not is_named(str(tmp_path / "plain"))


def test_neither_name_nor_file_is_refused() -> None:
    message = (
        r"^network must be one of mobilenet_v2, efficientnet_lite0, or a JSON file, not 'vgg'$"
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
