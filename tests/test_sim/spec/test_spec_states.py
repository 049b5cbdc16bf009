"""States of networks: what a run leaves for the next, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.arrays.tables import TensorColumn, tensor_table
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.inputs import join
from sim.spec.network import Concatenation, Layer, LayerKind, Network, State, TensorSpec
from sim.spec.network_json import network_digest
from sim.spec.spaces import TINY
from testbench.cases.layers import add, windowed
from testbench.cases.stateful import stateful_graph

X = TensorSpec(name="x", height=2, width=3, channels=4, scale=1.0, zero_point=0)
HELD = replace(X, name="held")


def copied(name: str, source: TensorSpec) -> Layer:
    rng = np.random.default_rng(0)
    layer = windowed(name, LayerKind.MAX_POOL, source, 1, 1, rng, plain=True)
    return replace(layer, output=replace(source, name=name), clamp=(-128, 127))


def summed(name: str = "sum", a: TensorSpec = X, b: TensorSpec = HELD) -> Layer:
    return add(name, a, b, np.random.default_rng(0))


def state(**changes: Any) -> State:
    fields: dict[str, Any] = {
        "name": "held",
        "next": "kept",
        "output": HELD,
        "initial": np.full(HELD.shape, 5, np.int8),
    }
    return State(**fields | changes)


def network(*layers: Layer, states: tuple[State, ...] = (state(),), **fields: Any) -> Network:
    fields = {"outputs": ("sum",)} | fields
    return Network(
        name="net",
        input=X,
        layers=layers or (summed(), copied("kept", X)),
        states=states,
        **fields,
    )


def test_each_run_finds_what_the_run_before_has_left() -> None:
    made = network()
    x = np.random.default_rng(1).integers(-128, 128, (4, *X.shape)).astype(np.int8)
    values = golden.run(made, x)
    before = np.concatenate([np.full((1, *X.shape), 5, np.int8), x[:-1]])
    np.testing.assert_array_equal(values["held"], before)
    np.testing.assert_array_equal(values["kept"], x)
    np.testing.assert_array_equal(
        values["sum"], golden.run_layer(made.layers[0], [X, HELD], [x, before])
    )


def test_a_file_keeps_states(tmp_path: Path) -> None:
    design = Design(network=network(), accelerator=TINY.default)
    save(design, tmp_path / "design.json")
    again = load(tmp_path / "design.json").network
    assert network_digest(again) == network_digest(design.network)
    changed = network(states=(state(initial=np.full(HELD.shape, 6, np.int8)),))
    assert network_digest(changed) != network_digest(again)
    text = (tmp_path / "design.json").read_text()
    (tmp_path / "design.json").write_text(text.replace('"version": 2,', '"version": 1,'))
    with pytest.raises(DesignFileError, match=r"^network.version must be 2 with outputs, not 1$"):
        load(tmp_path / "design.json")


def of_two_inputs() -> Network:
    """The sum of a state and another input, which the first layer does not read, and the first input as the next state."""
    other = replace(X, name="y")
    return network(summed(a=HELD, b=other), copied("kept", X), further_inputs=(other,))


def test_a_network_of_two_inputs_has_states() -> None:
    made = of_two_inputs()
    rng = np.random.default_rng(1)
    x, y = rng.integers(-128, 128, (2, 4, *X.shape)).astype(np.int8)
    values = golden.run(made, join(made.inputs, {"x": x, "y": y}))
    before = np.concatenate([np.full((1, *X.shape), 5, np.int8), x[:-1]])
    np.testing.assert_array_equal(values["held"], before)
    np.testing.assert_array_equal(values["y"], y)
    expected = golden.run_layer(made.layers[0], [HELD, made.inputs[1]], [before, y])
    np.testing.assert_array_equal(values["sum"], expected)
    assert list(made.tensors) == ["x", "sum", "kept", "held", "y"]
    table = tensor_table(made)
    assert table[:, TensorColumn.MADE].tolist() == [-1, 0, 1, 1, -1]
    assert table[:, TensorColumn.ROOT].tolist() == [-1, -1, 3, 3, -1]
    unread = replace(X, name="z")
    refused("tensor name 'held' must be unique", further_inputs=(HELD,))
    refused("input 'z' of network 'net' must be read by a layer", further_inputs=(unread,))


def test_a_file_keeps_states_beside_inputs(tmp_path: Path) -> None:
    design = Design(network=of_two_inputs(), accelerator=TINY.default)
    save(design, tmp_path / "design.json")
    again = load(tmp_path / "design.json").network
    assert [source.name for source in again.inputs] == ["x", "y"]
    assert [made.name for made in again.states] == ["held"]
    assert network_digest(again) == network_digest(design.network)
    assert '"version": 3,' in (tmp_path / "design.json").read_text()


def test_several_images_in_a_program_are_refused() -> None:
    (violation,) = check(TINY.default, network(), images=3)
    assert violation.code == "MAP_STATE"
    assert violation.detail == (
        "images must be 1 with state 'held', which each takes from the one before, not 3"
    )
    assert check(TINY.default, network(), images=1) == []


def refused(line: str, *layers: Layer, **fields: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        network(*layers, **fields)


def test_refuses_what_cannot_be_a_state() -> None:
    kept = copied("kept", X)
    refused("tensor name 'held' must be unique", states=(state(), state()))
    refused(
        "next of state 'held' must be made by a layer, not 'other'", states=(state(next="other"),)
    )
    refused(
        "next of state 'held' must be no output, no part, no factors and no other state's, not 'kept'",
        outputs=("sum", "kept"),
    )
    other = state(name="held2", output=replace(HELD, name="held2"))
    refused(
        "next of state 'held2' must be no output, no part, no factors and no other state's, not 'kept'",
        states=(state(), other),
    )
    wide = replace(HELD, width=4)
    refused(
        "next of state 'held' must have its shape (2, 4, 4), not (2, 3, 4)",
        copied("sum", X),
        kept,
        states=(state(output=wide, initial=np.zeros(wide.shape, np.int8)),),
    )
    moved = replace(HELD, zero_point=1)
    refused(
        "next of state 'held' must be quantized as it is",
        summed(b=moved),
        kept,
        states=(state(output=moved),),
    )
    refused(
        "layer 'sum' reads state 'held': it must come before 'kept', which is stored over it",
        kept,
        summed(),
    )
    refused(
        "first layer 'sum' must read the input, not 'held'",
        summed(a=HELD, b=X),
        kept,
    )
    refused("output 'held' of network 'net' must be made by layers", outputs=("held",))
    joint = Concatenation(
        name="joint", parts=("sum2", "held"), output=replace(X, name="joint", channels=8)
    )
    refused(
        "part 'held' of concatenation 'joint' must be no state",
        summed(),
        kept,
        replace(copied("sum2", X), name="sum2"),
        concatenations=(joint,),
    )


def test_refuses_states_that_are_not_as_they_say() -> None:
    with pytest.raises(ValueError, match=r"^output of state 'other' must bear its name$"):
        state(name="other")
    line = r"^initial of state 'held' must be int8\[2, 3, 4\], not int16\[2, 3, 4\]$"
    with pytest.raises(ValueError, match=line):
        state(initial=np.zeros(HELD.shape, np.int16))


@pytest.mark.parametrize("inputs", [1, 2])
def test_random_networks_with_states_differ_from_step_to_step(inputs: int) -> None:
    rng = np.random.default_rng(3)
    config: AcceleratorConfig = TINY.default
    changes = 0
    for index in range(12):
        drawn = stateful_graph(config, rng, f"g{index}", inputs)
        assert len(drawn.inputs) == inputs
        x = rng.integers(-128, 128, (1, *drawn.image_shape)).astype(np.int8)
        values = golden.run(drawn, np.concatenate([x, x]))
        changes += any(not np.array_equal(*values[name]) for name in drawn.outputs)
    assert changes > 6
