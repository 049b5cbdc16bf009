"""The ``check`` command: whether an accelerator can be generated and runs a network."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Accelerator, Batch, NetworkName
from cosilico.exits import ExitStatus
from sim.spec.fpga_devices import FPGA_DEVICES

__all__ = ["check"]


def check(
    network: NetworkName,
    accelerator: Accelerator = None,
    batch: Batch = 1,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="FPGA",
            help="an FPGA that the accelerator must fit, by its fitted resources, of which none are shipped: "
            f"{', '.join(FPGA_DEVICES)}",
        ),
    ] = None,
    power: Annotated[
        float | None,
        typer.Option(
            metavar="MW",
            help="most milliwatts that the accelerator may take at its clock, if everything works in every cycle",
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the verdict as JSON; - prints it")
    ] = None,
) -> None:
    """Check whether an accelerator can be generated and runs a network; exit 2 if not."""
    from cosilico.api.checks import check as check_pair
    from cosilico.predictions import check_json_file, print_check, write_json

    check_json_file(json, network, accelerator)
    verdict = check_pair(network, accelerator, images=batch, device=device, power_budget_mw=power)
    if json is not None:
        write_json(json, verdict.to_json())
    if json != Path("-"):
        print_check(verdict)
    if not verdict:
        raise typer.Exit(ExitStatus.BAD_INPUT)
