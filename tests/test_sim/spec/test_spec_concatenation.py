"""Concatenations and outputs of a network: what is kept, what is refused, and their form in files."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.joints import copying_layer, selecting_layer
from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.network import Concatenation, Layer, LayerKind, Network, TensorSpec
from sim.spec.network_json import network_digest, network_fields
from sim.spec.spaces import TINY


def tensor(name: str, channels: int, **changes: Any) -> TensorSpec:
    fields: dict[str, Any] = {"height": 3, "width": 2, "scale": 0.5, "zero_point": 4}
    return TensorSpec(name=name, channels=channels, **fields | changes)


SOURCE = tensor("x", 3)


def conv(name: str, source: TensorSpec, channels: int, **changes: Any) -> Layer:
    """Select channels of a tensor, some more than once."""
    chosen = np.arange(channels) % source.channels
    return selecting_layer(name, source, tensor(name, channels, **changes), chosen)


A, B = conv("a", SOURCE, 2), conv("b", SOURCE, 4)
JOINT = Concatenation(name="j", parts=("b", "a"), output=tensor("j", 6))


def network(*more: Layer, joints: tuple[Concatenation, ...] = (JOINT,), **fields: Any) -> Network:
    return Network(name="n", input=SOURCE, layers=(A, B, *more), concatenations=joints, **fields)


def test_outputs_are_the_last_layer_s_if_none_are_named() -> None:
    assert network().outputs == ("b",)
    assert network().output == B.output
    assert network(outputs=("j", "a")).output == JOINT.output


def test_parts_lie_in_their_order() -> None:
    made = network(conv("c", JOINT.output, 6), outputs=("j", "c"))
    x = np.random.default_rng(0).integers(-128, 128, (2, *SOURCE.shape)).astype(np.int8)
    values = golden.run(made, x)
    assert list(values) == ["x", "a", "b", "j", "c"]
    np.testing.assert_array_equal(values["j"][..., :4], x[..., [0, 1, 2, 0]])
    np.testing.assert_array_equal(values["j"][..., 4:], x[..., :2])
    np.testing.assert_array_equal(values["c"], values["j"])


def test_what_is_computed_channel_by_channel_has_the_segments_of_what_it_reads() -> None:
    copy = copying_layer("d", JOINT.output, dense=False)
    dense = copying_layer("e", JOINT.output, dense=True)
    made = network(copy, dense)
    assert made.segments == {"x": (3,), "a": (2,), "b": (4,), "j": (4, 2), "d": (4, 2), "e": (6,)}


def added(a: TensorSpec, b: TensorSpec) -> Layer:
    return Layer(
        name="s",
        kind=LayerKind.ADD,
        inputs=(a.name, b.name),
        output=replace(a, name="s"),
        multiplier=np.full(3, 1 << 30, np.int32),
        shift=np.zeros(3, np.int32),
    )


OTHER = conv("o", SOURCE, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": ("x",)}, "output 'x' of network 'n' must be made by layers"),
        ({"outputs": ("a", "a")}, "output 'a' of network 'n' must be given once"),
        (
            {"joints": (replace(JOINT, output=tensor("j", 5)),)},
            "concatenation 'j' must have 6 channels, those of its parts, not 5",
        ),
        (
            {"joints": (replace(JOINT, output=tensor("j", 6, height=4)),)},
            "part 'b' of concatenation 'j' must have its size (4, 2), not (3, 2)",
        ),
        (
            {"joints": (replace(JOINT, output=tensor("j", 6, zero_point=5)),)},
            "part 'b' of concatenation 'j' must be quantized as it is",
        ),
        (
            {"joints": (replace(JOINT, parts=("a", "x"), output=tensor("j", 5)),)},
            "part 'x' of concatenation 'j' must be no input and in one concatenation only",
        ),
        (
            {"joints": (JOINT, Concatenation(name="k", parts=("j", "a"), output=tensor("k", 8)))},
            "part 'a' of concatenation 'k' must be no input and in one concatenation only",
        ),
        (
            {"joints": (replace(JOINT, parts=("a", "q")),)},
            "concatenation 'j' has unknown part 'q'",
        ),
        (
            {"joints": (replace(JOINT, name="a", output=tensor("a", 6)),)},
            "tensor name 'a' must be unique",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        network(**change)


def test_operands_of_other_parts_are_not_added() -> None:
    rule = (
        "operands of 's' must consist of concatenated parts alike, not of (4, 2) and (6,) channels"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(rule)}$"):
        network(OTHER, added(JOINT.output, OTHER.output))
    copy = copying_layer("d", JOINT.output, dense=False)
    assert network(copy, added(JOINT.output, copy.output)).segments["s"] == (4, 2)


def test_a_concatenation_is_read_behind_its_last_part() -> None:
    early = conv("c", JOINT.output, 2)
    with pytest.raises(ValueError, match=r"^layer 'c' reads unknown tensor 'j'$"):
        Network(name="n", input=SOURCE, layers=(A, early, B), concatenations=(JOINT,))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": ("a",)}, "concatenation 'j' must have 2 parts or more, not 1"),
        ({"output": tensor("k", 6)}, "output of concatenation 'j' must bear its name"),
        ({"starts": (0,)}, "starts of concatenation 'j' must be one for each part"),
    ],
)
def test_a_concatenation_has_a_name_and_parts(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(JOINT, **fields)


def test_files_keep_outputs_and_concatenations(tmp_path: Path) -> None:
    made = network(conv("c", JOINT.output, 6), outputs=("c", "j"))
    save(Design(network=made, accelerator=TINY.default), tmp_path / "design.json")
    again = load(tmp_path / "design.json").network
    assert (again.outputs, again.concatenations) == (made.outputs, made.concatenations)
    assert network_digest(again) == network_digest(made)


def test_a_network_of_one_output_has_the_fields_of_version_1() -> None:
    plain = network(joints=())
    assert network_fields(plain).keys() == {"name", "input", "layers"}
    assert network_fields(network())["version"] == 2


@pytest.mark.parametrize("field", ["outputs", "concatenations"])
def test_version_1_has_no_graphs(tmp_path: Path, field: str) -> None:
    path = tmp_path / "design.json"
    save(Design(network=network(outputs=("a", "b")), accelerator=TINY.default), path)
    document = json.loads(path.read_text())
    del document["network"]["version"]
    for other in {"outputs", "concatenations"} - {field}:
        del document["network"][other]
    path.write_text(json.dumps(document))
    rule = f"network.version must be 2 with {field}, not 1"
    with pytest.raises(DesignFileError, match=f"^{rule}$"):
        load(path)
