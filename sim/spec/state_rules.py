"""Rules of a network's mosaics and states, which lie in external memory where layers store their parts."""

from typing import TYPE_CHECKING

from sim.spec.state import require_next

if TYPE_CHECKING:
    from sim.spec.network import Network

__all__ = ["check_mosaics", "check_states"]


def check_mosaics(network: "Network", segments: dict[str, tuple[int, ...]]) -> None:
    """Raise where a mosaic's parts are not made by layers for it alone, one after the other."""
    order = {layer.name: place for place, layer in enumerate(network.layers)}
    read = {name for layer in network.layers for name in layer.inputs} | set(network.outputs)
    for joint in network.concatenations:
        if not joint.pixels:
            continue
        places = [order.get(part, -1) for part in joint.parts]
        if min(places) < 0 or places != sorted(places):
            rule = "must be made by layers in their order"
            raise ValueError(f"parts of concatenation {joint.name!r} {rule}")
        for part in joint.parts:
            what = f"part {part!r} of concatenation {joint.name!r}"
            if part in read:
                raise ValueError(f"{what} must be read by nothing else")
            if segments[part] != segments[joint.name]:
                rule = f"must consist of {segments[joint.name]} channels"
                raise ValueError(f"{what} {rule}, not {segments[part]}")


def check_states(network: "Network") -> None:
    """Raise where a state's next value is not a layer's own, or the state is read when it is stored."""
    if not network.states:
        return
    order = {layer.name: place for place, layer in enumerate(network.layers)}
    within = {part for joint in network.concatenations for part in joint.parts}
    segments, taken = network.segments, set[str]()
    for state in network.states:
        what = f"next of state {state.name!r}"
        if state.next not in order:
            raise ValueError(f"{what} must be made by a layer, not {state.next!r}")
        made = network.layers[order[state.next]]
        if made.kind == "factors" or state.next in {*within, *network.outputs, *taken}:
            rule = "must be no output, no part, no factors and no other state's"
            raise ValueError(f"{what} {rule}, not {state.next!r}")
        taken.add(state.next)
        require_next(state, made.output, segments[state.next])
        for layer in network.layers[order[state.next] :]:
            if state.name in layer.inputs:
                rule = f"must come before {state.next!r}, which is stored over it"
                raise ValueError(f"layer {layer.name!r} reads state {state.name!r}: it {rule}")
    if not network.further_inputs and network.layers[0].inputs[0] != network.input.name:
        first = network.layers[0]
        raise ValueError(f"first layer {first.name!r} must read the input, not {first.inputs[0]!r}")
