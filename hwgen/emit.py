"""Verilog of one accelerator: every unique module once."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Signal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen import yosys
from hwgen.gateware.accelerator import Accelerator
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.primitives.structure import Structure
from hwgen.gateware.primitives.unique import MODULE_PREFIX, EmitPlatform
from hwgen.memory_modules import MEMORY_PRIMITIVES, MemoryModule, MemoryStyle, memory_module
from hwgen.module_names import PREFIX, ModuleNames
from hwgen.ports import CLOCK, RESET, is_trace, port_meanings
from hwgen.simulation_view import GRID_MODULE, grid_view
from hwgen.verilog.comments import comment_lines, described
from hwgen.verilog.module_text import ModuleText, write_module
from hwgen.verilog.netlist import Cell, NetlistModule, Wire, parse_netlist
from sim.realizability import require_generable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.views import View

__all__ = ["Emission", "VerilogOptions", "emit", "emit_grid", "emit_modules", "optimized"]

_TOP = f"{MODULE_PREFIX}top"
_CLOCKING = ("clk", "rst")
"""First ports of every module but the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerilogOptions:
    """Choices about emitted Verilog that change no cycle.

    Parameters
    ----------
    prefix : str
        Beginning of all module names.
    memories : MemoryStyle
        Modules that stand for the memories.
    trace : bool
        Whether the top module has the ports ``trace_*``, which benches read.

    Raises
    ------
    ValueError
        If the prefix is no identifier.
    """

    prefix: str = PREFIX
    memories: MemoryStyle = MemoryStyle.FPGA
    trace: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """Modules of an accelerator; each stands behind those that it instantiates.

    Parameters
    ----------
    top : str
        Name of the top module.
    modules : tuple of ModuleText
        All but the memories.
    memories : tuple of MemoryModule
        Modules of the memories; other accelerators may share them.
    """

    top: str
    modules: tuple[ModuleText, ...]
    memories: tuple[MemoryModule, ...]

    @property
    def text(self) -> str:
        """All modules as one text."""
        texts = [part.text.strip() for part in self.memories]
        texts += [part.text.strip() for part in self.modules]
        return "\n\n".join(texts) + "\n"


_SIMULATED = VerilogOptions()


def emit(
    config: AcceleratorConfig,
    view: View = View.SYNTHESIS,
    options: VerilogOptions = _SIMULATED,
) -> str:
    """Return the accelerator's Verilog as one text, the same for the same arguments.

    It is Verilog-2005; with the simulation view of the PE grid that module is SystemVerilog.

    Raises
    ------
    NotRealizableError
        With the line of the first GEN violation that :func:`sim.realizability.check` finds.
    """
    return emit_modules(config, view, options).text


def emit_modules(
    config: AcceleratorConfig,
    view: View = View.SYNTHESIS,
    options: VerilogOptions = _SIMULATED,
) -> Emission:
    """Return the accelerator's modules; see :func:`emit`."""
    require_generable(config)
    names = ModuleNames.of(config, options.prefix)
    views = {}
    if View(view) is View.SIMULATION:
        views[GRID_MODULE] = grid_view(config, names.grid)
    top = _Top(Accelerator(config), trace=options.trace)
    return _emit(top, _TOP, views, names, options.memories)


def emit_grid(config: AcceleratorConfig) -> str:
    """Return the synthesis view of the PE grid alone, its modules named without a configuration."""
    require_generable(config)
    return _emit(Grid(config), GRID_MODULE, {}, ModuleNames(), MemoryStyle.FPGA).text


class _Clocked(Elaboratable):
    """A component with ``clk`` and ``rst`` among its ports even where it has no registers."""

    def __init__(self, component: Any) -> None:
        self.component = component
        self.domain = ClockDomain("sync")
        self.clk = self.domain.clk
        self.rst = self.domain.rst
        self.signature = wiring.Signature(
            {"clk": In(1), "rst": In(1), **component.signature.members}
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.component, name)

    def elaborate(self, platform: object) -> Fragment:
        """Return the component's fragment in a clock domain of its own."""
        fragment = Fragment.get(self.component, platform)
        fragment.add_domains(self.domain)
        return fragment


class _Top(Elaboratable):
    """The accelerator with a reset that is active low, as AXI has it, and with or without traces."""

    def __init__(self, component: Accelerator, *, trace: bool) -> None:
        self.component = component
        self.domain = ClockDomain("sync")
        self.clk = self.domain.clk
        self.aresetn = Signal()
        members = {
            name: member
            for name, member in component.signature.members.items()
            if trace or not is_trace(name)
        }
        self.signature = wiring.Signature({CLOCK: In(1), RESET: In(1), **members})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.component, name)

    def elaborate(self, platform: object) -> Fragment:
        """Return the accelerator's fragment in a clock domain whose reset is the port's inverse."""
        fragment = Fragment.get(self.component, platform)
        fragment.add_domains(self.domain)
        fragment.add_statements("comb", self.domain.rst.eq(~self.aresetn))
        return fragment


