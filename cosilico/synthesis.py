"""Synthesis of a design: what it takes of a chip or an FPGA, printed or written."""

from collections.abc import Sequence
from pathlib import Path

from cosilico.accelerators import accelerator_argument
from cosilico.console import Column, fitted_table, output_console
from cosilico.predictions import write_json
from cosilico.progress import progress_bar
from cosilico.timing import opensta_line
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.nextpnr import DEVICE
from hwgen.synthesis.routing import RESOURCES, RoutingReport, report_routing
from hwgen.synthesis.silicon import SiliconReport, report_silicon
from hwgen.synthesis.targets import FpgaFamily, StandardCellFlow, Target, target_liberty
from hwgen.synthesis.utilization import UtilizationReport, report_utilization
from sim.cost.external_interface import ExternalInterface

__all__ = [
    "print_routes",
    "print_silicon",
    "print_utilization",
    "route_on_fpga",
    "synthesize_for_cells",
    "synthesize_for_fpga",
]

_BLOCK_COLUMNS = (
    Column("Module"),
    Column("Number", right=True),
    Column("Cells", right=True, rank=2),
    Column("Flip-flops", right=True, rank=2),
    Column("Own [µm²]", right=True, rank=1),
    Column("All [mm²]", right=True),
    Column("Share", right=True),
    Column("MHz", right=True),
)
_MEMORY_COLUMNS = (
    Column("Memory"),
    Column("Bits", right=True),
    Column("Rows", right=True),
    Column("Ports", right=True, rank=1),
    Column("Number", right=True),
    Column("All [mm²]", right=True),
    Column("Share", right=True),
)
_FPGA_COLUMNS = (
    Column("Module"),
    Column("Number", right=True),
    Column("LUT", right=True),
    Column("FF", right=True),
    Column("DSP", right=True),
    Column("BRAM", right=True),
)
_ROUTE_COLUMNS = (
    Column("Module"),
    *(Column(name, right=True, rank=1) for name, _ in RESOURCES.values()),
    Column("MHz", right=True),
    Column("Wires", right=True, rank=2),
    Column("Slowest path"),
)


def synthesize_for_cells(
    design: str,
    target: Target,
    *,
    liberty: Path | None,
    feature_nm: float | None,
    clock_mhz: float | None,
    interface: ExternalInterface | None,
    jobs: int | None,
    json: Path | None,
) -> bool:
    """Synthesize a design to standard cells, print or write the report, and tell whether it is sound.

    Raises
    ------
    CosilicoError
        If the design or the liberty file cannot be read, or the accelerator not be generated.
    """
    config = accelerator_argument(design)
    flow = StandardCellFlow(
        library=read_liberty(target_liberty(target) if liberty is None else liberty),
        clock_mhz=config.clock_mhz if clock_mhz is None else clock_mhz,
        feature_nm=target.feature_nm if feature_nm is None else feature_nm,
    )
    with progress_bar() as progress:
        report = report_silicon(config, flow, interface=interface, jobs=jobs, progress=progress)
    if json is not None:
        write_json(json, report.to_json())
    if json != Path("-"):
        print_silicon(report)
    return not report.timing.faults


def synthesize_for_fpga(
    design: str, family: FpgaFamily, *, jobs: int | None, json: Path | None
) -> bool:
    """Synthesize a design for an FPGA, print or write the report, and tell whether it is sound.

    Raises
    ------
    CosilicoError
        If the design cannot be read, or the accelerator not be generated.
    """
    config = accelerator_argument(design)
    with progress_bar() as progress:
        report = report_utilization(config, family, jobs=jobs, progress=progress)
    if json is not None:
        write_json(json, report.to_json())
    if json != Path("-"):
        print_utilization(report)
    return not report.faults


def route_on_fpga(
    design: str, names: Sequence[str], *, seeds: int, jobs: int | None, json: Path | None
) -> None:
    """Place and route modules of a design on an ECP5, with seeds from 1 on; print or write the report.

    Raises
    ------
    CosilicoError
        If the design cannot be read, the accelerator not be generated, or there is no such module or
        no router.
    """
    config = accelerator_argument(design)
    with progress_bar() as progress:
        report = report_routing(
            config, names, seeds=range(1, seeds + 1), jobs=jobs, progress=progress
        )
    if json is not None:
        write_json(json, report.to_json())
    if json != Path("-"):
        print_routes(report)


