"""Design files: round trip, and one clear line for everything that can be wrong."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.network import PRODUCT_KINDS, LayerKind, Network, Padding
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import TINY
from testbench.cases.layers import random_tensor, window_pool
from testbench.cases.random_networks import draw_cases, strata


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
    loaded = load(path)
    assert loaded.accelerator == design.accelerator
    assert loaded.network.tensors == design.network.tensors
    for ours, theirs in zip(loaded.network.layers, design.network.layers, strict=True):
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
        loaded = load(file).network
        assert loaded.tensors == case.network.tensors
        for ours, theirs in zip(loaded.layers, case.network.layers, strict=True):
            assert (ours.kind, ours.kernel, ours.padding) == (
                theirs.kind,
                theirs.kernel,
                theirs.padding,
            )
            for name in ("weights", "bias", "multiplier", "shift"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert kinds == set(LayerKind) - {*PRODUCT_KINDS}


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


LAYER = ("network", "layers", 0)
FAULTS: list[tuple[tuple[str | int, ...], Any, str]] = [
    ((*LAYER, "stride"), [1, 10**28], "network.layers[0].stride must be a list of 2 integers in "
     "1 … 65536, not [1, 10000000000000000000000000000]"),
    ((*LAYER, "stride"), [1], "network.layers[0].stride must be a list of 2 integers in "
     "1 … 65536, not [1]"),
    ((*LAYER, "kernel"), [0, 1], "network.layers[0].kernel must be a list of 2 integers in "
     "1 … 65536, not [0, 1]"),
    ((*LAYER, "kernel"), [True, 1], "network.layers[0].kernel must be a list of 2 integers in "
     "1 … 65536, not [True, 1]"),
    ((*LAYER, "clamp"), [-129, 127], "network.layers[0].clamp must be a list of 2 integers in "
     "-128 … 127, not [-129, 127]"),
    ((*LAYER, "padding"), {"top": 4097}, "network.layers[0].padding.top must be an integer in "
     "0 … 4096, not 4097"),
    ((*LAYER, "padding"), {"north": 1}, "network.layers[0].padding has no field 'north'"),
    ((*LAYER, "padding"), [1], "network.layers[0].padding must be an object, not [1]"),
    ((*LAYER, "output", "height"), 1 << 20, "network.layers[0].output.height must be an integer in "
     "1 … 65536, not 1048576"),
    ((*LAYER, "output", "scale"), 0, "network.layers[0].output.scale must be a number in "
     "1e-38 … 1e+38, not 0"),
    ((*LAYER, "output", "scale"), "1", "network.layers[0].output.scale must be a number in "
     "1e-38 … 1e+38, not '1'"),
    ((*LAYER, "output", "zero_point"), 0.5, "network.layers[0].output.zero_point must be an "
     "integer in -128 … 127, not 0.5"),
    ((*LAYER, "inputs"), ["a", "b", "c"], "network.layers[0].inputs must be a list of at most 2 "
     "items, not ['a', 'b', 'c']"),
    ((*LAYER, "inputs"), [7], "network.layers[0].inputs[0] must be a name of 1 … 200 printable "
     "characters, not 7"),
    ((*LAYER, "name"), "a\0b", "network.layers[0].name must be a name of 1 … 200 printable "
     r"characters, not 'a\x00b'"),
    ((*LAYER, "name"), "", "network.layers[0].name must be a name of 1 … 200 printable "
     "characters, not ''"),
    ((*LAYER, "dilation"), [2, 2], "network.layers[0] has no field 'dilation'"),
    (("network", "input"), {"name": "x"}, "network.input.height must be given"),
    (("network", "layers"), [7], "network.layers[0] must be an object, not 7"),
    (("network", "output"), "x", "network has no field 'output'"),
    (("network",), [], "design.network must be an object, not []"),
    (("accelerator",), 7, "design.accelerator must be an object, not 7"),
    (("comment",), "x", "design has no field 'comment'"),
    (("weights", "file"), "../weights.npz", "design.weights.file must be a file's name without a "
     "folder, not '../weights.npz'"),
    (("weights", "file"), "/dev/zero", "design.weights.file must be a file's name without a "
     "folder, not '/dev/zero'"),
    (("weights", "sha256"), "0", "design.weights.sha256 must be 64 hexadecimal digits, not '0'"),
    (("schema",), True, "schema must be 1, not True"),
    (("schema",), [1], "schema must be 1, not [1]"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "line"), FAULTS, ids=lambda x: str(x)[:50])
def test_every_field_has_a_type_and_a_range(
    path: Path, keys: tuple[str | int, ...], value: Any, line: str
) -> None:
    edit(path, *keys, value=value)
    expect(path, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", "design must be an object, not []"),
        ("{}", "design.schema must be given"),
        ("[" * 100_000, "design file {path} must be nested at most 32 deep"),
        ('{"schema": ' + "1" * 5000 + "}",
         "design file {path} must have integers of at most 40 digits, not 5000"),
        ('{"schema": 1, "schema": 1}', "design file {path} must give 'schema' once"),
        ('{"schema": NaN}', "design file {path} must have finite numbers, not NaN"),
    ],
)  # fmt: skip
def test_strange_json_is_one_line(path: Path, text: str, line: str) -> None:
    path.write_text(text)
    expect(path, line.format(path=path))


def test_an_array_of_another_type_is_named(path: Path, design: Design) -> None:
    weights = path.parent / "weights.npz"
    arrays = read_arrays(weights, "weights file")
    name = next(name for name in arrays if name.endswith(".shift"))
    weights.write_bytes(npz_bytes(arrays | {name: arrays[name].astype(np.float32)}))
    edit(path, "weights", value={"file": "weights.npz"})
    expect(path, f"array {name} must be int32, not float32")
    weights.write_bytes(npz_bytes(arrays | {"extra.bias": np.zeros(1, np.int32)}))
    expect(path, "weights file has array 'extra.bias', which no layer uses")


@pytest.mark.parametrize("kind", ["add", "global_average_pool", "mean"])
@pytest.mark.parametrize(
    ("field", "value", "given"),
    [
        ("kernel", [3, 3], "(3, 3)"),
        ("stride", [2, 2], "(2, 2)"),
        ("padding", {"left": 2}, "(0, 0, 2, 0)"),
    ],
)
def test_a_field_that_a_kind_ignores_is_refused(
    tmp_path: Path, kind: str, field: str, value: Any, given: str
) -> None:
    for case in draw_cases(len(strata()), TINY, 5):
        kinds = [str(layer.kind) for layer in case.network.layers]
        if kind in kinds:
            break
    file = tmp_path / "design.json"
    save(Design(network=case.network, accelerator=case.config), file)
    assert load(file).network.layers
    place = kinds.index(kind)
    edit(file, "network", "layers", place, field, value=value)
    name = case.network.layers[place].name
    expect(file, f"{field} of {kind.replace('_', ' ')} {name!r} must be left out, not {given}")
