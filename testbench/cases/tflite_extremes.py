"""Random int8 models for TensorFlow Lite that compare two activations, or bend one channel by channel."""

from collections.abc import Callable

import numpy as np

from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_tensors import Activation, TensorDraw

__all__ = ["EXTREMES", "extreme_model"]

_LARGEST_SIZE = 8
_MOST_CHANNELS = 12


def extreme_model(name: str, rng: np.random.Generator, images: int = 3) -> RandomModel:
    """Draw a model with one of ``EXTREMES`` among layers with weights.

    Raises
    ------
    KeyError
        If there is no such operator.
    """
    return _Draw(rng).model(_KINDS[name], images)


class _Draw(TensorDraw):
    def model(self, kind: "Callable[[_Draw, Activation], Activation]", images: int) -> RandomModel:
        rng = self.rng
        (values,) = rng.spawn(1)
        height, width = (int(size) for size in rng.integers(1, _LARGEST_SIZE + 1, 2))
        image = self.activation((1, height, width, int(rng.integers(1, _MOST_CHANNELS + 1))))
        current = self.seen(image) if rng.random() < 0.8 else image
        last = kind(self, current)
        others = [last.index]
        if rng.random() < 0.4:
            last = self.seen(last)
            others.append(last.index)
        ends = [last.index] if rng.random() < 0.7 else list(dict.fromkeys(others))
        content = self.writer.finish([image.index], ends)
        x = values.integers(-128, 128, (images, *image.shape[1:])).astype(np.int8)
        return RandomModel(content, x)

    def seen(self, source: Activation, into: Activation | None = None) -> Activation:
        """A 1×1 convolution, to the shape of ``into`` where it is given."""
        channels = into.shape[3] if into else int(self.rng.integers(1, _MOST_CHANNELS + 1))
        shape = (*source.shape[:3], channels)
        weights = self.weights((channels, 1, 1, source.shape[3]))
        return self.weighted(
            "CONV_2D", source, weights, 0, shape, (1, 1), 0, into or self.activation(shape, near=0.05),
            DilationHFactor=1, DilationWFactor=1,
        )  # fmt: skip

    def compared(self, name: str, source: Activation) -> Activation:
        """The larger or smaller of two tensors: of two layers, of a layer and what it read, or of a tensor and itself."""
        rng, out = self.rng, self.like(source, source.shape)
        other = source
        if rng.random() < 0.9:
            other = self.seen(source, self.like(source, source.shape))
        if rng.random() < 0.3:
            joined = self.like(source, (*source.shape[:3], 2 * source.shape[3]))
            doubled = self.like(source, joined.shape)
            self.writer.operator(
                "CONCATENATION", [source.index, other.index], [joined.index], Axis=3
            )
            source, other, out = joined, self.seen(joined, doubled), self.like(source, joined.shape)
        operands = [source.index, other.index]
        if rng.random() < 0.5:
            operands.reverse()
        self.writer.operator(name, operands, [out.index])
        return out

    def bent(self, source: Activation) -> Activation:
        """A slope of its own below 0 for each channel."""
        rng, channels = self.rng, source.shape[3]
        point = int(rng.choice([0, int(rng.integers(-128, 128))]))
        shape = (1, 1, channels)[int(rng.integers(3)) :]
        slopes = rng.integers(max(-128, point - 128), min(127, point + 127) + 1, shape)
        scale = float(np.float32(2.0 ** rng.uniform(-10, -5)))
        constant = self.writer.constant(slopes, "int8", scales=[scale], zero_points=[point])
        out = self.activation(source.shape, near=source.scale)
        self.writer.operator("PRELU", [source.index, constant], [out.index])
        return out


_KINDS: "dict[str, Callable[[_Draw, Activation], Activation]]" = {
    "MAXIMUM": lambda draw, source: draw.compared("MAXIMUM", source),
    "MINIMUM": lambda draw, source: draw.compared("MINIMUM", source),
    "PRELU": _Draw.bent,
}

EXTREMES = tuple(_KINDS)
"""Operators that are drawn."""
