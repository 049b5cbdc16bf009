"""Where the modules of a mapped accelerator are in the scopes of its waveforms, and their signals there."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwgen.synthesis.gate_model import GateModel
from hwgen.synthesis.netlist import Netlist
from testbench.power.waves import Waves

__all__ = ["Stimulus", "instance_scopes", "module_signals", "stimulus"]

_BIT = re.compile(r"^(.*)\[(\d+)\]$")


class Stimulus(NamedTuple):
    """Values that drive an instance of a module, and that it shows, in every cycle.

    Parameters
    ----------
    driven : uint8[cycles, n]
        Of the nets from outside, in the model's order.
    state : uint8[flip-flops]
        Of the first cycle.
    observed : list of int
        Nets that the module shows: at its outputs, and to memories and modules below it.
    shown : uint8[cycles, n]
        Their values in the RTL.
    names : list of str
        Names of what is shown.
    """

    driven: NDArray[np.uint8]
    state: NDArray[np.uint8]
    observed: list[int]
    shown: NDArray[np.uint8]
    names: list[str]


def instance_scopes(netlists: Mapping[str, Netlist], top: str) -> dict[str, list[str]]:
    """Scopes of all instances of every module, by its name.

    Parameters
    ----------
    netlists : mapping of str to Netlist
        Modules by name, those below a module before it; the last is around all.
    top : str
        Scope of the last.
    """
    scopes: dict[str, list[str]] = {name: [] for name in netlists}
    scopes[list(netlists)[-1]].append(top)
    for module in reversed(list(netlists)):
        children = [
            (instance.name, instance.kind)
            for instance in netlists[module].instances
            if instance.kind in netlists
        ]
        for scope in scopes[module]:
            for name, kind in children:
                scopes[kind].append(f"{scope}.{name}")
    return scopes


def module_signals(netlist: Netlist, model: GateModel, scope: str) -> set[str]:
    """Paths of all signals that a stimulus of an instance may need; some may be missing in the waveforms."""
    named = {_path(scope, name) for name in netlist.names.values()}
    ports = {_path(scope, port) for port in (*netlist.inputs, *netlist.outputs)}
    boxes = {_path(scope, _joined(box, port)) for box, port, _, _ in model.driven}
    boxes |= {_path(scope, pin) for pin, _ in _shown(netlist, model)}
    return {path for path, _ in named | ports | boxes} | {
        f"{scope}.{name}" for name in netlist.names.values()
    }


def stimulus(netlist: Netlist, model: GateModel, scope: str, waves: Waves) -> Stimulus:
    """Collect what an instance is driven by, from its ports and those of what is below it.

    Flip-flops whose register is not in the waveforms begin with 0.

    Raises
    ------
    RuntimeError
        If a port is not in the waveforms.
    """
    cache: dict[str, NDArray[np.uint8]] = {}

    def values(path: str) -> NDArray[np.uint8]:
        if path not in cache:
            cache[path] = waves.bits(path)
        return cache[path]

    driven = np.zeros((waves.cycles, len(model.driven)), np.uint8)
    for place, (box, port, bit, _) in enumerate(model.driven):
        path = f"{scope}.{_joined(box, port)}"
        if path not in waves.changes:
            raise RuntimeError(f"waveforms must have port {path!r} of {model.name}")
        driven[:, place] = values(path)[:, bit]
    shown, observed, names = [], [], []
    driven_nets = {net for *_, net in model.driven}
    for port, nets in _shown(netlist, model):
        path = f"{scope}.{port}"
        for bit, number in enumerate(nets):
            net = model.places.get(number) if not isinstance(number, str) else None
            if net is not None and net not in driven_nets and path in waves.changes:
                observed.append(net)
                shown.append(values(path)[:, bit])
                names.append(f"{port}[{bit}]")
    return Stimulus(
        driven=driven,
        state=_state(netlist, model, scope, waves.changes, values),
        observed=observed,
        shown=np.stack(shown, axis=1) if shown else np.zeros((waves.cycles, 0), np.uint8),
        names=names,
    )


def _shown(netlist: Netlist, model: GateModel) -> Iterator[tuple[str, list[int | str]]]:
    """Ports that a module drives, its own and those of memories and modules below it, with their nets."""
    yield from netlist.outputs.items()
    below = {box for box, *_ in model.driven} - {""}
    for instance in netlist.instances:
        if instance.name in below:
            for port, nets in instance.pins.items():
                if port not in instance.outputs:
                    yield _joined(instance.name, port), nets


def _state(
    netlist: Netlist,
    model: GateModel,
    scope: str,
    known: Collection[str],
    values: Callable[[str], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Values of flip-flops in the first cycle."""
    named = {net: netlist.names.get(number) for number, net in model.places.items()}
    state = np.zeros(len(model.flip_flops.data), np.uint8)
    flip_flops = model.flip_flops
    for place, (plain, inverted) in enumerate(
        zip(flip_flops.outputs.tolist(), flip_flops.inverted.tolist(), strict=True)
    ):
        for net, inverts in ((plain, 0), (inverted, 1)):
            name = named.get(net)
            if name is None:
                continue
            path, bit = _path(scope, name)
            if f"{scope}.{name}" in known:
                path, bit = f"{scope}.{name}", 0
            if path in known and bit < values(path).shape[1]:
                state[place] = values(path)[0, bit] ^ inverts
                break
    return state


def _path(scope: str, name: str) -> tuple[str, int]:
    """Path of a signal, and the bit of it that a name is of."""
    match = _BIT.match(name)
    return (f"{scope}.{name}", 0) if match is None else (f"{scope}.{match[1]}", int(match[2]))


def _joined(box: str, port: str) -> str:
    return f"{box}.{port}" if box else port