def _emit(
    component: Any,
    name: str,
    views: dict[str, str],
    names: ModuleNames,
    style: MemoryStyle,
) -> Emission:
    """Return the modules of `component` and all below it; of modules in `views` the text there."""
    platform = EmitPlatform()
    texts = {name: _rtlil(component, name, platform)}
    while waiting := [name for name in platform.modules if name not in texts.keys() | views.keys()]:
        for below in waiting:
            texts[below] = _rtlil(platform.modules[below], below, platform)
    components = {name: component, **platform.modules}
    logic = [
        text.netlist for key, text in texts.items() if not isinstance(components[key], Structure)
    ]
    wires = [text.netlist for key, text in texts.items() if isinstance(components[key], Structure)]
    netlists = parse_netlist("\n".join([optimized("\n".join(logic)), *wires]))
    comments = {key: value for text in texts.values() for key, value in text.comments.items()}
    parts = netlists | {view: _interface(components[view], view) for view in views}
    memories: dict[str, MemoryModule] = {}

    def instantiate(cell: Cell) -> str:
        if cell.kind not in MEMORY_PRIMITIVES:
            return _text_name(cell.kind, names)
        width, depth = cell.parameters["WIDTH"], cell.parameters["DEPTH"]
        memory = memory_module(cell.kind, width, depth, style, names)
        memories[memory.name] = memory
        return memory.name

    written = {
        key: write_module(
            netlist,
            instantiate=instantiate,
            parts=parts,
            name=_text_name(key, names),
            head=comment_lines(comments.get(key, "")),
            order=_order(components[key]) if key in components else _CLOCKING,
            comments=port_meanings() if key == _TOP else {},
        )
        for key, netlist in netlists.items()
    }
    for key, text in views.items():
        written[key] = ModuleText(name=_text_name(key, names), text=text, instances=(), nets={})
    modules = {module.name: module for module in written.values()}
    top = _text_name(name, names)
    return Emission(
        top=top,
        modules=tuple(modules[key] for key in _bottom_up(top, modules)),
        memories=tuple(memories[key] for key in sorted(memories)),
    )


def _text_name(module: str, names: ModuleNames) -> str:
    """Name in the text of a module of the netlist."""
    return names.own(re.sub(r"\W", "_", module.removeprefix(MODULE_PREFIX)))


def _bottom_up(top: str, modules: Mapping[str, ModuleText]) -> list[str]:
    """Names of a module and all below it, each behind those that it instantiates."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in modules and name not in ordered:
            for instance in modules[name].instances:
                visit(instance.module)
            ordered[name] = None

    visit(top)
    return list(ordered)


@dataclass(frozen=True, slots=True)
class _Rtlil:
    """Modules in Yosys's format, and comments by the names of the modules."""

    netlist: str
    comments: dict[str, str]


def _rtlil(component: Any, name: str, platform: EmitPlatform) -> _Rtlil:
    """Convert one module, and the submodules that are only its own, to Yosys's format."""
    comment = described(component.component if isinstance(component, _Top) else component)
    if isinstance(component, Structure):
        return _Rtlil(component.rtlil(name, platform), {name: comment})
    wrapped = component if isinstance(component, _Top) else _Clocked(component)
    fragment = Fragment.get(wrapped, platform)
    text: str = rtlil.convert_fragment(fragment, _ports(wrapped), name, emit_src=False)[0]
    return _Rtlil(text, {name: comment, **dict(_inner_comments(fragment, name))})


def _inner_comments(fragment: Fragment, name: str) -> Iterator[tuple[str, str]]:
    """Yield the comments of the modules that belong to a module alone."""
    for inner, inner_name, _ in fragment.subfragments:
        components = [part for part in inner.origins or () if isinstance(part, wiring.Component)]
        path = f"{name}.{inner_name}"
        if components:
            yield path, described(components[-1])
        yield from _inner_comments(inner, path)


def _ports(component: Any) -> dict[str, tuple[Value, PortDirection]]:
    """Ports of a component, by name, as Amaranth's conversion takes them."""
    sides = {In: PortDirection.Input, Out: PortDirection.Output}
    return {
        "__".join(map(str, path)): (Value.cast(value), sides[member.flow])
        for path, member, value in component.signature.flatten(component)
    }


def _interface(component: Any, name: str) -> NetlistModule:
    """Module with the ports of a component, its clock and its reset, and nothing in it."""
    module = NetlistModule(name, ports=list(_order(component)))
    module.wires = {port: Wire(port, 1, "input") for port in _CLOCKING}
    for port, (value, side) in _ports(component).items():
        module.wires[port] = Wire(port, len(value), side.value)
    return module


def _order(component: Any) -> tuple[str, ...]:
    """Ports in the order of the text: clock and reset first."""
    own = tuple(_ports(component))
    return own if isinstance(component, _Top) else (*_CLOCKING, *own)


def optimized(logic: str) -> str:
    """Turn processes into operators and registers with enables, all in Yosys's format."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "source.il", Path(directory) / "target.il"
        source.write_text(logic, encoding="utf-8")
        yosys.run(
            [
                f"read_rtlil {source}",
                "proc -norom",
                "pmuxtree",
                "wreduce",
                "clean -purge",
                "opt_dff -simple-dffe",
                "opt_expr -mux_bool",
                "clean -purge",
                f"write_rtlil {target}",
            ]
        )
        return target.read_text(encoding="utf-8")
