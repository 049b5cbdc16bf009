"""The ``synthesize`` command: area, clock and resources of an accelerator's Verilog."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Jobs
from sim.cost.external_interface import ExternalInterface

__all__ = ["synthesize"]


class TargetName(StrEnum):
    """Values of ``--target``; known without what synthesizes."""

    NANGATE45 = "nangate45"
    OSU018 = "osu018"
    ECP5 = "ecp5"
    XILINX = "xilinx"


def synthesize(
    design: Annotated[
        str,
        typer.Argument(metavar="DESIGN", help="tiny, edge, nahas, a design.json or an accelerator"),
    ],
    target: Annotated[
        TargetName, typer.Option(help="standard cells, or cells of an FPGA")
    ] = TargetName.NANGATE45,
    liberty: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="standard cells with delay tables, instead of a target's"
        ),
    ] = None,
    feature_nm: Annotated[
        float | None,
        typer.Option(
            "--feature-nm", min=1, help="feature size of these cells", show_default="the target's"
        ),
    ] = None,
    clock_mhz: Annotated[
        float | None,
        typer.Option(
            "--clock-mhz", min=1, help="clock of standard cells", show_default="the design's"
        ),
    ] = None,
    interface: Annotated[
        ExternalInterface | None,
        typer.Option(help="state the area of this interface to the memory, too"),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option(
            metavar="MODULES",
            help="place and route on an ECP5: top for all of it, modules of it, or each",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="placements of each routed module", show_default="1"),
    ] = None,
    jobs: Jobs = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the report as JSON; - prints it")
    ] = None,
) -> None:
    """Synthesize a design, each module once: area by block, clock by module, or an FPGA's resources and routes."""
    from cosilico.extras import require_extra

    bundled = liberty is None and target is TargetName.NANGATE45
    require_extra("cosilico synthesize", "rtl", *(["synthesis"] if bundled else []))
    from cosilico.exits import ExitStatus
    from cosilico.synthesis import route_on_fpga, synthesize_for_cells, synthesize_for_fpga
    from hwgen.synthesis.nextpnr import native_nextpnr
    from hwgen.synthesis.targets import FpgaFamily, Target
    from sim.spec.errors import CosilicoError

    if route is not None and target is not TargetName.ECP5:
        raise CosilicoError(f"--route must be left out with --target {target}")
    if seeds is not None and route is None:
        raise CosilicoError("--seeds must be left out without --route")
    if target in (TargetName.ECP5, TargetName.XILINX):
        unused: tuple[tuple[str, object], ...] = (
            ("--liberty", liberty),
            ("--feature-nm", feature_nm),
            ("--clock-mhz", clock_mhz),
            ("--interface", interface),
        )
        for option, value in unused:
            if value is not None:
                raise CosilicoError(f"{option} must be left out with --target {target}")
        if route is not None:
            if native_nextpnr() is None:
                require_extra("cosilico synthesize --route", "fpga")
            route_on_fpga(design, route.split(","), seeds=seeds or 1, jobs=jobs, json=json)
            return
        sound = synthesize_for_fpga(design, FpgaFamily(target), jobs=jobs, json=json)
    else:
        sound = synthesize_for_cells(
            design,
            Target(target),
            liberty=liberty,
            feature_nm=feature_nm,
            clock_mhz=clock_mhz,
            interface=interface,
            jobs=jobs,
            json=json,
        )
    if not sound:
        raise typer.Exit(ExitStatus.INTERNAL)
