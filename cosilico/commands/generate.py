"""The ``generate`` command: an accelerator's Verilog, and a network's program on it."""

from enum import StrEnum
from typing import Annotated

import typer

from cosilico.commands.options import (
    Accelerator,
    Batch,
    Force,
    OutFolder,
    WeightSeed,
    network_names,
)
from cosilico.extras import require_extra
from sim.spec.errors import CosilicoError
from testbench.standalone.file_names import StandaloneTestbench

__all__ = ["generate"]


class Memories(StrEnum):
    """Values of ``--memories``; known without what generates them."""

    FPGA = "fpga"
    FLIP_FLOP = "flip_flop"
    MACRO = "macro"


def generate(
    out: OutFolder,
    network: Annotated[
        str | None,
        typer.Argument(
            metavar="NETWORK",
            help="a design.json, an imported folder, a named network or a network alone as JSON",
            show_default="the accelerator alone",
            autocompletion=network_names,
        ),
    ] = None,
    accelerator: Accelerator = None,
    batch: Batch = 1,
    testbench: Annotated[
        StandaloneTestbench,
        typer.Option(help="what runs the program in a simulator, with `make`, without cosilico"),
    ] = StandaloneTestbench.NONE,
    prefix: Annotated[
        str, typer.Option(metavar="P", help="beginning of all module names")
    ] = "cosilico_",
    memories: Annotated[
        Memories, typer.Option(help="modules of the memories; macro: stubs to fill in")
    ] = Memories.FPGA,
    trace: Annotated[
        bool | None,
        typer.Option(
            "--trace/--no-trace",
            help="ports trace_*, which benches read",
            show_default="with a testbench or package",
        ),
    ] = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="all modules in one file")
    ] = False,
    package: Annotated[
        bool,
        typer.Option(
            "--package", help="a folder for engineers: cores, constraints, driver in C, testbenches"
        ),
    ] = False,
    seed: WeightSeed = 0,
    force: Force = False,
) -> None:
    """Emit an accelerator's Verilog and, for a network, its program and, if asked for, a testbench."""
    require_extra("cosilico generate", "rtl")
    from cosilico.api.generation import generate as generate_files

    _check(network, accelerator, testbench, prefix, trace)
    if package:
        _check_package(network, testbench, prefix, single_file=single_file)
    files = generate_files(
        network,
        accelerator,
        out=out,
        images=batch,
        testbench=testbench,
        prefix=prefix,
        memories=memories,
        trace=trace,
        single_file=single_file,
        package=package,
        force=force,
        seed=seed,
    )
    for path in files.files:
        typer.echo(str(path))


def _check(
    network: str | None,
    accelerator: str | None,
    testbench: StandaloneTestbench,
    prefix: str,
    trace: bool | None,
) -> None:
    """Refuse options that do not go together, in the words of the command line."""
    from hwgen.module_names import check_prefix

    if network is None and accelerator is None:
        raise CosilicoError("generate must be given a network, an --accelerator or both")
    if network is None and testbench is not StandaloneTestbench.NONE:
        raise CosilicoError(f"--testbench must be none without a network, not {testbench}")
    if testbench is not StandaloneTestbench.NONE and trace is False:
        raise CosilicoError(f"--no-trace must be left out with --testbench {testbench}")
    try:
        check_prefix(prefix)
    except ValueError as error:
        raise CosilicoError(f"--{error}") from None


def _check_package(
    network: str | None, testbench: StandaloneTestbench, prefix: str, *, single_file: bool
) -> None:
    """Refuse what a package cannot be, in the words of the command line."""
    from hwgen.module_names import PREFIX

    if network is None:
        raise CosilicoError("--package must be left out without a network")
    if testbench is not StandaloneTestbench.NONE:
        raise CosilicoError(f"--testbench must be none with --package, not {testbench}")
    if prefix != PREFIX:
        raise CosilicoError(f"--prefix must be {PREFIX} with --package, not {prefix}")
    if single_file:
        raise CosilicoError("--single-file must be left out with --package")
