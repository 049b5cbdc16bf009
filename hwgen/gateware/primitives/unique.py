"""Emission of every distinct module once, however often it is instantiated."""

import re
from typing import Any

from amaranth.hdl import ClockSignal, Elaboratable, Instance, ResetInserter, ResetSignal, Value
from amaranth.lib import wiring

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["MODULE_PREFIX", "EmitPlatform", "Unique", "module_name", "unique"]

MODULE_PREFIX = "cosilico_"


class EmitPlatform:
    """Platform object that turns :func:`unique` components into Verilog instances.

    Elaborating with it collects the modules to emit; ``None`` in its place elaborates the same
    hierarchy as ordinary submodules, for Amaranth's simulator.

    Attributes
    ----------
    modules : dict[str, wiring.Component]
        One representative component of each module, by module name, in order of first use.
    """

    def __init__(self) -> None:
        """Start with no modules."""
        self.modules: dict[str, Any] = {}

    def register(self, name: str, component: Any) -> None:
        """Note that `component` is an instance of module `name`.

        Raises
        ------
        ValueError
            If another component of that name has a different class, parameters or ports.
        """
        known = self.modules.setdefault(name, component)
        if _identity(known) != _identity(component):
            raise ValueError(f"module {name!r} must be built once, not with different parameters")


class Unique(Elaboratable):
    """A submodule that simulation elaborates in place and emission instantiates by name."""

    def __init__(self, component: Any, name: str, reset: Any = None) -> None:
        """Wrap `component` as an instance of module `name`."""
        self.component = component
        self.name = name
        self.reset = reset

    def elaborate(self, platform: object) -> Any:
        """Return the component, or an instance of its module with all ports connected."""
        if not isinstance(platform, EmitPlatform):
            return (
                self.component if self.reset is None else ResetInserter(self.reset)(self.component)
            )
        platform.register(self.name, self.component)
        # Only the first instance is elaborated; Amaranth would warn about the others.
        self.component._MustUse__used = True
        reset = ResetSignal() if self.reset is None else ResetSignal() | self.reset
        return Instance(self.name, i_clk=ClockSignal(), i_rst=reset, **_connections(self.component))


def unique(component: Any, name: str | None = None, reset: Any = None) -> Unique:
    """Wrap a component so that its module is emitted once.

    Parameters
    ----------
    component : wiring.Component
        Its members are connected by the caller as usual.
    name : str, optional
        Module name without the ``cosilico_`` prefix; the class name in snake case by default. Give
        a name where a class is built with different parameters in one design.
    reset : Signal, optional
        Resets the component, besides the reset of the design around it.
    """
    return Unique(component, f"{MODULE_PREFIX}{name}" if name else module_name(component), reset)


def module_name(component: Any) -> str:
    """Module name of a component that is given none: its class name in snake case."""
    class_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(component).__name__).lower()
    return MODULE_PREFIX + class_name


def _connections(component: Any) -> dict[str, Any]:
    """Ports of an instance of `component`, named as ``amaranth.back.verilog`` names them."""
    ports = {}
    for path, member, value in component.signature.flatten(component):
        direction = "i" if member.flow == wiring.In else "o"
        ports[f"{direction}_{'__'.join(map(str, path))}"] = Value.cast(value)
    return ports


def _identity(component: Any) -> tuple[object, ...]:
    """Return what two components must share to be the same module."""
    ports = tuple(
        (path, member.flow, len(Value.cast(value)))
        for path, member, value in component.signature.flatten(component)
    )
    parameters = {
        name: value
        for name, value in vars(component).items()
        if isinstance(value, int | str | AcceleratorConfig) and not name.startswith("_")
    }
    return type(component), ports, parameters
