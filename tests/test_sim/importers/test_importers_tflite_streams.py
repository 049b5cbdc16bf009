"""TensorFlow Lite models that run step by step: variables and SVDF, against TensorFlow Lite Micro."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampled import sampled
from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork, load, save
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.lowering import OPERATORS
from sim.importers.tflite.reader import parse_tflite
from sim.importers.tflite.variables import VARIABLE_OPERATORS
from testbench.cases.tflite_models import RandomModel, import_random
from testbench.cases.tflite_streams import STREAM_OPERATORS, STREAM_STEPS, stream_model
from testbench.cases.tflite_writer import CodeFields, ModelWriter
from testbench.judges.tflite_oracle import judge, run_model

MODELS, PARTS = 320, 4
OF_TWO_INPUTS = 120
KIND: dict[str, Any] = {"scales": [0.5], "zero_points": [7]}


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def refusal(content: bytes) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        imported(content)
    return str(caught.value)


def compare(model: RandomModel, seed: int) -> tuple[int, bool]:
    """Compare all activations of all steps; return the number of states, and whether the output is lively."""
    made = import_random(model, seed)
    values = golden.run(made.network, made.host.prepare(model.inputs))
    expected, outputs = judge(model.content, made, model.inputs)
    for name, activation in expected.items():
        same = np.array_equal(values[name].reshape(-1), activation.reshape(-1))
        assert same, f"{name} of model of seed {seed}"
    pairs = made.host.all_outputs({name: values[name] for name in made.network.outputs})
    for (_, result), output in zip(pairs, outputs, strict=True):
        np.testing.assert_array_equal(result, output, f"model of seed {seed}")
    return len(made.network.states), len(np.unique(pairs[0][0])) > 2


@pytest.mark.parametrize("part", sampled(range(PARTS), lambda part: part % 2 == 0))
def test_every_activation_of_every_step_equals_the_interpreters(part: int) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    states = lively = 0
    for seed in range(part * MODELS // PARTS, (part + 1) * MODELS // PARTS):
        model = stream_model(seed)
        assert len(model.inputs) == STREAM_STEPS
        kept, moves = compare(model, seed)
        states += kept
        lively += moves
    assert states > MODELS // PARTS
    assert lively > MODELS // PARTS // 3


def test_models_of_two_inputs_equal_the_interpreters_in_every_step() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    states = lively = 0
    for seed in range(OF_TWO_INPUTS):
        model = stream_model(seed, inputs=2)
        assert [len(x) for x in model.inputs] == [STREAM_STEPS] * 2
        assert len(import_random(model, seed).network.inputs) == 2
        kept, moves = compare(model, seed)
        states += kept
        lively += moves
    assert states > OF_TWO_INPUTS
    assert lively > OF_TWO_INPUTS // 3


def test_draws_every_operator_that_keeps_something() -> None:
    models = [parse_tflite(stream_model(seed).content, "model") for seed in range(60)]
    drawn = {node.name for model in models for node in model.operators}
    assert drawn == set(STREAM_OPERATORS)
    assert {*VARIABLE_OPERATORS, "SVDF"} <= drawn
    assert drawn <= {*OPERATORS, *VARIABLE_OPERATORS}


class Window(ModelWriter):
    """A row of three values behind the two rows of the steps before."""

    def __init__(self, **variable: Any) -> None:
        super().__init__()
        self.input = self.tensor((1, 1, 1, 3), name="x", **KIND)
        self.resource = self.tensor((), "resource", name="resource")
        self.earlier = self.tensor((1, 2, 1, 3), **{"name": "earlier", **KIND, **variable})
        self.whole = self.tensor((1, 3, 1, 3), name="whole", **KIND)
        self.left = self.tensor((1, 2, 1, 3), name="left", **KIND)

    def called(self, *names: str, value: Any = None, graph: int = 1) -> bytes:
        """The model of these of its operators; a graph assigns ``value`` at first, if it is given."""
        if value is not None:
            first = ModelWriter()
            resource = first.tensor((), "resource")
            constant = first.constant(value, "int8", **KIND)
            first.operator("VAR_HANDLE", [], [resource], Container="", SharedName="rows")
            first.operator("ASSIGN_VARIABLE", [resource, constant], [])
            self.further.append(first)
        begin, size = self.constant([0, 1, 0, 0], "int32"), self.constant([1, 2, 1, 3], "int32")
        operators: dict[str, tuple[list[int], list[int], dict[str, Any]]] = {
            "CALL_ONCE": ([], [], {"InitSubgraphIndex": graph}),
            "VAR_HANDLE": ([], [self.resource], {"Container": "", "SharedName": "rows"}),
            "READ_VARIABLE": ([self.resource], [self.earlier], {}),
            "CONCATENATION": ([self.earlier, self.input], [self.whole], {"Axis": 1}),
            "SLICE": ([self.whole, begin, size], [self.left], {}),
            "ASSIGN_VARIABLE": ([self.resource, self.left], [], {}),
        }
        for name in names or operators:
            inputs, outputs, options = operators[name]
            self.operator(name, inputs, outputs, **options)
        return self.finish([self.input], [self.whole], CodeFields.BOTH)


ALL = ("VAR_HANDLE", "READ_VARIABLE", "CONCATENATION", "SLICE", "ASSIGN_VARIABLE")


@pytest.mark.parametrize("value", [None, np.arange(6).reshape(1, 2, 1, 3)])
def test_the_last_rows_are_found_again(value: Any) -> None:
    content = Window().called(*(ALL if value is None else ("CALL_ONCE", *ALL)), value=value)
    made = imported(content)
    (state,) = made.network.states
    first = [7] * 6 if value is None else list(range(6))
    assert state.initial.reshape(-1).tolist() == first
    assert state.next == "slice_3" if value is None else "slice_4"
    x = np.arange(10, 22, dtype=np.int8).reshape(4, 1, 1, 3)
    rows = golden.run(made.network, x)[made.network.output.name].reshape(4, 9)
    assert rows[0].tolist() == [*first, 10, 11, 12]
    assert rows[3].tolist() == list(range(13, 22))
    np.testing.assert_array_equal(rows, run_model(content, x)[0].reshape(4, 9))


def test_states_are_in_the_folder(tmp_path: Path) -> None:
    made = imported(Window().called("CALL_ONCE", *ALL, value=np.arange(6).reshape(1, 2, 1, 3)))
    save(made, tmp_path)
    (state,), (again,) = made.network.states, load(tmp_path).network.states
    assert (state.name, state.next, state.output) == (again.name, again.next, again.output)
    np.testing.assert_array_equal(state.initial, again.initial)


def test_refuses_variables_that_are_no_states() -> None:
    def where(number: int, name: str, tensor: str = "") -> str:
        return f"operator {number} {name} (tensor {tensor!r}): "

    assert refusal(Window().called(value=np.zeros((1, 2, 1, 3)), graph=2)) == (
        f"{where(0, 'CALL_ONCE')}graph must be one of 1 … 1, not 2"
    )
    assert refusal(Window().called(*ALL, value=np.zeros((1, 2, 1, 3)))) == (
        "model must have one graph, not 2"
    )
    assert refusal(Window().called(*ALL, "CALL_ONCE", value=np.zeros((1, 2, 1, 3)))) == (
        f"{where(5, 'CALL_ONCE')}must come before what reads and assigns variables"
    )
    assert refusal(Window().called("CALL_ONCE", *ALL, value=np.zeros((1, 6)))) == (
        f"{where(2, 'READ_VARIABLE', 'earlier')}its variable must begin as int8 of shape (1, 2, 1, 3), "
        "not as int8 of shape (1, 6)"
    )
    assert refusal(Window().called(*ALL[:4])) == (
        f"{where(1, 'READ_VARIABLE', 'earlier')}its variable must be assigned, too"
    )
    assert refusal(Window().called(*ALL[1:])) == (
        f"{where(0, 'READ_VARIABLE', 'earlier')}input 0 must be what a VAR_HANDLE gives"
    )
    assert refusal(Window(dtype="int16").called(*ALL)) == (
        f"{where(1, 'READ_VARIABLE', 'earlier')}variable 'earlier' must be int8, not int16"
    )
    assert refusal(Window(zero_points=[8]).called(*ALL)) == (
        f"{where(4, 'ASSIGN_VARIABLE')}tensor 'left' must have shape and quantization of 'earlier', "
        "which is the same variable"
    )


def test_refuses_a_graph_that_computes() -> None:
    model = Window()
    first = ModelWriter()
    a, b = first.tensor((1, 2), **KIND), first.tensor((1, 2), **KIND)
    first.operator("RELU", [a], [b])
    model.further.append(first)
    line = "operator 0 CALL_ONCE (tensor ''): its graph must only assign constants, not RELU"
    assert refusal(model.called("CALL_ONCE", *ALL)) == line


class Filter(ModelWriter):
    """An SVDF of two units that sees three steps."""

    def written(self, *, rank: int = 1, activation: int = 1, **changes: Any) -> bytes:
        """Encode the model, with what ``changes`` names otherwise than it should be."""
        rng, filters = np.random.default_rng(0), 2 * rank
        x = self.tensor((1, 4), name="x", scales=[0.1], zero_points=[3])
        state = {"shape": (1, 3 * filters), "dtype": "int8", "variable": True, "zero_points": [0]}
        kept = self.tensor(
            **{"name": "state", "scales": [0.2], **state, **changes.get("state", {})}
        )
        features = self.constant(rng.integers(-127, 128, (filters, 4)), "int8", scales=[0.01])
        time = self.constant(
            rng.integers(-127, 128, (filters, 3)),
            changes.get("time", "int8"),
            scales=[0.02],
            name="time",
        )
        given, shared = [x], changes.get("shared")
        if shared == "written":
            given.append(self.tensor((1, 3 * filters), name="other", scales=[0.2], zero_points=[0]))
            self.operator("RELU", [given[-1]], [kept])
        if shared == "input":
            given.append(kept)
        bias = -1 if changes.get("unbiased") else self.constant([100, -50], "int32", scales=[0.004])
        y = self.tensor((1, 2), name="y", scales=[0.7], zero_points=[5])
        self.operator(
            "SVDF",
            [x, features, time, bias, kept],
            [y],
            Rank=changes.get("said", rank),
            FusedActivationFunction=activation,
        )
        return self.finish(given, [y, kept] if shared == "output" else [y])


@pytest.mark.parametrize(("rank", "zero_point"), [(1, 0), (2, 0), (1, 7), (3, -128)])
def test_svdf_sees_the_last_steps(rank: int, zero_point: int) -> None:
    content = Filter().written(rank=rank, state={"zero_points": [zero_point]})
    made = imported(content)
    assert [state.output.shape for state in made.network.states] == [(2, 1, 2 * rank)]
    assert any(layer.table is not None for layer in made.network.layers) == (zero_point != 0)
    x = np.random.default_rng(1).integers(-128, 128, (40, 4)).astype(np.int8)
    values = golden.run(made.network, made.host.prepare(x))[made.network.output.name]
    np.testing.assert_array_equal(values.reshape(40, 2), run_model(content, x)[0])


def test_refuses_what_svdf_does_not_have() -> None:
    where = "operator 0 SVDF (tensor 'y'): "
    for changes, line in (
        ({"state": {"dtype": "int16"}}, "state 'state' must be int8, not int16"),
        ({"time": "int16"}, "weights over time 'time' must be int8, not int16"),
        ({"state": {"variable": False}}, "reads tensor 'state' before it is computed"),
        ({"state": {"shape": (1, 5)}}, "state 'state' must have shape (1, 6), not (1, 5)"),
        ({"unbiased": True}, "input 3 must be given"),
        ({"said": 3}, "rank must divide the 2 filters, not be 3"),
        ({"activation": 3}, "fused activation must be NONE or RELU, not 3"),
    ):
        assert refusal(Filter().written(**changes)) == f"{where}{line}"


@pytest.mark.parametrize("number", [0, 1])
def test_refuses_a_state_that_others_write_or_see(number: int) -> None:
    """The interpreter would keep what another operator, or the application, has written into it."""
    alone = "must be read and written by nothing else"
    line = f"operator {number} SVDF (tensor 'y'): state 'state' {alone}"
    assert refusal(Filter().written(shared="written" if number else "input")) == line
    line = "output 'state' must be computed by the accelerator"
    assert refusal(Filter().written(shared="output")) == line


def test_refuses_svdf_of_uint8() -> None:
    """The interpreter has none, so that nothing says what it would compute."""
    writer, rng = ModelWriter(), np.random.default_rng(0)
    kind: dict[str, Any] = {"dtype": "uint8", "scales": [0.1], "zero_points": [128]}
    x, y = writer.tensor((1, 4), name="x", **kind), writer.tensor((1, 2), name="y", **kind)
    state = writer.tensor((1, 6), variable=True, **kind)
    constants = [
        writer.constant(rng.integers(-127, 128, shape), "int8", scales=[0.01])
        for shape in ((2, 4), (2, 3))
    ]
    bias = writer.constant([1, 2], "int32", scales=[0.001])
    options = {"Rank": 1, "FusedActivationFunction": 0}
    writer.operator("SVDF", [x, *constants, bias, state], [y], **options)
    line = "operator 0 SVDF (tensor 'y'): must be int8, not uint8 (of uint8 less 128)"
    assert refusal(writer.finish([x], [y])) == line


@pytest.mark.parametrize("name", ["IF", "WHILE"])
def test_names_an_operator_that_calls_other_graphs(name: str) -> None:
    writer, further = ModelWriter(), ModelWriter()
    a, b = further.tensor((1, 4), **KIND), further.tensor((1, 4), **KIND)
    further.operator("RELU", [a], [b])
    writer.further.append(further)
    x, y = writer.tensor((1, 4), name="x", **KIND), writer.tensor((1, 4), name="y", **KIND)
    writer.operator(name, [x], [y])
    line = f"operator 0 {name} (tensor 'y'): is not supported; supported are "
    assert refusal(writer.finish([x], [y])).startswith(line)
