"""Random int8 models for TensorFlow Lite with several inputs, which meet in a sum, a product or a concatenation."""

from collections.abc import Callable

import numpy as np

from testbench.cases.tflite_models import ModelDraw, RandomModel
from testbench.cases.tflite_tensors import Activation, multiplied

__all__ = ["inputs_model"]

_MOST_INPUTS = 3
_SIDE = 9


def inputs_model(seed: int, images: int = 2) -> RandomModel:
    """A model of two or three inputs, each of its own type, scale and number of channels; at times of its own size, too."""
    return _InputsDraw(np.random.default_rng(seed)).model(images)


class _InputsDraw(ModelDraw):
    def model(self, images: int) -> RandomModel:
        rng = self.rng
        size = tuple(int(side) for side in rng.integers(1, _SIDE, 2))
        begins, arrays, branches = [], [], []
        for _ in range(int(rng.integers(2, _MOST_INPUTS + 1))):
            own = size if rng.random() < 0.8 else (1, 1)
            first = self.activation((1, *own, int(rng.choice([1, 3, 4, 9, 17]))))
            begin, x = self.input(first, images)
            begins.append(begin)
            arrays.append(x)
            branches.append(self._branch(first))
        rng.shuffle(branches)
        current = branches[0]
        for other in branches[1:]:
            current = self._met(current, other)
        current = self._branch(current)
        ends = [self.output(current), *self.further]
        return RandomModel(self.writer.finish(begins, ends), arrays)

    def _branch(self, source: Activation) -> Activation:
        """The activation behind a layer of its size, or itself."""
        kinds: tuple[Callable[[Activation], Activation | None], ...] = (
            self.relu, self.requantize, self.product, self.constant_sum, self.difference,
        )  # fmt: skip
        if self.rng.random() < 0.4:
            return source
        if self.rng.random() < 0.5:
            return self._pointwise(source, source.shape[:3], int(self.rng.choice([1, 4, 9])))
        return kinds[int(self.rng.integers(len(kinds)))](source) or source

    def _met(self, a: Activation, b: Activation) -> Activation:
        """Two activations become a sum, a product or a concatenation."""
        rng = self.rng
        if a.shape[1:3] != b.shape[1:3]:
            large, small = (a, b) if np.prod(a.shape[1:3]) > np.prod(b.shape[1:3]) else (b, a)
            vector = self._pointwise(small, small.shape[:3], large.shape[3])
            return multiplied(self, large, vector)
        if rng.random() < 0.3:
            other = self.like(a, b.shape)
            self.writer.operator("QUANTIZE", [b.index], [other.index])
            out = self.like(a, (*a.shape[:3], a.shape[3] + b.shape[3]))
            self.writer.operator("CONCATENATION", [a.index, other.index], [out.index], Axis=3)
            return out
        if a.shape != b.shape:
            b = self._pointwise(b, b.shape[:3], a.shape[3])
        # the sum's scale is near that of the larger, which keeps the multiplier below 1
        return self.summed("ADD" if rng.random() < 0.7 else "SUB", a, b)

    def _pointwise(self, source: Activation, axes: tuple[int, ...], channels: int) -> Activation:
        """A 1×1 convolution."""
        weights = self.weights((channels, 1, 1, source.shape[3]))
        shape = (*axes, channels)
        out = self.activation(shape, near=source.scale)
        return self.weighted("CONV_2D", source, weights, 0, shape, (1, 1), 1, out)
