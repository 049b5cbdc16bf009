"""Random int8 models for TensorFlow Lite that run step by step: variables, SVDF, and what wake-word models do with them."""

from collections.abc import Callable

import numpy as np

from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_tensors import Activation, TensorDraw
from testbench.cases.tflite_writer import ModelWriter

__all__ = ["STREAM_OPERATORS", "STREAM_STEPS", "stream_model"]

STREAM_OPERATORS = (
    "ADD", "ASSIGN_VARIABLE", "CALL_ONCE", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "READ_VARIABLE",
    "RESHAPE", "SLICE", "STRIDED_SLICE", "SVDF", "VAR_HANDLE",
)  # fmt: skip
"""Operators that are drawn."""

STREAM_STEPS = 6
"""Inferences that come with a model: each finds what those before have left."""

_MOST_LAYERS = 4
_COMPUTING = {"ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SVDF"}


def stream_model(seed: int, images: int = STREAM_STEPS, inputs: int = 1) -> RandomModel:
    """Draw a model of 1 … 4 operators that keep something, and of ``inputs``. It does not depend on ``images``."""
    return _Draw(np.random.default_rng(seed)).model(images, inputs)


class _Draw(TensorDraw):
    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.first = ModelWriter()
        self.inputs: list[Activation] = []
        self.variables = 0

    def model(self, images: int, inputs: int) -> RandomModel:
        rng = self.rng
        (values,) = rng.spawn(1)
        width, channels = int(rng.choice([1, 1, 3, 5])), int(rng.choice([1, 3, 4, 8, 10]))
        first = current = self.activation((1, 1, width, channels))
        kinds: tuple[Callable[[Activation], Activation], ...] = (
            *[self.rows] * 3, self.signal, self.hidden, self.sum, self.delay, *[self.svdf] * 2,
        )  # fmt: skip
        self.inputs.append(first)
        layers = int(rng.integers(1, _MOST_LAYERS + 1))
        meetings = rng.integers(0, layers, inputs - 1).tolist()
        for place in range(layers):
            for _ in range(meetings.count(place)):
                current = self.met(current)
            current = kinds[int(rng.integers(len(kinds)))](current)
        if not self.writer.operator_names & _COMPUTING:  # what is only late needs no network
            current = self.fully_connected(self.vector(current))
        x = [
            values.integers(-128, 128, (images, *given.shape[1:])).astype(np.int8)
            for given in self.inputs
        ]
        if self.first.operators:
            self.writer.further.append(self.first)
            self.writer.operator("CALL_ONCE", [], [], InitSubgraphIndex=1)
            self.writer.operators.insert(0, self.writer.operators.pop())
        content = self.writer.finish([given.index for given in self.inputs], [current.index])
        return RandomModel(content, x if inputs > 1 else x[0])

    def met(self, source: Activation) -> Activation:
        """Join or add an activation and another input, at times that of the step before."""
        rng, axis = self.rng, len(source.shape) - 1
        other = self.like(source, source.shape)
        self.inputs.append(other)
        other = other if rng.random() < 0.6 else self.delay(other)
        if rng.random() < 0.4:
            return self.joined([source, other], axis)
        out = self.activation(source.shape, float(np.float32(source.scale * 1.5)))
        self.elementwise("ADD", source, other, out)
        return out

    def variable(self, kind: Activation) -> tuple[int, Activation]:
        """Handle of a variable with or without values at first, and a tensor in which it is read."""
        name, rng = f"variable{self.variables}", self.rng
        self.variables += 1
        if rng.random() < 0.5:
            quantized = {"scales": [kind.scale], "zero_points": [kind.zero_point]}
            values = rng.integers(-128, 128, kind.shape)
            resource = self._resource(self.first, name)
            constant = self.first.constant(values, "int8", **quantized)
            self.first.operator("ASSIGN_VARIABLE", [resource, constant], [])
        resource = self._resource(self.writer, name)
        return resource, self.read(resource, kind)

    @staticmethod
    def _resource(writer: ModelWriter, name: str) -> int:
        resource = writer.tensor((), "resource")
        writer.operator("VAR_HANDLE", [], [resource], Container="", SharedName=name)
        return resource

    def read(self, resource: int, kind: Activation) -> Activation:
        """Read a variable."""
        earlier = self.like(kind, kind.shape)
        self.writer.operator("READ_VARIABLE", [resource], [earlier.index])
        return earlier

    def assign(self, resource: int, value: Activation) -> Activation:
        """Let a variable be a value; it may be read again behind that."""
        self.writer.operator("ASSIGN_VARIABLE", [resource, value.index], [])
        return self.read(resource, value) if self.rng.random() < 0.2 else value

    def joined(self, parts: list[Activation], axis: int) -> Activation:
        """Tensors of one quantization behind each other along an axis."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        out = self.like(parts[0], tuple(shape))
        self.writer.operator(
            "CONCATENATION", [part.index for part in parts], [out.index], Axis=axis
        )
        return out

    def latest(self, source: Activation, axis: int, count: int) -> Activation:
        """The last ``count`` along an axis."""
        shape = list(source.shape)
        begin = [0] * len(shape)
        begin[axis], shape[axis] = shape[axis] - count, count
        out, writer = self.like(source, tuple(shape)), self.writer
        if self.rng.random() < 0.5:
            inputs = [writer.constant(begin, "int32"), writer.constant(shape, "int32")]
            writer.operator("SLICE", [source.index, *inputs], [out.index])
            return out
        ends = [first + size for first, size in zip(begin, shape, strict=True)]
        inputs = [writer.constant(numbers, "int32") for numbers in (begin, ends, [1] * len(begin))]
        writer.operator("STRIDED_SLICE", [source.index, *inputs], [out.index])
        return out

    def image(self, source: Activation) -> Activation:
        """The values as an image of one row."""
        channels = source.shape[-1]
        width = int(np.prod(source.shape)) // channels
        shape = (1, 1, width, channels)
        return source if source.shape == shape else self.reshaped(source, shape)

    def vector(self, source: Activation) -> Activation:
        """The values in a row."""
        shape = (1, int(np.prod(source.shape)))
        return source if source.shape == shape else self.reshaped(source, shape)

    def rows(self, source: Activation) -> Activation:
        """A convolution over the rows of the last steps."""
        rng, source = self.rng, self.image(source)
        _, _, width, channels = source.shape
        steps, new = int(rng.integers(2, 5)), int(rng.integers(1, 12))
        resource, earlier = self.variable(self.like(source, (1, steps - 1, width, channels)))
        seen = self.joined([earlier, source], 1)
        self.assign(resource, self.latest(seen, 1, steps - 1))
        if rng.random() < 0.4:
            weights = self.weights((1, steps, 1, channels))
            return self.weighted(
                "DEPTHWISE_CONV_2D", seen, weights, 3, (1, 1, width, channels), (1, 1), 1, DilationHFactor=1,
                DilationWFactor=1, DepthMultiplier=1,
            )  # fmt: skip
        weights = self.weights((new, steps, 1, channels))
        return self.weighted(
            "CONV_2D", seen, weights, 0, (1, 1, width, new), (1, 1), 1, DilationHFactor=1,
            DilationWFactor=1,
        )  # fmt: skip

    def signal(self, source: Activation) -> Activation:
        """All of a signal of three axes that ends with this step."""
        source = self.image(source)
        _, _, width, channels = source.shape
        length = width + int(self.rng.integers(1, 4))
        row = self.reshaped(source, (1, width, channels))
        resource, earlier = self.variable(self.like(source, (1, length - width, channels)))
        seen = self.joined([earlier, row], 1)
        self.assign(resource, self.latest(seen, 1, length - width))
        return self.fully_connected(self.vector(seen))

    def hidden(self, source: Activation) -> Activation:
        """A layer that reads its own last output."""
        channels = source.shape[-1]
        if (source := self.vector(source)).shape[1] != channels:
            source = self.fully_connected(source)
        resource, earlier = self.variable(self.like(source, (1, int(self.rng.integers(1, 12)))))
        both = self.joined([earlier, source] if self.rng.random() < 0.5 else [source, earlier], 1)
        return self.assign(resource, self.fully_connected(both, earlier))

    def sum(self, source: Activation) -> Activation:
        """The sum with what the last step has left, which stays."""
        scale = float(np.float32(source.scale * 2.0 ** self.rng.uniform(-0.5, 2)))
        out = self.activation(source.shape, scale)
        resource, earlier = self.variable(out)
        operands = [source, earlier] if self.rng.random() < 0.5 else [earlier, source]
        self.elementwise("ADD", operands[0], operands[1], out)
        return self.assign(resource, out)

    def delay(self, source: Activation) -> Activation:
        """Return the tensor of the last step, or of the step before."""
        resource, earlier = self.variable(source)
        if self.rng.random() < 0.3:
            before, second = self.variable(source)
            self.assign(before, earlier)
            earlier = second
        self.assign(resource, source)
        return earlier

    def svdf(self, source: Activation) -> Activation:
        """An SVDF operator with its state."""
        rng, writer, source = self.rng, self.writer, self.vector(source)
        rank, units, steps = (
            int(rng.integers(1, 4)),
            int(rng.integers(1, 9)),
            int(rng.integers(1, 7)),
        )
        filters, inputs = rank * units, source.shape[1]
        kept = self.activation((), near=source.scale)
        out = self.activation((1, units), near=source.scale)
        scales = [
            float(np.float32(kept.scale / source.scale / (20 * np.sqrt(inputs)))),
            float(np.float32(out.scale / kept.scale / (20 * np.sqrt(steps * rank)))),
        ]
        state = writer.tensor(
            (1, filters * steps), scales=[kept.scale], zero_points=[kept.zero_point], variable=True
        )
        constants = [
            writer.constant(self.weights(shape), "int8", scales=[scale])
            for shape, scale in zip(((filters, inputs), (filters, steps)), scales, strict=True)
        ]
        bias_scale = float(np.float32(kept.scale) * np.float32(scales[1]))
        bias = writer.constant(rng.integers(-3000, 3000, units), "int32", scales=[bias_scale])
        writer.operator(
            "SVDF", [source.index, *constants, bias, state], [out.index], Rank=rank,
            FusedActivationFunction=1,
        )  # fmt: skip
        return out

    def fully_connected(self, source: Activation, into: Activation | None = None) -> Activation:
        """A fully connected layer, into a tensor quantized as another, of its shape, if asked."""
        channels = into.shape[1] if into else int(self.rng.integers(1, 12))
        out = self.like(into, into.shape) if into else None
        weights = self.weights((channels, source.shape[1]))
        return self.weighted(
            "FULLY_CONNECTED", source, weights, 0, (1, channels), None, None, into=out
        )
