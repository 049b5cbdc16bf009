"""Random int8 models for TensorFlow Lite: what the importer may meet, with extreme numbers.

Every operator is drawn with its neighbours' shapes and quantization, multipliers over the whole range
that TensorFlow Lite defines, and biases up to the ends of int32.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from sim.importers.quantization import add_multipliers
from sim.importers.tflite.arithmetic import negates
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from testbench.cases.tflite_tensors import MOST_VALUES, Activation, TensorDraw, excited
from testbench.cases.tflite_writer import ModelWriter

__all__ = [
    "ModelDraw",
    "RandomModel",
    "draw_imported",
    "drawn_model",
    "import_random",
    "random_model",
]

_MOST_LAYERS = 6
_MOST_INPUTS = 600
"""Most inputs and outputs of a fully connected layer in the middle."""

_MOST_CLASSES = 512
"""The interpreter's fixed-point softmax aborts where that many values are about the largest."""

_USUAL_SCALES = (2.0**-12, 4.0)


class RandomModel(NamedTuple):
    """A model file and inputs in its own type and shape, [N, ...]; of several inputs such an array for each."""

    content: bytes
    inputs: ModelInputs


def draw_imported(seed: int, images: int = 2) -> tuple[ImportedNetwork, NDArray[np.int8]]:
    """A random network as the importer makes it, and int8 images for it."""
    model = random_model(seed, images)
    imported = import_random(model, seed)
    return imported, imported.host.prepare(model.inputs)


def import_random(model: RandomModel, seed: int) -> ImportedNetwork:
    """Import the drawn model; the network is called after its seed."""
    return lower_tflite(parse_tflite(model.content, "model"), f"random{seed}")


def random_model(seed: int, images: int = 2) -> RandomModel:
    """Draw a model of 1 … 6 operators with everything that the importer supports.

    The model does not depend on ``images``, the number of inputs that come with it.
    """
    return _Draw(np.random.default_rng(seed)).model(images)


def drawn_model(seed: int) -> tuple[ModelWriter, int, list[int]]:
    """Writer of ``random_model(seed)`` before it encodes it, and the indices of input and outputs."""
    draw = _Draw(np.random.default_rng(seed))
    draw.model(1)
    return draw.writer, *draw.ends


