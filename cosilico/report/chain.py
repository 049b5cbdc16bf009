"""The network as a chain of layers, with its choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosilico.profile import LayerProfile, Profile

__all__ = ["Link", "chain", "choices"]

_KINDS = {
    "conv": "convolution",
    "depthwise": "depthwise",
    "fully_connected": "fully connected",
    "global_average_pool": "global average",
    "average_pool": "average pool",
    "max_pool": "maximum pool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A layer in the chain.

    Parameters
    ----------
    name, kind, shape : str
    reads : str
        Tensors that it reads besides the layer before it; empty for none.
    leaves : str
        Where what it makes goes if it leaves the chip: "through external memory", to be read again, or "to external
        memory"; empty if it stays.
    share : float
        Of the run's cycles on the searched accelerator, in percent.
    """

    name: str
    kind: str
    shape: str
    reads: str
    leaves: str
    share: float


def chain(profile: Profile, spilled: list[str]) -> list[Link]:
    """Return the layers of a network in order."""
    return list(_links(profile, set(spilled)))


def _links(profile: Profile, spilled: set[str]) -> Iterator[Link]:
    before: LayerProfile | None = None
    for layer in profile.layers:
        beside = [name for name in layer.inputs if before is None or name != before.name]
        yield Link(
            name=layer.name,
            kind=_kind(layer),
            shape="×".join(map(str, layer.output)),
            reads=", ".join(beside) if before is not None else "",
            leaves=_leaves(layer, spilled),
            share=100 * layer.cycles / profile.total_cycles,
        )
        before = layer


def _leaves(layer: LayerProfile, spilled: set[str]) -> str:
    if layer.name in spilled:
        return "through external memory"
    return "to external memory" if layer.write_bytes else ""


def _kind(layer: LayerProfile) -> str:
    text = _KINDS.get(layer.kind, layer.kind.replace("_", " "))
    if layer.kernel != (1, 1):
        text += f" {layer.kernel[0]}×{layer.kernel[1]}"
    if layer.stride != (1, 1):
        text += f", stride {layer.stride[0]}"
    return text


def choices(architecture: Any) -> list[tuple[str, str]]:
    """Return what a search chose of a network: names and values; empty where the network was given."""
    if not isinstance(architecture, dict):
        return []
    return [
        (name.replace("_", " "), _text(value) + _skipped(name, value))
        for name, value in architecture.items()
    ]


def _skipped(name: str, value: Any) -> str:
    """Words on what the search left out: blocks with expansion 0, a head of 0 channels."""
    if name == "head" and value == 0:
        return " (left out)"
    if name == "expansions" and isinstance(value, list) and 0 in value:
        return " (0: the block is left out)"
    return ""


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {_text(item)}" for name, item in value.items())
    return "none" if value is None else str(value)
