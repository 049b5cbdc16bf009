"""Operands of sums and products in a network that is quantized: copies of those that lie otherwise, factors, products of pixels."""

import numpy as np

from sim.importers.joints import Joints, copying_layer
from sim.importers.pixel_products import pixel_product
from sim.scales import quantize_multipliers
from sim.spec.network import FACTOR_BYTES, Layer, LayerKind, TensorSpec

__all__ = ["MadeLayers"]


class MadeLayers:
    """Layers so far, by name, and which parts their outputs consist of.

    Parameters
    ----------
    inputs : list of TensorSpec
        Of the network.
    """

    def __init__(self, inputs: list[TensorSpec]) -> None:
        self.layers: dict[str, Layer] = {}
        self.joints = Joints()
        for source in inputs:
            self.joints.note_input(source)

    def enter(self, layer: Layer) -> None:
        """Append a layer."""
        self.layers[layer.name] = layer
        self.joints.note_layer(layer)

    def alike(self, reader: str, a: TensorSpec, b: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
        """Operands of a layer, both copied where they do not consist of parts alike."""
        if self.joints.lie_alike(a.name, b.name):
            return a, b
        return self.dense(reader, a), self.dense(reader, b)

    def dense(self, reader: str, source: TensorSpec) -> TensorSpec:
        """Operand of a layer whose channels lie side by side: a copy where they do not."""
        if self.joints.is_dense(source.name):
            return source
        layer = copying_layer(self._free_name(f"{reader}.copy"), source, dense=True)
        self.enter(layer)
        return layer.output

    def factors(self, reader: str, vector: TensorSpec) -> TensorSpec:
        """Enter the layer that makes the factors of a product's vector; return its output."""
        name = self._free_name(f"{reader}.factors")
        shape = (1, 1, FACTOR_BYTES * vector.channels)
        output = TensorSpec.of_shape(name, shape, vector.scale, vector.zero_point)
        self.enter(Layer(name=name, kind=LayerKind.FACTORS, inputs=(vector.name,), output=output))
        return output

    def multiply(
        self, a: TensorSpec, b: TensorSpec, output: TensorSpec, clamp: tuple[int, int]
    ) -> None:
        """Enter the layers of a product pixel by pixel, and the mosaic that is one of its tensors."""
        multiplier, shift = quantize_multipliers(np.array([a.scale * b.scale / output.scale]))
        factor = (int(multiplier[0]), int(shift[0]))
        product = pixel_product(f"{output.name}.", (a, b), output, factor, clamp)
        for layer in product.layers[:-1]:
            self.enter(layer)
        self.joints.lay(list(product.parts), list(product.places), product.mosaic)
        self.enter(product.layers[-1])

    def _free_name(self, name: str) -> str:
        while name in self.layers:
            name += "_"
        return name
