"""OpenSTA: another static timing of mapped modules, by the program where it is installed."""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence

from hwgen.subprocesses import run_program
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.netlist import Netlist
from sim.spec.errors import CosilicoError
from sim.spec.files import temporary_folder

__all__ = ["PROGRAM", "native_sta", "netlist_verilog", "register_delays"]

PROGRAM = "sta"
"""Name of the program, as Debian's package ``opensta`` has it."""

_PERIOD_NS = 100
"""Period of the clock that slacks are asked for."""

_SLEW_NS = 0.02
"""Slew of the clock and of inputs, as in `hwgen.synthesis.timing`."""

_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack", re.MULTILINE)
_NO_PATHS = "No paths found"

_SCRIPT = """
read_liberty {{{liberty}}}
read_verilog {{{netlist}}}
link_design {module}
set_units -time ns
create_clock -name clk -period {period} [get_ports clk]
set_clock_transition {slew} [get_clocks clk]
set_input_transition {slew} [all_inputs]
report_checks -path_delay max -from [all_registers -clock_pins] -to [all_registers -data_pins] -digits 4
exit
"""


def native_sta() -> str | None:
    """Path of OpenSTA, if it is installed."""
    return shutil.which(PROGRAM)


def register_delays(
    modules: Sequence[MappedModule],
    library: Library,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> dict[str, float]:
    """Longest delay from a register to a register of every module that has registers alone, in ns, with the setup.

    Modules with memories or modules below them are left out: their paths end where OpenSTA has no cell. A net with more load than its
    driver may have stays without the tree of buffers that `hwgen.synthesis.timing` counts instead, so that it is slower here.

    Parameters
    ----------
    modules : sequence of MappedModule
    library : Library
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    CosilicoError
        If OpenSTA is not installed, or refuses a netlist, with its own words.
    """
    program = native_sta()
    if program is None:
        raise CosilicoError(f"OpenSTA must be installed: no {PROGRAM!r} on the path")
    chosen = [
        module for module in modules if not module.source.children and not module.source.macros
    ]
    delays: dict[str, float] = {}
    for done, module in enumerate(chosen):
        progress("OpenSTA", done, len(chosen))
        slack = _worst_slack(program, module, library)
        if slack is not None:
            delays[module.name] = round(_PERIOD_NS - slack, 4)
    progress("OpenSTA", len(chosen), len(chosen))
    return delays


def _worst_slack(program: str, module: MappedModule, library: Library) -> float | None:
    """Least slack between registers, if there is any path."""
    with temporary_folder() as folder:
        netlist, script = folder / "netlist.v", folder / "script.tcl"
        netlist.write_text(netlist_verilog(module.netlist()), encoding="utf-8")
        script.write_text(
            _SCRIPT.format(
                liberty=library.path,
                netlist=netlist,
                module=module.name,
                period=_PERIOD_NS,
                slew=_SLEW_NS,
            ),
            encoding="utf-8",
        )
        done = run_program([program, "-no_init", "-no_splash", "-exit", str(script)])
    answer = done.stdout + done.stderr
    stated = _SLACK.search(answer)
    if stated is not None:
        return float(stated[1])
    if _NO_PATHS in answer:
        return None
    lines = answer.strip().splitlines() or ["no answer"]
    errors = [line for line in lines if line.startswith("Error")]
    raise CosilicoError(f"OpenSTA of {module.name}: {(errors or lines)[-1]}")


def netlist_verilog(netlist: Netlist) -> str:
    """Structural Verilog of a netlist of cells; nets have numbers, but for those of ports.

    An output that shows a net of another port is not connected.
    """
    names: dict[int, str] = {}
    ports = [
        (way, port, nets)
        for way, side in (("input", netlist.inputs), ("output", netlist.outputs))
        for port, nets in side.items()
    ]
    for _, port, nets in ports:
        for place, net in enumerate(nets):
            if not isinstance(net, str):
                names.setdefault(net, port if len(nets) == 1 else f"{port}[{place}]")
    lines = [f"module {netlist.name} ({', '.join(port for _, port, _ in ports)});"]
    for way, port, nets in ports:
        size = "" if len(nets) == 1 else f"[{len(nets) - 1}:0] "
        lines.append(f"  {way} {size}{port};")
    for number, instance in enumerate(netlist.instances):
        pins = ", ".join(_pins(instance.pins, names))
        lines.append(f"  {instance.kind} cell_{number} ({pins});")
    return "\n".join([*lines, "endmodule", ""])


def _pins(pins: dict[str, list[int | str]], names: dict[int, str]) -> Iterator[str]:
    for pin, nets in pins.items():
        for net in nets:
            if isinstance(net, str):
                if net in "01":
                    yield f".{pin}(1'b{net})"
            else:
                yield f".{pin}({names.get(net, f'net_{net}')})"