class _Draw(TensorDraw):
    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        (self.input_rng,) = rng.spawn(1)
        self.ends: tuple[int, list[int]] = (0, [])
        self.further: list[int] = []

    def model(self, images: int) -> RandomModel:
        rng = self.rng
        shape = (1, *(int(n) for n in rng.integers(1, 13, 2)), int(rng.choice([1, 1, 3, 4, 9, 17])))
        first = current = self.activation(shape)
        begin, x = self.input(first, images)
        kinds: tuple[Callable[[Activation], Activation | None], ...] = (
            *[self.conv] * 5, *[self.depthwise] * 5, *[self.add] * 2, *[self.average_pool] * 4,
            *[self.max_pool] * 3, self.mean, *[self.pad] * 2, *[self.relu] * 2, self.requantize,
            self.fully_connected, self.reshape, self.grouped, self.product, self.constant_sum,
            self.difference, self.transpose, self.signal, *[self.joined] * 2, self.part, self.excited,
        )  # fmt: skip
        wanted = int(rng.integers(1, _MOST_LAYERS + 1))
        made = 0
        while made < wanted:
            following = kinds[int(rng.integers(len(kinds)))](current)
            if following is not None:
                current, made = following, made + 1
        if self.writer.operator_names <= {"QUANTIZE", "RESHAPE", "TRANSPOSE"} or rng.random() < 0.3:
            current = self.classifier(current)
        ends = [self.output(current), *self.further]
        self.ends = (begin, ends)
        return RandomModel(self.writer.finish([begin], ends), x)

    def input(self, first: Activation, images: int) -> tuple[int, NDArray[Any]]:
        """The model's input: int8 itself, or float32 or uint8 behind a QUANTIZE."""
        rng, values, shape = self.rng, self.input_rng, (images, *first.shape[1:])
        form = rng.integers(4)
        if form >= 2:
            return first.index, values.integers(-128, 128, shape).astype(np.int8)
        x: NDArray[Any]
        if form == 0:
            index = self.writer.tensor(first.shape, "float32")
            reals = values.normal(0, 100, shape) * first.scale
            ties = (values.integers(-200, 200, shape) + 0.5) * first.scale
            x = np.where(values.random(shape) < 0.3, ties, reals).astype(np.float32)
        else:
            scale = (
                first.scale * float(2.0 ** rng.uniform(-2, 2))
                if rng.random() < 0.5
                else first.scale
            )
            points = [first.zero_point + 128] if rng.random() < 0.5 else [int(rng.integers(256))]
            index = self.writer.tensor(first.shape, "uint8", scales=[scale], zero_points=points)
            x = values.integers(0, 256, shape).astype(np.uint8)
        self.writer.operator("QUANTIZE", [index], [first.index])
        return index, x

    def output(self, last: Activation) -> int:
        """The model's output: the last tensor, or behind softmax, dequantization and others."""
        rng, writer = self.rng, self.writer
        current = last
        if rng.random() < 0.4:
            current = self.reshaped(current, (1, int(np.prod(current.shape))))
        if rng.random() < 0.4 and len(current.shape) == 2 and current.shape[1] < _MOST_CLASSES:
            current = self.function(current)
        ending = rng.integers(4)
        if ending == 0:
            index = writer.tensor(current.shape, "float32")
            writer.operator("DEQUANTIZE", [current.index], [index])
            return index
        if ending == 1:
            point = int(rng.integers(256))
            index = writer.tensor(
                current.shape, "uint8", scales=[current.scale], zero_points=[point]
            )
            writer.operator("QUANTIZE", [current.index], [index])
            return index
        return current.index

    def function(self, source: Activation) -> Activation:
        """A function that the host computes."""
        name = ["SOFTMAX", "SOFTMAX", "LOG_SOFTMAX", "LOGISTIC"][int(self.rng.integers(4))]
        if source.scale > _USUAL_SCALES[1]:
            name = "SOFTMAX"  # the others are not defined for such scales
        scale, zero_point = (1 / 16, 127) if name == "LOG_SOFTMAX" else (1 / 256, -128)
        result = self.activation(source.shape, scale, zero_point)
        options = {"Beta": 1.0} if name == "SOFTMAX" else {}
        self.writer.operator(name, [source.index], [result.index], **options)
        return result

    def conv(self, source: Activation) -> Activation | None:
        if len(source.shape) != 4:
            return None
        channels = int(self.rng.choice([1, 2, 5, 8, 17, 33]))
        window = self.window(source, channels)
        if window is None:
            return None
        kernel, stride, padding, shape = window
        weights = self.weights((channels, *kernel, source.shape[3]))
        return self.weighted("CONV_2D", source, weights, 0, shape, stride, padding)

    def depthwise(self, source: Activation) -> Activation | None:
        if len(source.shape) != 4:
            return None
        channels = source.shape[3]
        if channels == 1 and self.rng.random() < 0.5:
            channels = int(self.rng.integers(2, 10))
        window = self.window(source, channels)
        if window is None:
            return None
        kernel, stride, padding, shape = window
        weights = self.weights((1, *kernel, channels))
        multiplier = channels // source.shape[3]
        return self.weighted(
            "DEPTHWISE_CONV_2D",
            source,
            weights,
            3,
            shape,
            stride,
            padding,
            DepthMultiplier=multiplier,
        )

    def grouped(self, source: Activation) -> Activation | None:
        """A convolution whose groups have one channel each, a depthwise convolution in other words."""
        if len(source.shape) != 4 or source.shape[3] == 1:
            return None
        window = self.window(source, source.shape[3])
        if window is None:
            return None
        kernel, stride, padding, shape = window
        weights = self.weights((source.shape[3], *kernel, 1))
        return self.weighted("CONV_2D", source, weights, 0, shape, stride, padding)

    def signal(self, source: Activation) -> Activation | None:
        """A causal convolution of a signal, as Keras writes it."""
        if len(source.shape) != 4 or source.shape[1] != 1:
            return None
        _, _, length, channels = source.shape
        kernel = int(self.rng.integers(1, 6))
        outputs = int(self.rng.choice([1, 4, 9]))
        if (length + kernel) * max(channels, outputs) > MOST_VALUES:
            return None
        current = self.like(source, (1, length, channels))
        self.writer.operator("SQUEEZE", [source.index], [current.index], SqueezeDims=(1,))
        padded = self.like(source, (1, length + kernel - 1, channels))
        widths = self.writer.constant([[0, 0], [kernel - 1, 0], [0, 0]], "int32")
        self.writer.operator("PAD", [current.index, widths], [padded.index])
        image = self.like(source, (1, 1, *padded.shape[1:]))
        axis = self.writer.constant([1], "int32")
        self.writer.operator("EXPAND_DIMS", [padded.index, axis], [image.index])
        weights = self.weights((outputs, 1, kernel, channels))
        shape = (1, 1, length, outputs)
        return self.weighted("CONV_2D", image, weights, 0, shape, (1, 1), 1)

    def transpose(self, source: Activation) -> Activation | None:
        """Values in another order, which a fully connected layer reads or a second one restores."""
        if len(source.shape) != 4:
            return None
        order = [0, *(int(axis) for axis in 1 + self.rng.permutation(3))]
        turned = self.transposed(source, order)
        if self.rng.random() < 0.3:
            return self.transposed(turned, np.argsort(order).tolist())
        size = int(np.prod(source.shape))
        if size > _MOST_INPUTS:
            return self.transposed(turned, np.argsort(order).tolist())
        return self.fully_connected(self.reshaped(turned, (1, size)))

    def fully_connected(self, source: Activation) -> Activation | None:
        depth = int(np.prod(source.shape))
        if depth > _MOST_INPUTS:
            return None
        channels = int(self.rng.integers(1, 20))
        return self.weighted(
            "FULLY_CONNECTED", source, self.weights((channels, depth)), 0, (1, channels), None, None
        )

    def classifier(self, source: Activation) -> Activation:
        """A fully connected layer of whatever there is."""
        depth = int(np.prod(source.shape))
        weights = self.weights((int(self.rng.integers(1, 12)), depth))
        return self.weighted(
            "FULLY_CONNECTED", source, weights, 0, (1, weights.shape[0]), None, None
        )

    def joined(self, source: Activation) -> Activation | None:
        """The activation beside one or two others of its size; one of them may be a further output."""
        rng, parts = self.rng, [source]
        if len(source.shape) != 4:
            return None
        _, height, width, channels = source.shape
        for _ in range(int(rng.integers(1, 3))):
            own = int(rng.choice([1, 4, 8, 11]))
            part = self.like(source, (1, height, width, own))
            weights = self.weights((own, 1, 1, channels))
            self.weighted("CONV_2D", source, weights, 0, part.shape, (1, 1), 1, part)
            parts.append(part)
            if rng.random() < 0.3:
                self.further.append(part.index)
        if rng.random() < 0.2:
            parts.append(source)
        rng.shuffle(parts)
        shape = (1, height, width, sum(part.shape[3] for part in parts))
        if np.prod(shape) > MOST_VALUES:
            return None
        out = self.like(source, shape)
        inputs = [part.index for part in parts]
        axis = int(rng.choice([3, -1]))
        self.writer.operator("CONCATENATION", inputs, [out.index], Axis=axis)
        return out

    def part(self, source: Activation) -> Activation | None:
        """Some of the activation's rows, columns or channels."""
        rng, shape = self.rng, source.shape
        if len(shape) != 4:
            return None
        kind = str(rng.choice(["SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE"]))
        if kind.startswith("SPLIT"):
            axis = int(rng.integers(1, 4))
            return self.split(source, kind, axis)
        begin = [0, *(int(rng.integers(n)) for n in shape[1:])]
        size = [
            1,
            *(int(rng.integers(1, n - b + 1)) for n, b in zip(shape[1:], begin[1:], strict=True)),
        ]
        if kind == "SLICE":
            out = self.like(source, tuple(size))
            if rng.random() < 0.3:
                size = [
                    n if n + b < whole else -1
                    for n, b, whole in zip(size, begin, shape, strict=True)
                ]
            lists, options = [begin, size], {}
        else:
            ends = [b + n for b, n in zip(begin, size, strict=True)]
            steps = [1, *(int(n) for n in rng.integers(1, 3, 3))]
            counts = [-(-n // s) for n, s in zip(size, steps, strict=True)]
            out = self.like(source, tuple(counts))
            masked = [e == whole for e, whole in zip(ends, shape, strict=True)]
            lists = [begin, [0 if m else e for m, e in zip(masked, ends, strict=True)], steps]
            options = {"EndMask": sum(m << axis for axis, m in enumerate(masked))}
        constants = [self.writer.constant(numbers, "int32") for numbers in lists]
        self.writer.operator(kind, [source.index, *constants], [out.index], **options)
        return out

    def split(self, source: Activation, kind: str, axis: int) -> Activation | None:
        """A part of a split tensor; the others are read by none."""
        rng, whole = self.rng, source.shape[axis]
        if kind == "SPLIT":
            parts = [n for n in (2, 3, 4) if whole % n == 0]
            if not parts:
                return None
            sizes = [whole // parts[0]] * parts[0]
        else:
            first = int(rng.integers(1, whole + 1))
            sizes = [first, whole - first] if first < whole else [first]
        outs = []
        for size in sizes:
            shape = list(source.shape)
            shape[axis] = size
            outs.append(self.like(source, tuple(shape)))
        place = self.writer.constant([axis] if kind == "SPLIT_V" else axis, "int32")
        if kind == "SPLIT":
            inputs = [place, source.index]
        else:
            inputs = [source.index, self.writer.constant(sizes, "int32"), place]
        ends = [out.index for out in outs]
        self.writer.operator(kind, inputs, ends, NumSplits=len(sizes))
        return outs[int(rng.integers(len(outs)))]

    def add(self, source: Activation) -> Activation | None:
        """The activation and a rescaled copy of it, in either order."""
        rng = self.rng
        other = self.activation(source.shape, near=source.scale)
        self.writer.operator("QUANTIZE", [source.index], [other.index])
        # The sum's multiplier must be below 1, in units of 2^-20.
        low = np.log2(2 * max(source.scale, other.scale) / 2**20) + 0.01
        near = np.log2(max(source.scale, other.scale))
        power = rng.uniform(near - 1, near + 2) if rng.random() < 0.8 else rng.uniform(-20, 3)
        out = self.activation(source.shape, float(np.float32(2.0 ** max(low, power))))
        operands = [source.index, other.index]
        if rng.random() < 0.5:
            operands.reverse()
        self.writer.operator(
            "ADD", operands, [out.index], FusedActivationFunction=int(rng.integers(4))
        )
        return out

    def product(self, source: Activation) -> Activation:
        """A constant times the activation, in either order."""
        rng = self.rng
        other = self.constant(source)
        reach = source.scale * other.scale * 255 * float(2.0 ** rng.uniform(-6, 2))
        out = self.activation(source.shape, float(np.float32(np.clip(reach, *_USUAL_SCALES))))
        self.elementwise("MUL", source, other, out, either=True)
        return out

    def excited(self, source: Activation) -> Activation | None:
        """The activation times its mean."""
        return excited(self, source)

    def constant_sum(self, source: Activation) -> Activation:
        """A constant added to the activation or subtracted, or less the activation."""
        other = self.constant(source)
        return self.summed("ADD" if self.rng.random() < 0.6 else "SUB", source, other)

    def difference(self, source: Activation) -> Activation:
        """The activation and a rescaled copy of it, less each other."""
        other = self.activation(source.shape, near=source.scale)
        self.writer.operator("QUANTIZE", [source.index], [other.index])
        return self.summed("SUB", source, other)

    def summed(self, name: str, source: Activation, other: Activation) -> Activation:
        """A difference in either order, or a sum where the scales' difference is refused."""
        rng = self.rng
        pair = [source, other]
        if rng.random() < 0.5:
            pair.reverse()
        widest = max(source.scale, other.scale)
        out = self.activation(
            source.shape, float(np.float32(widest * 2.0 ** float(rng.uniform(-1, 2))))
        )
        scales = [np.float32(tensor.scale) for tensor in (*pair, out)]
        points = (pair[0].zero_point, pair[1].zero_point)
        if name == "SUB" and not negates(points, *add_multipliers(*scales)):
            name = "ADD"
        self.elementwise(name, pair[0], pair[1], out)
        return out

    def average_pool(self, source: Activation) -> Activation | None:
        return self.pool("AVERAGE_POOL_2D", source)

    def max_pool(self, source: Activation) -> Activation | None:
        return self.pool("MAX_POOL_2D", source)

    def pool(self, name: str, source: Activation) -> Activation | None:
        if len(source.shape) != 4:
            return None
        window = self.window(source, source.shape[3])
        if name == "AVERAGE_POOL_2D" and self.rng.random() < 0.3:
            whole = (source.shape[1], source.shape[2])
            window = whole, (1, 1), 1, (1, 1, 1, source.shape[3])
        if window is None:
            return None
        kernel, stride, padding, shape = window
        if name == "AVERAGE_POOL_2D" and padding == 0:
            return None
        out = self.like(source, shape)
        self.writer.operator(
            name,
            [source.index],
            [out.index],
            Padding=padding,
            StrideH=stride[0],
            StrideW=stride[1],
            FilterHeight=kernel[0],
            FilterWidth=kernel[1],
            FusedActivationFunction=int(self.rng.integers(4)),
        )
        return out

    def mean(self, source: Activation) -> Activation | None:
        if len(source.shape) != 4:
            return None
        keep = bool(self.rng.random() < 0.5)
        channels = source.shape[3]
        axes = [[1, 2], [2, 1], [-3, -2]][int(self.rng.integers(3))]
        shape = (1, 1, 1, channels) if keep else (1, channels)
        out = self.activation(shape, near=source.scale)
        inputs = [source.index, self.writer.constant(axes, "int32")]
        self.writer.operator("MEAN", inputs, [out.index], KeepDims=keep)
        return out

    def pad(self, source: Activation) -> Activation | None:
        if len(source.shape) != 4:
            return None
        widths = self.rng.integers(0, 3, (4, 2))
        widths[0] = 0
        if self.rng.random() < 0.7:
            widths[3] = 0
        shape = tuple(int(n + w.sum()) for n, w in zip(source.shape, widths, strict=True))
        if np.prod(shape) > MOST_VALUES:
            return None
        out = self.like(source, shape)
        inputs = [source.index, self.writer.constant(widths, "int32")]
        name = "PAD"
        if self.rng.random() < 0.3:
            name = "PADV2"
            data = np.array([source.zero_point])
            inputs.append(
                self.writer.constant(
                    data, "int8", scales=[source.scale], zero_points=[source.zero_point]
                )
            )
        self.writer.operator(name, inputs, [out.index])
        return out

    def relu(self, source: Activation) -> Activation | None:
        alike = bool(self.rng.random() < 0.5)
        name = "RELU6" if alike and self.rng.random() < 0.5 else "RELU"
        out = (
            self.like(source, source.shape)
            if alike
            else self.activation(source.shape, near=source.scale)
        )
        self.writer.operator(name, [source.index], [out.index])
        return out

    def requantize(self, source: Activation) -> Activation | None:
        out = self.activation(source.shape, near=source.scale)
        self.writer.operator("QUANTIZE", [source.index], [out.index])
        return out

    def reshape(self, source: Activation) -> Activation | None:
        """Flatten an image, or make an image of one pixel again."""
        size = int(np.prod(source.shape))
        if len(source.shape) == 2:
            return self.reshaped(source, (1, 1, 1, size))
        if size == source.shape[-1]:
            return self.reshaped(source, (1, size))
        # Only a fully connected layer reads what was an image.
        return (
            None if size > _MOST_INPUTS else self.fully_connected(self.reshaped(source, (1, size)))
        )


ModelDraw = _Draw
"""Draws operators of every kind."""
