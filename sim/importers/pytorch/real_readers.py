"""Readers of a tensor's real values, where a program quantizes the tensor: it is held in int8 alone."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from torch import fx

from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.nodes import UnsupportedModuleError, title
from sim.scales import Scale
from sim.spec.network import LayerKind

if TYPE_CHECKING:
    from sim.importers.pytorch.graph import Value

__all__ = ["Quantizing", "check_real_readers"]

Quantizing: TypeAlias = tuple[Scale, tuple[float, float]]
"""Scale that a node quantizes to, and the steps of it about 0 that the node clamps to."""


def check_real_readers(
    values: "Mapping[fx.Node, Value]",
    layers: Mapping[str, FloatLayer],
    quantizing: Mapping[fx.Node, Quantizing],
) -> None:
    """Refuse readers of real values that would be given the int8 of another reader's scale.

    The largest values of windows, and clamps, are the same whether they are taken before or behind
    a quantization: what reads those is asked in their place.

    Parameters
    ----------
    values : mapping of fx.Node to Value
        What the nodes hold.
    layers : mapping of str to FloatLayer
        By the tensor.
    quantizing : mapping of fx.Node to Quantizing
        Of the nodes that quantize.

    Raises
    ------
    UnsupportedModuleError
        If a tensor that is quantized has a reader that does not quantize it alike.
    """
    given: dict[str, Quantizing] = {}
    for node, item in quantizing.items():
        for source in node.all_input_nodes:
            if source in values and not values[source].quantized:
                given.setdefault(_origin(values[source].tensor, layers), item)
    for node, value in values.items():
        tensor = _origin(value.tensor, layers)
        if value.quantized or tensor not in given:
            continue
        for reader in _readers(node, values, layers):
            if quantizing.get(reader) != given[tensor]:
                rule = "must be quantized alike by all that read its real values"
                raise UnsupportedModuleError(
                    f"tensor {tensor!r} {rule}, not read by {title(reader)}"
                )


def _origin(tensor: str, layers: Mapping[str, FloatLayer]) -> str:
    """Tensor whose scale some pools keep."""
    while tensor in layers and layers[tensor].alike:
        tensor = layers[tensor].inputs[0]
    return tensor


def _readers(
    node: fx.Node, values: "Mapping[fx.Node, Value]", layers: Mapping[str, FloatLayer]
) -> Iterator[fx.Node]:
    """Nodes that do more with a node's values than to pass them on, or the largest of them."""
    tensor = values[node].tensor
    for user in node.users:
        if user not in values:
            if user.op == "output":
                yield user
            continue
        held = values[user]
        layer = layers.get(held.tensor)
        passed = held.tensor == tensor or (
            layer is not None
            and layer.kind is LayerKind.MAX_POOL
            and layer.alike
            and layer.inputs == (tensor,)
        )
        if held.quantized or not passed:
            yield user
