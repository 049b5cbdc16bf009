"""Dilated, grouped and multiplied convolutions against TensorFlow Lite Micro in every bit, and what is refused."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from interpreter_checks import require_equal
from sampled import sampled
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.kernels import GroupForm, Grouping, choose_form
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind, Padding
from testbench.cases.tflite_convolutions import CONVOLUTIONS, convolution_model
from testbench.cases.tflite_models import import_random
from testbench.cases.tflite_writer import ModelWriter

MODELS = 400
PARTS = 4

WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


@pytest.mark.slow
@pytest.mark.parametrize("part", sampled(range(PARTS), lambda part: part % 2 == 0))
def test_random_models_equal_the_interpreter(part: int) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    drawn: Counter[str] = Counter()
    joined = repeated = dilated = lively = 0
    count = MODELS // PARTS
    for seed in range(part * count, (part + 1) * count):
        model = convolution_model(seed)
        network = import_random(model, seed)
        values, _ = require_equal(model.content, network, model.inputs)
        operators = parse_tflite(model.content, "model").operators
        drawn.update(operator.name for operator in operators)
        dilated += any(operator.options.get("DilationHFactor", 1) > 1 for operator in operators)
        joined += bool(network.network.concatenations)
        repeated += sum(
            layer.kind is LayerKind.CONV and layer.name not in network.source["tensors"]
            for layer in network.network.layers
        )
        lively += len(np.unique(values[network.network.output.name])) > 2
    assert set(drawn) == set(CONVOLUTIONS)
    assert min(joined, repeated, dilated) > count // 50
    assert lively > count // 3


def test_paddings_of_space_to_batch_are_those_of_pad_before_it() -> None:
    """TensorFlow Lite pads with the zero point; its Micro version with what lies in memory, so that PAD is the judge."""
    made = []
    for apart in (False, True):
        writer = ModelWriter()
        kind: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
        image = source = writer.tensor((1, 5, 6, 3), **kind)
        paddings = np.array([[2, 3], [1, 2]])
        if apart:
            padded = writer.tensor((1, 10, 9, 3), **kind)
            widths = writer.constant([[0, 0], *paddings, [0, 0]], "int32")
            writer.operator("PAD", [image, widths], [padded])
            source, paddings = padded, np.zeros((2, 2))
        block = writer.constant([2, 3], "int32")
        cut = writer.tensor((6, 5, 3, 3), **kind)
        writer.operator(
            "SPACE_TO_BATCH_ND", [source, block, writer.constant(paddings, "int32")], [cut]
        )
        data = np.random.default_rng(1).integers(-127, 128, (4, 3, 2, 3))
        weights = writer.constant(data, "int8", scales=[0.01])
        seen = writer.tensor((6, 3, 2, 4), scales=[0.3], zero_points=[4])
        writer.operator("CONV_2D", [cut, weights], [seen], **WINDOW)
        result = writer.tensor((1, 5, 5, 4), scales=[0.3], zero_points=[4])
        crops = writer.constant([[0, 1], [1, 0]], "int32")
        writer.operator("BATCH_TO_SPACE_ND", [seen, block, crops], [result])
        made.append(writer.finish([image], [result]))
    x = np.random.default_rng(2).integers(-128, 128, (3, 5, 6, 3)).astype(np.int8)
    (first,), (second,) = (imported(content).network.layers for content in made)
    assert first.kernel == second.kernel == (5, 4)
    assert first.padding == second.padding == Padding(top=2, bottom=2, left=0, right=2)
    assert np.array_equal(first.weights, second.weights)
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    require_equal(made[1], imported(made[1]), x)


def batched(**changes: Any) -> str:
    """Line of refusal of a dilated convolution written in three operators, with something changed."""
    writer = ModelWriter()
    given: dict[str, Any] = {"block": [2, 2], "paddings": [[1, 1], [1, 1]]}
    given |= {"other": [2, 2], "crops": [[0, 0], [0, 0]], "window": {}, "behind": True} | changes
    kind: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
    image = writer.tensor((1, 4, 4, 3), **kind)
    cut, seen = writer.tensor((4, 3, 3, 3), **kind), writer.tensor((4, 3, 3, 3), **kind)
    places = [writer.constant(given[name], "int32") for name in ("block", "paddings")]
    writer.operator("SPACE_TO_BATCH_ND", [image, *places], [cut])
    weights = writer.constant(np.ones((3, 1, 1, 3)), "int8", scales=[0.01])
    writer.operator("CONV_2D", [cut, weights], [seen], **(WINDOW | given["window"]))
    result = writer.tensor((1, 6, 6, 3), name="y", **kind)
    places = [writer.constant(given[name], "int32") for name in ("other", "crops")]
    name = "BATCH_TO_SPACE_ND" if given["behind"] else "RELU"
    writer.operator(name, [seen, *places][: 3 if given["behind"] else 1], [result])
    with pytest.raises(UnsupportedModelError) as raised:
        imported(writer.finish([image], [result]))
    return str(raised.value)


FIRST = r"operator 0 SPACE_TO_BATCH_ND \(tensor 'tensor1'\): "
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"behind": False}, FIRST + "must be read by one convolution, and that by one BATCH_TO_SPACE_ND"),
    ({"other": [2, 1]}, r"operator 2 BATCH_TO_SPACE_ND \(tensor 'y'\): block must be that of SPACE_TO_BATCH_ND, \(2, 2\), not \(2, 1\)"),
    ({"crops": [[2, 0], [0, 0]]}, r"operator 2 BATCH_TO_SPACE_ND \(tensor 'y'\): crops must be at most what was padded, not \[\(2, 0\), \(0, 0\)\]"),
    ({"window": {"StrideH": 2}}, r"operator 1 CONV_2D \(tensor 'tensor2'\): StrideH must be 1 between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, not 2"),
    ({"window": {"Padding": 0}}, r"operator 1 CONV_2D \(tensor 'tensor2'\): Padding must be 1 between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, not 0"),
    ({"block": [3, 2], "other": [3, 2], "paddings": [[0, 0], [1, 1]]}, FIRST + r"padded input must be a multiple of the block \(3, 2\), not 4 and \(0, 0\)"),
    ({"block": [2, 2, 2]}, FIRST + r"block and widths must have shapes \(2,\) and \(2, 2\), not \(3,\) and \(2, 2\)"),
    ({"paddings": [[-1, 1], [1, 1]]}, FIRST + r"block must be 1 or more and widths 0 or more, not \[2, 2\] and \[\[-1, 1\], \[1, 1\]\]"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), CHANGES)
def test_other_uses_of_batches_are_refused(changes: dict[str, Any], line: str) -> None:
    assert re.fullmatch(line, batched(**changes))


def bounded(bound: Any, **kind: Any) -> str:
    writer = ModelWriter()
    given: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
    image, result = (writer.tensor((1, 2, 2, 3), name=name, **given) for name in ("x", "y"))
    other = writer.constant(bound, "int8", name="c", **(given | kind))
    writer.operator("MAXIMUM", [image, other], [result])
    with pytest.raises(UnsupportedModelError) as raised:
        imported(writer.finish([image], [result]))
    return str(raised.value)


def test_bounds_are_one_number_of_the_same_scale() -> None:
    where = "operator 0 MAXIMUM (tensor 'y'): "
    assert bounded([1, 2, 1]) == (
        f"{where}constant 'c' must be one number for all channels, not [1, 2]"
    )
    assert bounded([1], scales=[0.1]) == f"{where}inputs and output must be quantized alike"


def test_forms_of_groups() -> None:
    assert choose_form((6, 8), 1, 9, (4, 4)) == Grouping(form=GroupForm.CONV)
    assert choose_form((6, 6), 6, 9, (4, 4)) == Grouping(form=GroupForm.DEPTHWISE)
    # 36·6·12 copies and 36·9·12 products, not 36·9·6·12; of single taps only the zeros remain to be saved
    assert choose_form((6, 12), 6, 9, (36, 36)) == Grouping(form=GroupForm.REPEATED)
    assert choose_form((6, 12), 6, 1, (36, 36)) == Grouping(form=GroupForm.BLOCKS)
    assert choose_form((6, 12), 6, 9, (36, 1)) == Grouping(form=GroupForm.BLOCKS)
    # ranges narrower than the widest vector are none
    assert choose_form((126, 256), 2, 9, (36, 36)) == Grouping(form=GroupForm.BLOCKS)
    assert choose_form((128, 256), 2, 9, (36, 36)) == Grouping(form=GroupForm.RANGES, ranges=2)
    assert choose_form((256, 256), 32, 9, (36, 36)) == Grouping(form=GroupForm.RANGES, ranges=4)
    assert choose_form((256, 256), 32, 9, (36, 36), joins=False) == Grouping(form=GroupForm.BLOCKS)
