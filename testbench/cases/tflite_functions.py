"""Random int8 models for TensorFlow Lite with functions that become activation tables."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.tflite import functions
from sim.scales import Scale
from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_writer import ModelWriter

__all__ = ["FUNCTIONS", "PRODUCTS", "DrawnFunction", "drawn_function", "function_model"]

FUNCTIONS = ("ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "PRELU", "TANH")
"""Operators that become tables."""

PRODUCTS = ("product", "mask")
"""Models that multiply two activations."""

_WINDOW = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFunction:
    """An operator, the scale of its output, and what the importer makes of every input.

    ``slope`` has value, scale and zero point of PRELU's.
    """

    name: str
    output: Scale
    values: NDArray[np.int8]
    options: dict[str, Any] = field(default_factory=dict)
    slope: tuple[int, float, int] | None = None

    def write(self, writer: ModelWriter, source: int, result: int) -> None:
        """Append the operator."""
        inputs = [source]
        if self.slope is not None:
            value, scale, zero_point = self.slope
            channels = writer.tensors[source].shape[-1]
            shape = (channels,) if value % 2 else (1,)
            data = np.full(shape, value)
            inputs.append(writer.constant(data, "int8", scales=[scale], zero_points=[zero_point]))
        writer.operator(self.name, inputs, [result], **self.options)


def drawn_function(
    name: str, source: Scale, output: Scale, rng: np.random.Generator
) -> DrawnFunction:
    """Draw the constants of an operator; its output has the given scale, if it may have any."""
    match name:
        case "LOGISTIC":
            own = Scale(1 / 256, -128)
            return DrawnFunction(name=name, output=own, values=functions.logistic(source))
        case "TANH":
            own = Scale(1 / 128, 0)
            return DrawnFunction(name=name, output=own, values=functions.tanh_of(source))
        case "HARD_SWISH":
            values = functions.hard_swish(source, output)
            return DrawnFunction(name=name, output=output, values=values)
        case "ELU":
            values = functions.elu(source, output)
            return DrawnFunction(name=name, output=output, values=values)
        case "LEAKY_RELU":
            alpha = float(np.float32(rng.choice([0.0, 0.01, 0.1, 1.0, rng.uniform(0, 3)])))
            values = functions.leaky_relu(source, output, alpha)
            options = {"Alpha": alpha}
            return DrawnFunction(name=name, output=output, values=values, options=options)
        case "PRELU":
            value, zero_point = (int(number) for number in rng.integers(-128, 128, 2))
            scale = float(np.float32(2.0 ** rng.uniform(-10, -5)))
            values = functions.prelu(source, output, value - zero_point, scale)
            slope = (value, scale, zero_point)
            return DrawnFunction(name=name, output=output, values=values, slope=slope)
    raise ValueError(f"name must be one of {FUNCTIONS}, not {name!r}")


def function_model(name: str, rng: np.random.Generator, images: int = 3) -> RandomModel:
    """A model with a function of the model's input or of a layer's output, which others may read, too.

    ``name`` is an operator of ``FUNCTIONS``, "gate" for LOGISTIC times its input, "square" for a tensor times itself, "product" for
    two tensors of one shape, or "mask" for a tensor times another of one channel.
    """
    writer, channels = ModelWriter(), int(rng.integers(1, 20))
    shape = (1, *(int(size) for size in rng.integers(1, 6, 2)), channels)

    def scale(near: float) -> Scale:
        return Scale(
            float(np.float32(near * 2.0 ** rng.uniform(-2, 2))), int(rng.integers(-128, 128))
        )

    def tensor(kind: Scale) -> int:
        return writer.tensor(shape, scales=[kind.scale], zero_points=[kind.zero_point])

    kinds = [scale(0.05)]
    image = current = tensor(kinds[0])
    before = rng.random() < 0.8
    if before:
        kinds.append(scale(0.05))
        current = _layer(writer, image, tensor(kinds[-1]), rng)
    base = current
    source, output = kinds[-1], scale(0.05)
    if name in FUNCTIONS:
        function = drawn_function(name, source, output, rng)
        output = function.output
        current = tensor(output)
        function.write(writer, base, current)
    else:
        other = base
        if name == "gate":
            gate = drawn_function("LOGISTIC", source, output, rng)
            other = tensor(gate.output)
            gate.write(writer, base, other)
        if name in PRODUCTS:
            wide = shape if name == "product" else (*shape[:3], 1)
            kind = scale(0.05)
            other = writer.tensor(wide, scales=[kind.scale], zero_points=[kind.zero_point])
            _layer(writer, image, other, rng)
        operands = [base, other] if rng.random() < 0.5 else [other, base]
        current = tensor(output)
        fused = int(rng.choice([0, 0, 1, 3]))
        writer.operator("MUL", operands, [current], FusedActivationFunction=fused)
    if rng.random() < 0.3:
        kept = tensor(scale(4 * max(source.scale, output.scale)))
        writer.operator("ADD", [current, base], [kept], FusedActivationFunction=0)
        current = kept
    last = _layer(writer, current, tensor(scale(0.05)), rng)
    x = rng.integers(-128, 128, (images, *shape[1:])).astype(np.int8)
    return RandomModel(writer.finish([image], [last]), x)


def _layer(writer: ModelWriter, source: int, result: int, rng: np.random.Generator) -> int:
    """A convolution of padded windows, dense or depthwise; returns its output."""
    channels, results = (writer.tensors[index].shape[-1] for index in (source, result))
    size = int(rng.choice([1, 3]))
    wide = rng.random() < 0.6 or results != channels
    shape = (results if wide else 1, size, size, channels)
    weights = rng.integers(-127, 128, shape)
    reach = 75 * 75 * np.sqrt(size * size * (channels if wide else 1))
    ends = [writer.tensors[index].scales[0] for index in (source, result)]
    scale = float(np.float32(60 / reach * ends[1] / ends[0]))
    constant = writer.constant(weights, "int8", scales=[scale], axis=0)
    options = {**_WINDOW, "FusedActivationFunction": int(rng.choice([0, 0, 1, 3]))}
    if wide:
        writer.operator("CONV_2D", [source, constant], [result], **options)
    else:
        writer.operator(
            "DEPTHWISE_CONV_2D", [source, constant], [result], DepthMultiplier=1, **options
        )
    return result
