"""Design files: round trip, and one clear line for everything that can be wrong."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import TINY
from testbench.cases import draw_cases, strata
from testbench.layers import random_tensor, window_pool


@pytest.fixture
def design() -> Design:
    case = draw_cases(3, TINY, 5)[2]
    return Design(network=case.network, accelerator=case.config)


@pytest.fixture
def path(tmp_path: Path, design: Design) -> Path:
    file = tmp_path / "design.json"
    save(design, file)
    return file


def edit(path: Path, *keys: str | int, value: Any) -> None:
    document = json.loads(path.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document))


def expect(path: Path, message: str) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        load(path)


def test_round_trip_keeps_every_value(design: Design, path: Path) -> None:
    found = load(path)
    assert found.accelerator == design.accelerator
    assert found.network.tensors == design.network.tensors
    for ours, theirs in zip(found.network.layers, design.network.layers, strict=True):
        assert (ours.kind, ours.inputs, ours.stride, ours.padding, ours.clamp) == (
            theirs.kind,
            theirs.inputs,
            theirs.stride,
            theirs.padding,
            theirs.clamp,
        )
        for name in ("weights", "bias", "multiplier", "shift"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_pools_and_means_come_back(tmp_path: Path) -> None:
    cases = draw_cases(len(strata()), TINY, 5)
    kinds = set()
    for case in cases:
        kinds |= {layer.kind for layer in case.network.layers}
        file = tmp_path / "design.json"
        save(Design(network=case.network, accelerator=case.config), file)
        found = load(file).network
        assert found.tensors == case.network.tensors
        for ours, theirs in zip(found.layers, case.network.layers, strict=True):
            assert (ours.kind, ours.kernel, ours.padding) == (
                theirs.kind,
                theirs.kernel,
                theirs.padding,
            )
            for name in ("weights", "bias", "multiplier", "shift"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert kinds == set(LayerKind)


def test_a_padded_average_pool_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", 4, 4, 3, rng)
    kind = LayerKind.AVERAGE_POOL
    layer = window_pool("layer", kind, source, (2, 2), (1, 1), Padding(), rng)
    file = tmp_path / "design.json"
    whole = Network(name="one", input=source, layers=(layer,))
    save(Design(network=whole, accelerator=TINY.default), file)
    edit(file, "network", "layers", 0, "padding", value={"top": 1})
    expect(file, "padding of average pool 'layer' must be 0 on every side, not (1, 0, 0, 0)")


def test_same_design_gives_the_same_bytes(tmp_path: Path, design: Design, path: Path) -> None:
    save(design, tmp_path / "again" / "design.json")
    assert (tmp_path / "again" / "design.json").read_bytes() == path.read_bytes()
    assert (tmp_path / "again" / "weights.npz").read_bytes() == (
        path.parent / "weights.npz"
    ).read_bytes()


def test_names_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    expect(path, f"design file {path} cannot be read: No such file or directory")


def test_names_a_missing_weights_file(path: Path) -> None:
    weights = path.parent / "weights.npz"
    weights.unlink()
    expect(path, f"weights file {weights} cannot be read: No such file or directory")


def test_names_a_truncated_weights_file(path: Path) -> None:
    weights = path.parent / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:100])
    expect(path, f"weights file {weights} is truncated or not an npz file")


def test_names_a_weights_file_of_another_design(path: Path) -> None:
    edit(path, "weights", "sha256", value="0" * 64)
    weights = path.parent / "weights.npz"
    expect(path, f"weights file {weights} does not match the design's weights.sha256")


def test_names_a_field_of_the_wrong_type(path: Path) -> None:
    edit(path, "accelerator", "pes_x", value="two")
    expect(path, "accelerator.pes_x must be an integer in 1 … 4294967295, not 'two'")


def test_names_a_missing_and_an_unknown_field(path: Path) -> None:
    edit(path, "accelerator", "pes_z", value=1)
    expect(path, "accelerator has no field 'pes_z'")
    document = json.loads(path.read_text())
    del document["accelerator"]["pes_z"], document["accelerator"]["pes_x"]
    path.write_text(json.dumps(document))
    expect(path, "accelerator.pes_x must be given")


def test_names_an_unknown_op(path: Path) -> None:
    edit(path, "network", "layers", 0, "kind", value="softmax")
    kinds = ", ".join(LayerKind)
    assert "max_pool" in kinds
    expect(path, f"network.layers[0].kind must be one of {kinds}, not 'softmax'")


def test_names_weights_of_the_wrong_shape(path: Path, design: Design) -> None:
    edit(path, "network", "layers", 0, "kernel", value=[9, 9])
    with pytest.raises(DesignFileError, match=r"^output of layer '\w+' must have shape .*$"):
        load(path)
    assert design.network.layers


def test_names_another_schema(path: Path) -> None:
    edit(path, "schema", value=7)
    expect(path, "schema must be 1, not 7")


def test_weights_digest_may_be_left_out_by_hand(path: Path) -> None:
    document = json.loads(path.read_text())
    del document["weights"]["sha256"]
    path.write_text(json.dumps(document))
    assert load(path).network.layers