def print_silicon(report: SiliconReport) -> None:
    """Print area by block and by memory, the slowest path, and faults."""
    total = report.area_mm2
    blocks = [
        (
            block.module,
            f"{block.instances:,}",
            f"{block.cells:,}",
            f"{block.flip_flops:,}",
            f"{block.own_um2:,.0f}",
            f"{block.total_mm2:.4f}",
            f"{block.total_mm2 / total:.1%}",
            "" if mhz is None else f"{mhz:.0f}",
        )
        for block in report.blocks
        for mhz in (report.clock_mhz(block.module),)
    ]
    memories = [
        (
            part,
            f"{memory.shape.width:,}",
            f"{memory.shape.rows:,}",
            str(memory.ports),
            f"{memory.shape.count:,}",
            f"{report.scale * memory.area_mm2:.4f}",
            f"{report.scale * memory.area_mm2 / total:.1%}",
        )
        for part, kinds in report.memories.items()
        for memory in kinds
    ]
    console = output_console()
    title = f"{report.timing.library}, {report.timing.clock_mhz:g} MHz"
    console.print(fitted_table(console.width, _BLOCK_COLUMNS, blocks, title=title))
    console.print(fitted_table(console.width, _MEMORY_COLUMNS, memories, title="macros"))
    console.print(
        f"{total:.4f} mm²: logic {report.logic_mm2:.4f}, memories {report.memory_mm2:.4f}, "
        "without gaps of placement, clock tree and pads"
    )
    if report.interface is not None:
        price = report.interface
        console.print(
            f"{price.area_mm2:.4f} mm² more: external interface of {price.channels} channels"
        )
    row = report.critical
    console.print(
        f"{row.clock_mhz:.0f} MHz: {row.module}, {row.path.start} → {row.path.end}, "
        f"{row.path.delay_ns:.3f} ns, wires without length"
    )
    if report.timing.opensta_ns:
        console.print(opensta_line(report.timing))
    _print_faults(report.timing.faults)


def print_utilization(report: UtilizationReport) -> None:
    """Print resources by block, their sums, and faults."""
    rows = [
        (
            block.module,
            f"{block.instances:,}",
            f"{block.own.lut:,g}",
            f"{block.own.flip_flop:,g}",
            f"{block.own.dsp:,g}",
            f"{block.own.block_ram:,g}",
        )
        for block in report.blocks
    ]
    total = report.total
    console = output_console()
    title = f"{report.family}, of each module"
    console.print(fitted_table(console.width, _FPGA_COLUMNS, rows, title=title))
    console.print(
        f"{total.lut:,.0f} LUT, {total.flip_flop:,.0f} FF, {total.dsp:,.0f} DSP, "
        f"{total.block_ram:,g} BRAM, neither placed nor routed"
    )
    _print_faults(report.faults)


def print_routes(report: RoutingReport) -> None:
    """Print resources, the highest clock over all seeds, and the slowest path of each module."""
    rows = []
    for module in report.modules:
        route = module.best
        if route is None:
            rows.append((module.module, *[""] * (len(_ROUTE_COLUMNS) - 2), module.lacking))
            continue
        rows.append(
            (
                module.module,
                *(f"{route.used.get(kind, 0):,}" for kind in RESOURCES),
                f"{route.clock_mhz:.1f}",
                f"{route.wires_ns / route.delay_ns:.0%}",
                f"{route.path[0]} → {route.path[-1]}",
            )
        )
    console = output_console()
    title = f"ECP5, {' '.join(DEVICE)}, {report.tool}"
    console.print(fitted_table(console.width, _ROUTE_COLUMNS, rows, title=title))
    console.print("each module on its own, with all below it, between registers at its ports")


def _print_faults(faults: tuple[str, ...]) -> None:
    """Print every fault as a line, or that there is none."""
    console = output_console()
    for fault in faults:
        console.print(fault)
    if not faults:
        console.print("no latch, no loop, no net with several drivers or none")
