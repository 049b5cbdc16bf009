"""Faults of a design's netlists: combinational loops through modules, nets with several drivers or none."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from hwgen.synthesis.liberty import Library
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.timing import ModuleTiming

__all__ = ["netlist_faults"]


def netlist_faults(
    netlist: Netlist, library: Library, below: Mapping[str, ModuleTiming]
) -> list[str]:
    """Faults of a module's netlist, each as a line; none if it is sound.

    Parameters
    ----------
    netlist : Netlist
    library : Library
    below : mapping of str to ModuleTiming
        Modules that it instantiates, with the ways from their inputs to their outputs.
    """
    drivers: dict[int, list[str]] = defaultdict(list)
    readers: dict[int, str] = {}
    for port, nets in netlist.inputs.items():
        for net in _nets(nets):
            drivers[net].append(port)
    for port, nets in netlist.outputs.items():
        for net in _nets(nets):
            readers.setdefault(net, port)
    for instance in netlist.instances:
        outputs = _outputs(instance, library)
        for pin, nets in instance.pins.items():
            for net in _nets(nets):
                if pin in outputs:
                    drivers[net].append(f"{instance.name or instance.kind}.{pin}")
                else:
                    readers.setdefault(net, f"{instance.name or instance.kind}.{pin}")
    faults = [
        f"{netlist.name}: {netlist.names.get(net, 'a net')} is driven by {' and '.join(sorted(pins))}"
        for net, pins in sorted(drivers.items())
        if len(pins) > 1
    ]
    faults += [
        f"{netlist.name}: {netlist.names.get(net, 'a net')}, which {reader} reads, is not driven"
        for net, reader in sorted(readers.items())
        if net not in drivers
    ]
    loop = _loop(netlist, library, below)
    if loop:
        named = [netlist.names[net] for net in loop if net in netlist.names]
        faults.append(f"{netlist.name}: combinational loop through {', '.join(named) or 'a net'}")
    return faults


def _nets(nets: list[int | str]) -> Iterator[int]:
    """Nets that are no constants."""
    return (net for net in nets if not isinstance(net, str))


def _outputs(instance: Instance, library: Library) -> frozenset[str]:
    """Pins of an instance that drive nets."""
    cell = library.cells.get(instance.kind)
    return instance.outputs if cell is None else frozenset(cell.arcs)


def _loop(netlist: Netlist, library: Library, below: Mapping[str, ModuleTiming]) -> tuple[int, ...]:
    """Nets of a loop without a register, if there is any."""
    sources: dict[int, set[int]] = defaultdict(set)
    for instance in netlist.instances:
        for target, origins in _ways(instance, library, below):
            sources[target].update(origins)
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        return tuple(dict.fromkeys(error.args[1]))
    return ()


def _ways(
    instance: Instance, library: Library, below: Mapping[str, ModuleTiming]
) -> Iterator[tuple[int, list[int]]]:
    """Nets that an instance drives without a register, each with the nets that decide it."""
    if instance.kind in below:
        for (port, index), inputs in below[instance.kind].through.items():
            if port in instance.pins:
                origins = [net for name in inputs for net in _nets(instance.pins.get(name, []))]
                for net in _nets([instance.pins[port][index]]):
                    yield net, origins
        return
    cell = library.cells.get(instance.kind)
    if cell is None or cell.setups:
        return
    for pin, arcs in cell.arcs.items():
        origins = [net for arc in arcs for net in _nets(instance.pins.get(arc.pin, []))]
        for net in _nets(instance.pins.get(pin, [])):
            yield net, origins
