"""Readers of an ONNX graph's tensors: who else sees what a node computes."""

from collections.abc import Collection

from sim.importers.onnx.model import OnnxModel, OnnxNode

__all__ = ["Readers"]

_SEEN_THROUGH = ("DequantizeLinear", "Dropout", "Identity")
"""Operators whose outputs are read in their place."""


class Readers:
    """Readers of each tensor of a model, which are nodes and the model's outputs."""

    def __init__(self, model: OnnxModel) -> None:
        self._nodes: dict[str, list[OnnxNode]] = {}
        for node in model.nodes:
            for name in node.inputs:
                self._nodes.setdefault(name, []).append(node)
        self._outputs = frozenset(end.name for end in model.outputs)

    def count(self, name: str) -> int:
        """How many inputs of nodes and outputs of the model are a tensor."""
        return len(self._nodes.get(name, [])) + (name in self._outputs)

    def only_for(self, name: str, result: str, members: Collection[int]) -> bool:
        """Whether a tensor serves nothing but ``result``, computed of it by nodes of these indices."""
        left, seen = [name], {name}
        while left:
            tensor = left.pop()
            if tensor in self._outputs:
                return False
            for node in self._nodes.get(tensor, []):
                if result in node.outputs:
                    continue
                if node.index not in members and node.operator not in _SEEN_THROUGH:
                    return False
                left += [made for made in node.outputs if made not in seen]
                seen.update(node.outputs)
        return True

    def all_among(self, name: str, operators: Collection[str]) -> bool:
        """Whether these operators alone make the model's outputs of a tensor."""
        left, seen = [name], {name}
        while left:
            for node in self._nodes.get(left.pop(), []):
                if node.operator not in operators:
                    return False
                left += [made for made in node.outputs if made not in seen]
                seen.update(node.outputs)
        return True
